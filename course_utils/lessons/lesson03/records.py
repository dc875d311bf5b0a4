"""The recorded files of lesson 3; `make records NB=03` makes them again."""

from functools import partial

from course_utils.lessons.lesson03 import families

RECORDS = {
    "03_choose.json": partial(families.record, seeds=families.CHOOSE, part="validation"),
    "03_judge.json": partial(families.record, seeds=families.JUDGE, part="test"),
}
