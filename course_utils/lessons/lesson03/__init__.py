"""Lesson 3: decay families."""

EXERCISES = (
    "write_cosine",
    "write_warmup",
    "fix_boundary",
    "gamma_per_update",
    "area_of_a_cosine",
    "paired",
)
"""In the order of the notebook."""
