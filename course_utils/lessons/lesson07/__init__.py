"""Lesson 7: choosing a learning rate."""

EXERCISES = (
    "grid_size",
    "random_trials",
    "distinct_rates",
    "weight_decay",
    "trust",
    "threshold",
    "capstone",
)
"""In the order of the notebook."""
