"""Settings for all unit tests: reproducible, one thread, no display."""

import os

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")
os.environ["MPLBACKEND"] = "agg"

from hypothesis import settings  # noqa: E402 - after the environment, before any test

# On a loaded machine a single example may take long; that is no failure. Each run draws the same
# examples, so that a red test stays red until it is repaired.
settings.register_profile("course", deadline=None, derandomize=True, database=None)
settings.load_profile("course")
