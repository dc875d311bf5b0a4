"""Lesson 9: transferring a learning rate."""

EXERCISES = (
    "shorter_budget",
    "write_mup_rates",
    "three_shifts",
    "write_adapter",
    "doubled_alpha",
)
"""In the order of the notebook."""
