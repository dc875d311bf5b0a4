"""How much faster is `sweep` than the plain loop over `torch.nn` and `torch.optim`?

Run it from the repository root: `python tests/benchmarks/bench_sweep.py`. It measures processor
time of one thread, alternates the two programs so that a busy machine disturbs both alike, and
takes the best of several rounds. Only the ratios mean something on another machine.
"""

# The number of threads must be set before NumPy and torch are imported.
import os

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"

import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import numpy as np
import torch
from torch import nn

from course_utils import optimizers, sampling
from course_utils.experiments.datasets import digits
from course_utils.experiments.models import mlp
from course_utils.experiments.sweep import sweep

STEPS, BATCH, SIZES = 400, 16, (64, 64, 10)
COUNTS = (1, 8, 16, 32, 64)  # how many rates are trained together
LOOP_RATES = 4  # the loop costs the same for every rate, so a few are enough
ROUNDS = 12
NOISE = 0.03  # what a busy machine adds; from 32 to 64 rates little is left to gain
NEEDED_AT_32 = 10

OPTIMIZERS = {
    "gradient descent": (optimizers.GradientDescent, torch.optim.SGD),
    "Adam": (optimizers.Adam, torch.optim.Adam),
}


def plain_loop(lrs, data, make_optimizer):
    """One network after the other, as in a textbook."""
    x, y = torch.tensor(data.train.x), torch.tensor(data.train.y)
    order = torch.from_numpy(sampling.batch_order(len(x), BATCH, STEPS, seed=0))
    loss = nn.CrossEntropyLoss()
    for lr in lrs:
        model = mlp(SIZES, seed=0)
        optimizer = make_optimizer(model.parameters(), lr=lr)
        for batch in order:
            optimizer.zero_grad()
            loss(model(x[batch]), y[batch]).backward()
            optimizer.step()


def together(lrs, data, rule):
    """The same trainings in one sweep, which also records loss and gradient norm."""
    sweep(
        lrs, [0], data=data, steps=STEPS, batch_size=BATCH, optimizer=rule, hidden=SIZES[1:-1],
        evaluate_on=(),
    )  # fmt: skip


def seconds(function, *arguments):
    """Processor time of one call."""
    start = time.process_time()
    function(*arguments)
    return time.process_time() - start


def rates(count):
    """A logarithmic grid on which nothing diverges."""
    return np.geomspace(1e-3, 0.3, count).tolist()


def measure(make_rule, make_optimizer):
    """The best time per rate of the loop, and of the sweep for every count."""
    data = digits()
    loop, swept = [], {count: [] for count in COUNTS}
    together(rates(2), data, make_rule())  # warm up
    for _ in range(ROUNDS):
        loop.append(seconds(plain_loop, rates(LOOP_RATES), data, make_optimizer) / LOOP_RATES)
        for count, times in swept.items():
            times.append(seconds(together, rates(count), data, make_rule()) / count)
    return min(loop), {count: min(times) for count, times in swept.items()}


def main():
    torch.set_num_threads(1)
    layers = "-".join(map(str, SIZES))
    print(f"network {layers}, batch {BATCH}, {STEPS} updates, one thread, best of {ROUNDS} rounds")
    print(f"{'optimizer':18} {'rates':>5} {'loop ms/rate':>13} {'sweep ms/rate':>14} {'ratio':>6}")
    requirements = {}
    for name, (make_rule, make_optimizer) in OPTIMIZERS.items():
        loop, swept = measure(make_rule, make_optimizer)
        for count, cost in swept.items():
            print(f"{name:18} {count:5} {loop * 1e3:13.1f} {cost * 1e3:14.2f} {loop / cost:6.1f}")
        if make_rule is optimizers.GradientDescent:
            fast = loop / swept[32] >= NEEDED_AT_32
            requirements[f"at least {NEEDED_AT_32} times faster at 32 rates"] = fast
            falls = all(
                swept[more] < swept[less] * (1 + NOISE) for less, more in zip(COUNTS, COUNTS[1:])
            )
            requirements[f"cost per rate falls up to {COUNTS[-1]} rates (noise {NOISE:.0%})"] = (
                falls
            )
    for requirement, met in requirements.items():
        print(f"{requirement}: {'yes' if met else 'NO'}")
    return 0 if all(requirements.values()) else 1


if __name__ == "__main__":
    raise SystemExit(main())
