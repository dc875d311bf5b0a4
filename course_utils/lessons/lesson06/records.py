"""The recorded files of lesson 6, most valuable first; `make cifar100` trains at full width."""

from course_utils.lessons.lesson06.studies import RECORDS as RECORDS
