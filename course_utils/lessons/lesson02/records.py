"""The recorded files of lesson 2, most valuable first; `make records NB=02` makes them again."""

from functools import partial

from course_utils.lessons.lesson02 import studies

RECORDS = {f"02_{name}.json": partial(studies.record, name) for name in studies.STUDIES}
