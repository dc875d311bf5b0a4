"""Lesson 2: too small, too large."""

EXERCISES = (
    "largest_stable_rate",
    "steps_at_0_002",
    "name_the_regimes",
    "best_rate_and_factor",
    "detector",
    "free_the_loss",
)
"""In the order of the notebook."""
