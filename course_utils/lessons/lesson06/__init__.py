"""Lesson 6: a real network, seven layers on CIFAR-100."""

EXERCISES = (
    "last_linear",
    "behind_a_dead_layer",
    "three_seeds",
    "diagnose",
    "choose_rate",
)
"""In the order of the notebook."""
