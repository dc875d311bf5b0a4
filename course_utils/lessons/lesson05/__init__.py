"""Lesson 5: scheduling against adaptive methods."""

EXERCISES = (
    "write_warmup",
    "state_of_adam",
    "weight_left",
    "burst_threshold",
    "choose_and_defend",
)
"""In the order of the notebook."""
