"""Instruments for a hands-on course on the learning rate.

Import the module you need (`from course_utils.schedules import cosine`); importing the package
itself loads nothing, so that the NumPy-only lessons start in a fraction of a second.
"""

__version__ = "1.0.0"
