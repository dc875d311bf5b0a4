"""Lesson 3: decay families."""

EXERCISES = (
    "strip_1",
    "strip_2",
    "strip_3",
    "strip_4",
    "strip_5",
    "strip_6",
    "write_cosine",
    "write_warmup",
    "fix_boundary",
    "gamma_per_update",
    "natural_rate",
    "area_of_a_cosine",
    "choose_schedule",
)
"""In the order of the notebook."""
