"""Lesson 7: choosing a learning rate."""

EXERCISES = (
    "random_trials",
    "bill",
    "trust",
    "capstone",
)
"""In the order of the notebook."""
