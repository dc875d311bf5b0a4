"""How much faster is `sweep` than the plain loop over `torch.nn` and `torch.optim`?

Run it from the repository root: `python tests/benchmarks/bench_sweep.py`. It measures processor
time of one thread, alternates the programs so that a busy machine disturbs them alike, and takes
the best of several rounds. Only the ratios mean something on another machine.

Where JAX can be imported (nothing else needs it), `jit(vmap(scan))` does the same beside them.
"""

# The number of threads must be set before NumPy, torch and JAX are imported.
import os

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"
os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"

import importlib.util
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
    return sweep(
        lrs, [0], data=data, steps=STEPS, batch_size=BATCH, optimizer=rule, hidden=SIZES[1:-1],
        evaluate_on=(),
    ).final_loss[:, 0]  # fmt: skip


def in_jax(data, rule):
    """The same again: a compiled function from rates to final losses, by `jit(vmap(scan))`."""
    import jax
    import jax.numpy as jnp

    x, y = jnp.asarray(data.train.x), jnp.asarray(data.train.y)
    order = jnp.asarray(sampling.batch_order(len(x), BATCH, STEPS, seed=0))
    start = [tuple(map(jnp.float32, layer)) for layer in sampling.initial_parameters(SIZES, 0)]
    zeros = jax.tree.map(jnp.zeros_like, start)

    def loss(params, rows):
        hidden = x[rows]
        for weight, bias in params[:-1]:
            hidden = jax.nn.relu(hidden @ weight + bias)
        logits = hidden @ params[-1][0] + params[-1][1]
        return -jnp.take_along_axis(jax.nn.log_softmax(logits), y[rows, None], axis=1).mean()

    def train(lr):
        def update(state, rows):
            params, m, v, t = state
            value, grad = jax.value_and_grad(loss)(params, rows)
            norm = jnp.sqrt(sum((g**2).sum() for g in jax.tree.leaves(grad)))
            if isinstance(rule, optimizers.Adam):
                b1, b2, eps = rule.beta1, rule.beta2, rule.eps
                m = jax.tree.map(lambda m, g: b1 * m + (1 - b1) * g, m, grad)
                v = jax.tree.map(lambda v, g: b2 * v + (1 - b2) * g**2, v, grad)
                a, b = 1 - b1**t, 1 - b2**t
                grad = jax.tree.map(lambda m, v: m / a / (jnp.sqrt(v / b) + eps), m, v)
            params = jax.tree.map(lambda p, g: p - lr * g, params, grad)
            return (params, m, v, t + 1), (value, norm)

        state, curves = jax.lax.scan(update, (start, zeros, zeros, 1.0), order)
        return loss(state[0], jnp.arange(len(x))), curves

    compiled = jax.jit(jax.vmap(train))
    return lambda lrs: np.asarray(jax.block_until_ready(compiled(jnp.float32(lrs)))[0])


def seconds(function, *arguments):
    """Processor time of one call."""
    start = time.process_time()
    function(*arguments)
    return time.process_time() - start


def rates(count):
    """A logarithmic grid on which nothing diverges."""
    return np.geomspace(1e-3, 0.3, count).tolist()


def measure(make_rule, make_optimizer):
    """The best time per rate of the loop, and of the sweep and of JAX (if any) for every count."""
    data = digits()
    jax = in_jax(data, make_rule()) if importlib.util.find_spec("jax") else None
    loop, swept, compiled = [], {n: [] for n in COUNTS}, {n: [] for n in COUNTS if jax}
    ours = together(rates(2), data, make_rule())  # warm up
    if jax:  # compile, and see that it trains the same networks
        theirs = [jax(rates(count)) for count in (2, *COUNTS)][0]
        np.testing.assert_allclose(theirs, ours, rtol=1e-3)
    for _ in range(ROUNDS):
        loop.append(seconds(plain_loop, rates(LOOP_RATES), data, make_optimizer) / LOOP_RATES)
        for count, times in swept.items():
            times.append(seconds(together, rates(count), data, make_rule()) / count)
        for count, times in compiled.items():
            times.append(seconds(jax, rates(count)) / count)
    best = [{count: min(times) for count, times in found.items()} for found in (swept, compiled)]
    return min(loop), *best


def main():
    torch.set_num_threads(1)
    layers = "-".join(map(str, SIZES))
    print(f"network {layers}, batch {BATCH}, {STEPS} updates, one thread, best of {ROUNDS} rounds")
    print("milliseconds per rate, and how many times as fast as the loop")
    print("optimizer          rates   loop  sweep  ratio    JAX  ratio")
    requirements = {}
    for name, (make_rule, make_optimizer) in OPTIMIZERS.items():
        loop, swept, compiled = measure(make_rule, make_optimizer)
        for count, cost in swept.items():
            row = f"{name:18} {count:5} {loop * 1e3:6.1f} {cost * 1e3:6.2f} {loop / cost:6.1f}"
            if count in compiled:
                row += f" {compiled[count] * 1e3:6.2f} {loop / compiled[count]:6.1f}"
            print(row)
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
