"""Lesson 5: scheduling against adaptive methods."""

EXERCISES = (
    "fair_lead",
    "write_warmup",
    "state_of_adam",
    "weight_left",
    "choose_and_defend",
)
"""In the order of the notebook."""
