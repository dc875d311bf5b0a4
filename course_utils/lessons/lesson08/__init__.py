"""Lesson 8: without knowing the end."""

EXERCISES = (
    "cool_down",
    "average",
    "price",
    "memory_of_an_average",
    "too_late",
)
"""In the order of the notebook."""
