"""Run the authors' package on 200 noisy gradients of a quadratic and write `schedule_free.json`.

The course does not depend on it: run this from the repository root in a throw-away environment,

    python -m venv sf && sf/bin/pip install torch numpy schedulefree==1.4.1
    sf/bin/python tests/golden/make_schedule_free.py

The problem is in the file too, so that the test needs nothing from here.
"""

from __future__ import annotations

import json
from importlib.metadata import version
from pathlib import Path

import numpy as np
import schedulefree
import torch
from schedulefree.adamw_schedulefree_paper import AdamWScheduleFreePaper

CASES = {
    "SGD": (schedulefree.SGDScheduleFree, {"lr": 0.1, "momentum": 0.9}),
    "SGD, weight decay and warm-up": (
        schedulefree.SGDScheduleFree,
        {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.05, "warmup_steps": 50},
    ),
    "AdamW, package": (schedulefree.AdamWScheduleFree, {"lr": 0.05, "weight_decay": 0.01}),
    "AdamW, package, warm-up": (
        schedulefree.AdamWScheduleFree,
        {"lr": 0.05, "weight_decay": 0.01, "warmup_steps": 50},
    ),
    "AdamW, paper": (AdamWScheduleFreePaper, {"lr": 0.05, "weight_decay": 0.01}),
}


def main() -> None:
    rng = np.random.default_rng(0)
    half = rng.standard_normal((6, 6))
    problem = {
        "matrix": half @ half.T / 6,
        "vector": rng.standard_normal(6),
        "noise": 0.3 * rng.standard_normal((200, 6)),
    }
    cases = {name: run(*case, **problem) for name, case in CASES.items()}
    record = {
        "made_by": "tests/golden/make_schedule_free.py",
        "version": version("schedulefree"),
        "problem": {name: values.tolist() for name, values in problem.items()},
        "cases": cases,
    }
    path = Path(__file__).with_name("schedule_free.json")
    path.write_text(json.dumps(record, separators=(",", ":")) + "\n", encoding="utf-8")


def run(rule, options, matrix, vector, noise):
    """The gradient points y after update 1, 2, 10 and 200, and the average x after all."""
    weights = torch.nn.Parameter(torch.ones(6, dtype=torch.float64))
    optimizer = rule([weights], foreach=False, **options)
    optimizer.train()
    points = {}
    for n, extra in enumerate(noise, start=1):
        weights.grad = torch.as_tensor(matrix @ weights.detach().numpy() - vector + extra)
        optimizer.step()
        if n in (1, 2, 10, 200):
            points[n] = weights.detach().numpy().tolist()
    optimizer.eval()
    return {"options": options, "y": points, "x": weights.detach().numpy().tolist()}


if __name__ == "__main__":
    main()
