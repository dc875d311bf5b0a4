"""Lesson 4: adaptive methods."""

EXERCISES = (
    "write_rmsprop",
    "missing_correction",
    "floor_of_rmsprop",
    "largest_heavy_ball_rate",
    "scale_the_inputs",
    "choose_and_defend",
)
"""In the order of the notebook."""
