"""The recorded file of lesson 2; `make records NB=02` makes it again."""

from course_utils.lessons.lesson02 import edge_of_stability

RECORDS = {"02_edge_of_stability.json": edge_of_stability.record}
