"""Lesson 10: the rate that really ran."""

EXERCISES = (
    "strip_1",
    "strip_2",
    "strip_3",
    "strip_4",
    "strip_5",
    "strip_6",
    "strip_7",
    "strip_8",
    "plan_length",
    "effective_rate",
    "resume",
    "shared_plan",
    "scheduler",
)
"""In the order of the notebook."""
