"""Run the code of lesson 10's table that is not PyTorch's own and write `libraries.json`.

The course depends on none of them: run this from the repository root in a throw-away environment,

    python -m venv tf && tf/bin/pip install tensorflow-cpu optax torch transformers
    PYTHONPATH=. tf/bin/python tests/golden/make_libraries.py

For every row it evaluates the code in the table itself (so that the table cannot say one thing and
the record another) at steps 0 to 40, and notes the defaults of every function that is called.
"""

from __future__ import annotations

import inspect
import json
import math
import os
import re
from pathlib import Path
from types import SimpleNamespace

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

import jax
import keras
import numpy as np
import optax
import tensorflow as tf
import torch
import transformers

from course_utils.lessons.lesson10 import libraries

jax.config.update("jax_enable_x64", True)
STEPS = 41
PLATEAU_METRICS = [1.0] * 8  # of each epoch: it never improves
TARGET = Path(__file__).with_name("libraries.json")
NAMES = {
    "tf1": vars(tf.compat.v1.train),
    "keras3": {
        **vars(keras.optimizers.schedules),
        "ReduceLROnPlateau": keras.callbacks.ReduceLROnPlateau,
    },
    "optax": vars(optax),
    "transformers": vars(transformers.optimization),
}


def main() -> None:
    modules = {"tf1": tf, "keras3": keras, "optax": optax, "transformers": transformers}
    versions = {library: module.__version__ for library, module in modules.items()}
    record = {"versions": versions, "made_by": "tests/golden/make_libraries.py", "rows": {}}
    for row in libraries.ROWS:
        record["rows"][row.name] = {
            library: evaluate(row, library, version)
            for library, version in row.versions.items()
            if library != "torch"
        }
    text = json.dumps(record, ensure_ascii=False, separators=(",", ":"))
    TARGET.write_text(text.replace('{"code"', '\n{"code"') + "\n", encoding="utf-8")


def evaluate(row, library, version):
    entry = {"code": version.code, "rates": rates(row, library, version.code)}
    if version.naive:
        entry |= {"naive": version.naive, "naive_rates": rates(row, library, version.naive)}
    return entry | {"defaults": defaults_of(library, version.code)}


def rates(row, library, code):
    values = plateau(library, code) if row.schedule is None else curve(library, code)
    return [float(f"{float(value):.9g}") for value in values]


def curve(library, code):
    names = {**NAMES[library], "math": math}
    if library == "tf1":
        steps = [tf.constant(t, tf.int64) for t in range(STEPS)]
        return [eval(code, {**names, "t": t})() for t in steps]
    if library == "transformers":
        optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1)
        scheduler, used = eval(code, {**names, "optimizer": optimizer}), []
        for _ in range(STEPS):
            used.append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            scheduler.step()
        return used
    schedule = eval(code, names)
    return [schedule(t) for t in range(STEPS)]


def plateau(library, code):
    """Return the rate after each epoch of a metric that never improves."""
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1)
    rule, used = eval(code, {**NAMES[library], "optimizer": optimizer}), []
    if library == "transformers":
        for metric in PLATEAU_METRICS:
            rule.step(metric)
            used.append(optimizer.param_groups[0]["lr"])
        return used
    if library == "keras3":
        optimizer = keras.optimizers.SGD(0.1)
        model = SimpleNamespace(optimizer=optimizer, metrics=[], stop_training=False)
        rule.set_model(model)
        rule.on_train_begin()
        for epoch, metric in enumerate(PLATEAU_METRICS):
            rule.on_epoch_end(epoch, {"loss": metric})
            used.append(float(keras.ops.convert_to_numpy(optimizer.learning_rate)))
        return used
    state = rule.init(np.zeros(1))
    for metric in PLATEAU_METRICS:
        _, state = rule.update(np.zeros(1), state, value=metric)
        used.append(0.1 * float(state.scale))
    return used


def defaults_of(library, code):
    function = eval(re.match(r"[\w.]+", code)[0], dict(NAMES[library]))
    parameters = inspect.signature(function).parameters.values()
    return {
        p.name: p.default
        for p in parameters
        if p.default is not p.empty
        and p.name not in ("name", "monitor", "verbose", "mode", "last_epoch")
    }


if __name__ == "__main__":
    main()
