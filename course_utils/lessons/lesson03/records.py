"""The recorded files of lesson 3; `make records NB=03` makes them again."""

from course_utils.lessons.lesson03 import families

RECORDS = {"03_choose.json": families.record}
"""The one experiment writes `03_judge.json`, too."""
