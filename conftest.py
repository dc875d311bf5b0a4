"""What pytest needs to run notebooks with nbval: fewer false alarms, finite waits."""

import os

import pytest
from kernels import notice_dead_kernels, use_ipc

use_ipc()
notice_dead_kernels()

# No test may touch the learner's own progress; the kernels of nbval inherit this.
os.environ["COURSE_PROGRESS"] = "off"


def pytest_collectstart(collector: pytest.Collector) -> None:
    # Progress bars and warnings (stderr), styled boxes (html) and figures (svg) carry times, ids
    # and paths; beside the latter two there is a text/plain, and that one is compared.
    if type(collector).__name__ == "IPyNbFile":
        collector.skip_compare += ("stderr", "text/html", "image/svg+xml")
