"""The recorded files of lesson 3; `make records NB=03` makes them again.

The second reads the first: in an empty folder make `03_choose.json` alone before.
"""

from course_utils.lessons.lesson03 import families

RECORDS = {
    "03_choose.json": families.record_choose,
    "03_judge.json": families.record_judge,
}
