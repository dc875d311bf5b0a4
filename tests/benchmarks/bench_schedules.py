"""How long does a schedule take for a million steps, compared with one cosine of a million numbers?

Processor time, the best of several. A schedule is a handful of NumPy calls, so it should cost a
handful of cosines; a loop over the steps would cost hundreds.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import numpy as np

from course_utils import schedules

STEPS = np.arange(1_000_000)
ROUNDS = 5
MOST_TIMES = 6.0
EXAMPLES = (
    schedules.piecewise_constant([100_000, 500_000], [0.1, 0.01, 0.001]),
    schedules.exponential(0.1, 1000, 0.96, staircase=True),
    schedules.polynomial(0.1, 10_000, cycle=True),
    schedules.cosine(0.1, 1_000_000),
    schedules.cosine_restarts(0.1, 10),
    schedules.linear_cosine(0.1, 1_000_000),
    schedules.with_warmup(schedules.cosine(0.1, 900_000), 100_000),
)


def best(function: Callable[[np.ndarray], np.ndarray], argument: np.ndarray) -> float:
    """The shortest processor time of a call, in seconds."""
    times = []
    for _ in range(ROUNDS):
        start = time.process_time()
        function(argument)
        times.append(time.process_time() - start)
    return min(times)


def main() -> int:
    """Print the table; return 0 when the requirement is met."""
    cosine = best(np.cos, STEPS.astype(float))
    print(f"{1000 * cosine:7.1f} ms    1.0 x  np.cos")
    slowest = 0.0
    for schedule in EXAMPLES:
        seconds = best(schedule, STEPS)
        slowest = max(slowest, seconds)
        print(f"{1000 * seconds:7.1f} ms  {seconds / cosine:5.1f} x  {schedule.name}")
    met = slowest <= MOST_TIMES * cosine
    print(f"any schedule takes at most {MOST_TIMES:g} cosines: {'yes' if met else 'NO'}")
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
