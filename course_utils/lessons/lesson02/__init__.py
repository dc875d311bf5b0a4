"""Lesson 2: too small, too large."""

EXERCISES = (
    "largest_stable_rate",
    "name_the_regimes",
    "best_rate_and_factor",
    "limit_from_gradients",
    "four_logs",
    "detector",
    "free_the_loss",
)
"""In the order of the notebook."""
