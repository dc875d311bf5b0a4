"""How long does an early lesson wait for its imports, and what do they load?

Processor time of the imports in a fresh interpreter, NumPy included, the start of the interpreter
excluded; the best of several, after one to warm the disk; beside it the ratio to NumPy alone, which
does not depend on the machine.
"""

from __future__ import annotations

import json
import subprocess
import sys

ROUNDS = 3
MOST_TIMES = 2.5
HEAVY = ("torch", "matplotlib")
PROGRAM = """
import json, sys, time
start = time.process_time()
{}
seconds = time.process_time() - start
print(json.dumps([seconds, sorted({{name.partition(".")[0] for name in sys.modules}})]))
"""
STATEMENTS = (
    "import numpy",
    "import course_utils.schedules, course_utils.optimizers",
    "import course_utils.schedules, course_utils.optimizers, course_utils.problems",
    "import course_utils.descent",
    "import course_utils.experiments.sweep",
    "import course_utils.views",
    "import course_utils.views.explorer",
    "import course_utils.experiments.training",
)
REQUIRED = STATEMENTS[1]


def measure(statement: str) -> tuple[float, list[str]]:
    """The best time in seconds of a statement, and the packages that it loads."""
    times, modules = [], []
    for _ in range(ROUNDS + 1):
        command = [sys.executable, "-c", PROGRAM.format(statement)]
        output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        seconds, modules = json.loads(output)
        times.append(seconds)
    return min(times[1:]), modules


def main() -> int:
    """Print the table; return 0 when the requirement is met."""
    verdicts, numpy = [], None
    for statement in STATEMENTS:
        seconds, modules = measure(statement)
        numpy = numpy or seconds
        ratio, heavy = seconds / numpy, [name for name in HEAVY if name in modules]
        loaded = "+ " + ", ".join(heavy) if heavy else ""
        print(f"{seconds:6.2f} s {ratio:5.1f}x  {statement:80} {loaded}")
        if statement == REQUIRED:
            quick, light = ratio <= MOST_TIMES, not heavy
            text = f"schedules and optimizers import in at most {MOST_TIMES:g} times NumPy's time"
            verdicts += [(text, quick)]
            verdicts += [("without torch and matplotlib", light)]
    for text, met in verdicts:
        print(f"{text}: {'yes' if met else 'NO'}")
    return 0 if all(met for _, met in verdicts) else 1


if __name__ == "__main__":
    sys.exit(main())
