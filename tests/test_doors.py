"""The doors behind the root: paths, lists, flags and schedules are refused by the argument's name.

As in test_bad_input.py, one argument after the other is spoiled.
"""

import warnings

import pytest
from test_bad_input import spoiled

from course_utils.experiments import audit, cifar100, cifar_files, cifar_runs, files, table
from course_utils.experiments.datasets import Data, Split, digits
from course_utils.experiments.models import mlp
from course_utils.experiments.sweep import sweep
from course_utils.experiments.training import train
from course_utils.lessons.appendix import verdicts
from course_utils.run import Run
from course_utils.views import controls, curves, paths, rates, subplots

DATA = digits().subset(60)
RUN = Run(lr=[0.1], loss=[1.0], grad_norm=[1.0], final_loss=0.5)
TABLE = table.Table([0.1, 1.0], [0, 1], {"loss": [[1.0, 1.0], [2.0, 2.0]]})
AX = subplots()[1]
TINY = {"data": DATA, "steps": 1, "batch_size": 20}

# A callable, good arguments, and which of them are spoiled (None: every one).
DOORS = [
    (table.save, {"path": "a.json", "tables": {"a": TABLE}, "command": "c"}, ["path"]),
    (table.load, {"path": "t.json"}, None),
    (files.save_runs, {"path": "b.json", "runs": {"a": RUN}, "command": "c"}, ["path"]),
    (files.load_runs, {"path": "r.json"}, None),
    (table.higher_is_better, {"metric": "loss"}, None),
    (TABLE.select, {"lrs": [0.1], "seeds": [0]}, None),
    (audit.draw, {"source": "x", "labels": [0, 1]}, ["labels"]),
    (cifar100.recorded, {"results": "."}, None),
    (cifar100.fingerprint, {"data": DATA}, None),
    (cifar_files.write_synthetic, {"folder": "s", "n_train": 1, "n_test": 1}, ["folder"]),
    (cifar_files.read, {"folder": "s"}, None),
    (cifar_runs.select, {"results": []}, ["results"]),
    (verdicts.sections, {"folder": "."}, None),
    (Split, {"x": [[0.0]], "y": [0], "mean": (0.0,), "std": (1.0,)}, None),
    (Data, {"train": DATA.train, "validation": None, "test": DATA.test, "name": "x",
            "classes": 10, "class_names": ()}, ["class_names", "train", "test"]),
    (train, {"model": mlp((64, 10), seed=0), "schedule": 0.1, **TINY}, ["schedule", "model"]),
    (sweep, {"lrs": [0.1], "seeds": [0], "hidden": (2,), "progress": False, **TINY},
     ["lrs", "seeds", "hidden", "progress"]),
    (controls.choice_slider, {"options": [1.0], "value": 1.0, "description": ""}, ["options"]),
    (curves.loss_curve, {"ax": AX, "runs": RUN, "log": True}, None),
    (curves.rate_strip, {"ax": AX, "runs": RUN, "log": None}, ["runs", "log"]),
    (rates.sensitivity_curve, {"ax": AX, "sweep": TABLE, "metric": "loss", "log": False}, ["log"]),
    (paths.moving_path, {"ax": AX}, None),
]  # fmt: skip


@pytest.mark.parametrize("door", DOORS, ids=lambda door: door[0].__qualname__)
def test_every_spoiled_argument_works_or_is_named(door, tmp_path, monkeypatch):
    function, good, arguments = door
    monkeypatch.chdir(tmp_path)
    table.save("t.json", {"a": TABLE}, command="c")
    files.save_runs("r.json", {"a": RUN}, command="c")
    cifar_files.write_synthetic("s", 1, 1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        function(**good)
        unclear = [
            f"{a}={b!r}: {type(e).__name__}: {e}"
            for a, b, e in spoiled(function, good)
            if (arguments is None or a in arguments)
            and not isinstance(e, (OSError, cifar_files.DataError))  # a path that leads nowhere
        ]
    assert unclear == []
