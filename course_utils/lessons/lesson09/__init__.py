"""Lesson 9: transferring a learning rate."""

EXERCISES = ()
"""In the order of the notebook."""
