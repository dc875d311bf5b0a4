"""Lesson 8: without knowing the end."""

EXERCISES = (
    "cool_down",
    "average",
    "price",
    "memory_of_an_average",
    "schedule_free",
)
"""In the order of the notebook."""
