"""Lesson 8: without knowing the end."""

EXERCISES = ()
"""In the order of the notebook."""
