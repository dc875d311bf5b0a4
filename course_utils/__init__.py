"""Instruments for a hands-on course on the learning rate.

Import the module you need (`from course_utils.schedules import cosine`); importing the package
itself loads nothing, so that NumPy-only cells at the start of a lesson do not wait for PyTorch.
"""

__version__ = "1.0.0"
