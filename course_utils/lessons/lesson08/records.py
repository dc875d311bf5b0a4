"""The recorded files of lesson 8, most valuable first; `make records NB=08` makes them again."""

from course_utils.lessons.lesson08.methods import REPORT, record, record_starts
from course_utils.lessons.lesson08.training import SHORT, TASKS

RECORDS = {
    "08_sgd.json": lambda path: record(path, "SGD", list(TASKS.values()), REPORT),
    "08_starts.json": lambda path: record_starts(path, list(TASKS.values())[:2], REPORT),
    "08_adamw.json": lambda path: record(path, "AdamW", list(TASKS.values())[:2], REPORT[:16]),
    "08_short.json": lambda path: record(path, "SGD", SHORT, REPORT),
}
