"""Lesson 9: transferring a learning rate."""

EXERCISES = (
    "larger_batch",
    "write_mup_rates",
    "rule_and_record",
    "write_adapter",
)
"""In the order of the notebook."""
