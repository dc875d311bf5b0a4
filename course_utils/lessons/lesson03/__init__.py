"""Lesson 3: decay families."""

EXERCISES = (
    "write_cosine",
    "write_warmup",
    "fix_boundary",
    "gamma_per_update",
    "natural_rate",
    "area_of_a_cosine",
    "choose_schedule",
)
"""In the order of the notebook."""
