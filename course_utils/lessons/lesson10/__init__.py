"""Lesson 10: the rate that really ran."""

EXERCISES: tuple[str, ...] = ()
"""In the order of the notebook."""
