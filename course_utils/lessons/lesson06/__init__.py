"""Lesson 6: a real network, seven layers on CIFAR-100."""

EXERCISES = (
    "last_linear",
    "parameters",
    "tenth_of_a_weight",
    "behind_a_dead_layer",
    "diagnose",
    "choose",
)
"""In the order of the notebook."""
