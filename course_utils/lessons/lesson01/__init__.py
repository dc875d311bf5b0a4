"""Lesson 1: a fixed learning rate."""

EXERCISES = (
    "write_gradient_descent",
    "one_step_rate",
    "same_clock",
    "rate_for_adam",
    "one_step_later",
    "write_best_rate",
)
"""In the order of the notebook."""
