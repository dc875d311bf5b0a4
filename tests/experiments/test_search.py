"""Searches that are killed, torn, locked and raced."""

from __future__ import annotations

import itertools
import json
import math
import os
import signal
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path

import numpy as np
import optuna
import pytest
from optuna.trial import TrialState

from course_utils.experiments import search

ROOT = Path(__file__).parents[2]
FIVE = {"low": 0.01, "high": 1.0, "n": 5}


def parabola(lr: float) -> float:
    return math.log10(lr / 0.1) ** 2


# --- Searches in one process ----------------------------------------------------------------------


@pytest.fixture(params=["journal", "sqlite"])
def storage(request, tmp_path):
    path = tmp_path / "search"
    return f"sqlite:///{path}.db" if request.param == "sqlite" else str(path.with_suffix(".log"))


def rates_of(result):
    return [point.values[0] for point in result.points]


def test_grid_has_both_ends_and_every_point_once(storage):
    calls = []
    study = search.study("grid", storage, low=0.01, high=1, n=5)
    found = search.search(lambda lr: calls.append(lr) or parabola(lr), study)
    np.testing.assert_allclose(rates_of(found), np.geomspace(0.01, 1, 5))
    assert sorted(calls) == rates_of(found) and calls != sorted(calls)
    assert found.complete and found.edge is None
    assert found.best.values[0] == pytest.approx(0.1) and found.best.attempts == 1
    assert found.best.worker.endswith(f":{os.getpid()}")
    search.search(
        lambda lr: calls.append(lr), search.join("grid", storage)
    )  # again: nothing is left to do
    assert len(calls) == 5


def test_grid_of_two_axes_is_a_product():
    study = search.study("two", ":memory:", n=9, more={"l2": (1e-4, 1e-2)})
    found = search.search(lambda lr, l2: lr + l2, study)
    axes = [np.geomspace(1e-4, 10, 3), np.geomspace(1e-4, 1e-2, 3)]
    np.testing.assert_allclose(sorted(p.values for p in found.points), [*itertools.product(*axes)])
    assert found.edges == {"lr": "low", "l2": "low"}
    assert "the best l2 is on the low edge: extend the range" in str(found)


def test_axis_that_does_not_matter_has_no_edge():
    study = search.study("idle", ":memory:", n=9, more={"idle": (1e-4, 1e-2)})
    assert search.search(lambda lr, idle: -lr, study).edges == {"lr": "high", "idle": None}


def test_random_points_are_log_uniform_and_repeat():
    draws = [
        rates_of(
            search.result(search.study(f"r{seed}", ":memory:", sampler="random", n=300, seed=seed))
        )
        for seed in (0, 0, 1)
    ]
    assert draws[0] == draws[1] != draws[2]
    position = (np.log10(draws[0]) + 4) / 5  # sorted; uniform on [0, 1] by the claim
    gap = np.abs(position - (np.arange(300) + 0.5) / 300).max()
    assert min(draws[0]) >= 1e-4 and max(draws[0]) <= 10
    assert gap < 1.63 / np.sqrt(300)  # Kolmogorov and Smirnov, 1 %


def test_tpe_goes_where_it_is_good_and_a_resumed_search_is_equal(tmp_path):
    settings = {"sampler": "tpe", "low": 1e-5, "high": 10.0, "n": 20, "seed": 4}
    whole = search.search(parabola, search.study("tpe", tmp_path / "a", **settings))
    search.search(parabola, search.study("tpe", tmp_path / "b", **settings), n_trials=8)
    parts = search.search(parabola, search.study("tpe", tmp_path / "b", **settings))
    assert rates_of(parts) == rates_of(whole)
    near = [0.01 < rate < 1 for rate in rates_of(whole)]
    assert sum(near) >= 10  # of 20; 2 of the 6 decades, so random would have 6 or 7


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("direction", search.DIRECTIONS)
def test_infeasible_trials_are_kept_and_never_win(tmp_path, bad, direction):
    study = search.study("bad", tmp_path / "log", direction=direction, **FIVE)
    found = search.search(lambda lr: bad if lr > 0.5 else 1.0 - abs(math.log10(lr / 0.1)), study)
    assert [p.state for p in found.points] == ["done"] * 4 + ["infeasible"]
    assert math.isinf(found.points[-1].value) and found.complete
    best = 0.1 if direction == "maximize" else 0.01
    assert found.best.values[0] == pytest.approx(best)
    assert found.edge == (None if direction == "maximize" else "low")
    assert "1 infeasible" in str(found)
    assert ("low edge" in str(found)) == (direction == "minimize")


def test_a_best_beside_a_rate_that_diverged_is_not_on_the_edge():
    study = search.study("cliff", ":memory:", direction="maximize", **FIVE)
    assert search.search(lambda lr: math.nan if lr > 0.5 else lr, study).edge is None


def test_result_of_a_search_that_has_not_begun():
    found = search.result(search.study("new", ":memory:", sampler="tpe", n=9))
    assert not found.complete and [p.state for p in found.points] == ["waiting"] * 9
    assert [len(p.values) for p in found.points] == [1] * 3 + [0] * 6  # TPE chooses the others
    with pytest.raises(ValueError, match="no trial of study 'new' has a finite value yet"):
        _ = found.best
    assert "0 of 9" in str(found) and "0 of 9" in found._repr_markdown_()


def test_markdown_table():
    found = search.search(parabola, search.study("table", ":memory:", **FIVE))
    lines = found._repr_markdown_().splitlines()
    assert lines[0] == "table: 5 of 5 trials ended"
    assert lines[2:4] == ["| lr | value | state |", "|---:|---:|---|"]
    assert lines[6] == "| 0.1 | 0 | done, best |" and len(lines) == 9


@pytest.mark.parametrize(
    "error",
    [RuntimeError("no memory"), KeyboardInterrupt(), ValueError("x"), optuna.TrialPruned()],
    ids=repr,
)
def test_error_of_the_objective_is_raised_and_its_trial_run_again(tmp_path, error):
    calls, storage = [], tmp_path / "log"

    def objective(lr):
        calls.append(lr)
        if len(calls) == 2:
            raise error
        return lr

    study = search.study("error", storage, **FIVE)
    with pytest.raises(type(error)):
        search.search(objective, study)
    found = search.search(objective, search.join("error", storage))
    assert found.complete and len(calls) == 6
    assert calls.count(calls[1]) == 2 and sorted(set(calls)) == rates_of(found)


def test_n_trials_and_timeout_end_a_search():
    study = search.study("short", ":memory:", **FIVE)
    assert search.search(parabola, study, timeout=0.0).points[0].state == "waiting"
    found = search.search(parabola, study, n_trials=2)
    assert sum(p.state == "done" for p in found.points) == 2 and not found.complete


def test_search_does_not_wait_for_others_longer_than_the_timeout(tmp_path):
    study = search.study("others", tmp_path / "log", **FIVE)
    theirs = search._trials(study, TrialState.WAITING)[0]  # somebody else runs this one, and lives
    study._storage.set_trial_state_values(theirs._trial_id, TrialState.RUNNING)
    start = time.monotonic()
    found = search.search(parabola, study, timeout=0.5)
    assert time.monotonic() - start < 10
    assert sorted(p.state for p in found.points) == ["done"] * 4 + ["running"]


# --- Accidents ------------------------------------------------------------------------------------


def test_torn_last_line_is_cut_off(tmp_path):
    path = tmp_path / "torn"
    search.search(parabola, search.study("torn", path, **FIVE), n_trials=2)
    whole = path.read_bytes()
    path.write_bytes(whole + whole.splitlines()[-1][:20])  # a writer died in the middle of a line
    found = search.search(parabola, search.study("torn", path, **FIVE))
    assert found.complete and [p.attempts for p in found.points] == [1] * 5
    assert path.read_bytes().startswith(whole)
    assert all(json.loads(line) for line in path.read_text().splitlines())


def test_lock_of_a_dead_process_is_broken(tmp_path, monkeypatch):
    monkeypatch.setattr(search, "_LOCK_GRACE", 3)
    path = tmp_path / "locked"
    search.search(parabola, search.study("locked", path, **FIVE), n_trials=2)
    Path(f"{path}.lock").touch()
    start = time.monotonic()
    assert search.search(parabola, search.join("locked", path)).complete
    assert 2 < time.monotonic() - start < 30


def test_other_files_are_not_touched(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("my notes, without a newline")
    with pytest.raises(ValueError, match="storage must be a new file or a journal"):
        search.study("x", path)
    assert path.read_text() == "my notes, without a newline"


def test_result_that_comes_after_the_trial_was_taken_over_is_dropped(storage):
    """A laptop sleeps during a trial; another process fails it and queues it again."""
    study = search.study("late", storage, **FIVE)
    calls = []

    def objective(lr):
        calls.append(lr)
        if len(calls) == 2:
            running = search._trials(study, TrialState.RUNNING)[0]
            study.tell(running.number, state=TrialState.FAIL)
            search._retry(study, running)
        return parabola(lr) if len(calls) != 2 else -100.0

    found = search.search(objective, study)
    assert found.complete and len(calls) == 6 and found.best.value >= 0
    taken = [p for p in found.points if p.attempts == 2]
    assert [p.values[0] for p in taken] == [calls[1]]


def test_process_that_dies_before_its_first_heartbeat_is_noticed(storage):
    study = search.study("unborn", storage, heartbeat=1, grace=2, **FIVE)
    waiting = search._trials(study, TrialState.WAITING)[0]
    study._storage.set_trial_state_values(waiting._trial_id, TrialState.RUNNING)  # ... and dies
    found = search.search(parabola, search.join("unborn", storage), timeout=60)
    assert [p.state for p in found.points] == ["done"] * 5
    assert sorted(p.attempts for p in found.points) == [1, 1, 1, 1, 2]


def test_the_heartbeat_counts_where_there_is_one():
    """optuna 4 noted the start without a time zone: here that of a machine 8 hours ahead."""
    start = datetime.fromtimestamp(time.time() + 7 * 3600)
    running = optuna.trial.create_trial(state=TrialState.RUNNING)
    running.datetime_start = start
    assert search._last_sign(running) == start.timestamp()
    running.system_attrs["heartbeat"] = 12.5
    assert search._last_sign(running) == 12.5


def test_trial_that_kills_its_process_every_time_is_given_up():
    study = search.study("poison", ":memory:", **FIVE)
    for _ in range(1 + search._RETRIES):
        waiting = [
            t for t in search._trials(study, TrialState.WAITING) if t.user_attrs["slot"] == 0
        ][0]
        study._storage.set_trial_state_values(waiting._trial_id, TrialState.RUNNING)
        study._storage.set_trial_state_values(waiting._trial_id, TrialState.FAIL)
        search._retry(study, waiting)
    found = search.search(parabola, study)
    assert found.complete and sorted(p.state for p in found.points) == ["done"] * 4 + ["given up"]
    assert [p.attempts for p in found.points if p.state == "given up"] == [4]


def test_trials_written_down_twice_run_once(monkeypatch):
    """Two processes saw the same trials missing."""
    study = search.study("twice", ":memory:", **FIVE)
    with monkeypatch.context() as patch:
        patch.setattr(search, "_missing", lambda study: [0, 1, 2, 3, 4])
        search._fill(study)
    calls = []
    found = search.search(lambda lr: calls.append(lr) or lr, study)
    assert sorted(calls) == rates_of(found) and found.complete
    assert [p.attempts for p in found.points] == [1] * 5


def test_process_that_comes_too_late_for_the_last_trial_adds_nothing():
    study = search.study("late", ":memory:", **FIVE)
    before = search.search(parabola, study)
    assert search._run_one(parabola, study, search._plan_of(study)) == 0
    assert search.result(study) == before


def test_maker_that_died_halfway_is_replaced(tmp_path, monkeypatch):
    path = tmp_path / "half"
    with monkeypatch.context() as patch:
        patch.setattr(
            search, "_fill", lambda study: study.enqueue_trial({}, user_attrs={"slot": 3})
        )
        search.study("half", path, sampler="tpe", **FIVE)  # died after its first trial
    assert [p.state for p in search.result(search.join("half", path)).points] == ["waiting"] * 5
    assert search.search(parabola, search.join("half", path)).complete
    optuna.create_study(study_name="empty", storage=search._open(path))  # died before the plan
    monkeypatch.setattr(search, "_PATIENCE", 0.1)
    assert search.search(parabola, search.study("empty", path, **FIVE)).complete


# --- Many processes -------------------------------------------------------------------------------

TASK = """
import os, time
def note(*words):
    with open(os.environ["NOTES"], "a") as stream:
        stream.write(" ".join(map(str, (os.getpid(), *words))) + "\\n")
def objective(lr):
    note("start", repr(lr))
    time.sleep(600 if "HANG" in os.environ else 0.05)
    note("end", repr(lr))
    return abs(lr - 0.1)
"""


def test_three_processes_and_one_is_killed_in_the_middle_of_a_trial(tmp_path):
    storage = str(tmp_path / "search.log")  # the library's databases beat by themselves
    (tmp_path / "slow_task.py").write_text(TASK)
    notes = tmp_path / "notes"
    notes.touch()
    # A live worker must not be taken for dead because other jobs have the processor.
    study = search.study("shared", storage, low=1e-3, high=10, n=12, heartbeat=1, grace=15)
    command = [
        sys.executable, "-m", "course_utils.experiments.search", "worker", "--study", "shared",
        "--storage", storage, "--task", "slow_task:objective", "--timeout", "120",
    ]  # fmt: skip
    environment = os.environ | {
        "NOTES": str(notes), "PYTHONPATH": f"{ROOT}{os.pathsep}{tmp_path}", "OMP_NUM_THREADS": "1",
    }  # fmt: skip

    def start(**more):
        return subprocess.Popen(
            command, env=environment | more, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True,
        )  # fmt: skip

    workers = [start(HANG="1"), start(), start()]
    victim = workers[0]
    try:
        deadline = time.monotonic() + 90
        while str(victim.pid) not in notes.read_text() and time.monotonic() < deadline:
            assert victim.poll() is None, victim.communicate()
            time.sleep(0.05)
        os.kill(victim.pid, signal.SIGKILL)
        outputs = [worker.communicate(timeout=120) for worker in workers]
    finally:
        for worker in workers:
            worker.kill()
            worker.wait(timeout=30)

    lines = [line.split() for line in notes.read_text().splitlines()]
    started = [(int(pid), float(lr)) for pid, what, lr in lines if what == "start"]
    ended = [float(lr) for _, what, lr in lines if what == "end"]
    assert [worker.returncode for worker in workers] == [-signal.SIGKILL, 0, 0], outputs
    found = search.result(study)
    assert found.complete and [p.state for p in found.points] == ["done"] * 12
    assert sorted(ended) == rates_of(found)  # every trial ended exactly once ...
    killed = [lr for pid, lr in started if pid == victim.pid]
    assert len(killed) == 1 and [lr for _, lr in started].count(killed[0]) == 2  # ... also this one
    assert sorted(p.attempts for p in found.points) == [1] * 11 + [2]
    for printed, complained in outputs[1:]:
        assert printed == f"{found}\n" and "12 of 12 trials ended" in printed
        assert complained == ""


def test_a_trial_that_is_queued_again_between_two_looks_is_not_forgotten(monkeypatch):
    study = search.study("race", ":memory:", low=0.1, high=10, n=2)
    search.search(lambda lr: lr, study, n_trials=1)
    lost, real, looks = study.ask(), search._missing, []  # another process has the only trial ...

    def missing(one):
        found = real(one)
        looks.append(found)
        if len(looks) == 1:  # ... and dies while this one looks
            study.tell(lost, state=search.TrialState.FAIL)
            search._retry(study, study.trials[0])
        return found

    monkeypatch.setattr(search, "_missing", missing)
    found = search.search(lambda lr: lr, study, timeout=30)
    assert looks[0] == []
    assert found.complete and sorted(p.attempts for p in found.points) == [1, 2]


# --- Bad input ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"name": ""}, ValueError, "name must be a text that is not empty, got ''"),
        ({"name": 3}, ValueError, "name must be a text .*got 3"),
        ({"storage": 3}, TypeError, "storage must be a file, a database URL or .*got 3"),
        ({"storage": "no/such/folder/x"}, ValueError, "storage must be a file in an existing"),
        ({"sampler": "gird"}, ValueError, "sampler must be one of 'grid'.*got 'gird'"),
        ({"direction": "up"}, ValueError, "direction must be one of 'minimize'.*got 'up'"),
        ({"low": 0}, ValueError, "low must be greater than 0"),
        ({"high": 1e-5}, ValueError, "high must be greater than low = 0.0001, got 1e-05"),
        ({"n": 1}, ValueError, "n must be 2 or greater"),
        ({"n": 8, "more": {"l2": (1, 2)}}, ValueError, r"n must be a power k\^2 .*got 8"),
        ({"more": {"lr": (1, 2)}}, ValueError, "more must name axes other than 'lr'"),
        ({"more": {"l2": 1}}, TypeError, r"more\['l2'\] must be a pair \(low, high\), got 1"),
        ({"more": {"l2": (1, 1)}}, ValueError, r"more\['l2'\]\[1\] must be greater than"),
        ({"seed": -1}, ValueError, "seed must be 0 or greater"),
        ({"heartbeat": 0}, ValueError, "heartbeat must be 1 or greater"),
        ({"grace": 10}, ValueError, "grace must be greater than heartbeat = 10, got 10"),
    ],
)
def test_study_refuses(change, error, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(error, match=message):
        search.study(**({"name": "x", "storage": None} | change))
    assert not list(tmp_path.iterdir())


def test_default_storage_is_a_file_beside_the_notebook(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    search.study("beside", n=2)
    assert [path.name for path in tmp_path.iterdir()] == ["beside.journal"]


@pytest.mark.parametrize("form", ["{}/typo.journal", "sqlite:///{}/typo.db"])
def test_to_join_makes_no_file(tmp_path, form):
    with pytest.raises(ValueError, match="has no study 'x' made by search.study"):
        search.join("x", form.format(tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_a_name_is_no_path_and_no_study_is_opened_without_one(tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    with pytest.raises(ValueError, match="name must not hold a path .*, got '../up'"):
        search.study("../up", n=2)
    search.study("only", "log", n=2)
    with pytest.raises(TypeError, match="name must be a str, got None"):
        search.join(None, "log")
    assert not (tmp_path / "up.journal").exists()


def test_study_of_the_same_name_must_be_the_same(tmp_path):
    storage = tmp_path / "log"
    search.study("same", storage, n=5)
    assert len(search.study("same", storage, n=5).trials) == 5
    with pytest.raises(ValueError, match="'same' exists with {'n': 5}, got {'n': 6}"):
        search.study("same", storage, n=6)


def test_strangers_are_refused(tmp_path, monkeypatch):
    storage = tmp_path / "log"
    monkeypatch.setattr(search, "_PATIENCE", 0.01)
    optuna.create_study(study_name="stranger", storage=search._open(storage))
    for name in ("stranger", "nobody"):
        with pytest.raises(ValueError, match=f"has no study '{name}' made by search.study"):
            search.join(name, storage)
    for function in (lambda x: search.search(parabola, x), search.result):
        for study in (optuna.create_study(), None):
            with pytest.raises(ValueError, match="study must come from search.study"):
                function(study)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"objective": 3}, TypeError, "objective must be a function of the learning rate, got 3"),
        ({"n_trials": -1}, ValueError, "n_trials must be 0 or greater"),
        ({"timeout": -1}, ValueError, "timeout must be 0 or greater"),
    ],
)
def test_search_refuses(change, error, message):
    arguments = {"objective": parabola, "study": search.study("x", ":memory:", n=2)} | change
    with pytest.raises(error, match=message):
        search.search(**arguments)


def test_command_line(tmp_path, capsys):
    path = str(tmp_path / "log")
    search.study("line", path, n=2)
    where = ["--study", "line", "--storage", path]
    assert search.main(["show", *where]) == 0
    assert "0 of 2 trials ended" in capsys.readouterr().out
    assert search.main(["worker", *where, "--task", "math:sqrt", "--trials", "1"]) == 0
    assert "1 of 2 trials ended" in capsys.readouterr().out
    bad = [
        (["worker", *where, "--task", "gone"], "task must be one of 'digits'"),
        (["worker", *where, "--task", "math:gone"], "got 'math:gone'"),
        (["worker", *where, "--task", "no_module_of_this_name:f"], "can be imported"),
        (["show", "--study", "gone", "--storage", path], "has no study 'gone'"),
        (["show", "--study", "line", "--storage", str(tmp_path)], "storage must be a file"),
    ]
    for arguments, message in bad:
        with pytest.raises(SystemExit, match="2"):
            search.main(arguments)
        assert message in capsys.readouterr().err


def test_no_password_in_messages(tmp_path, monkeypatch):
    monkeypatch.setattr(search, "_open", lambda storage: optuna.storages.InMemoryStorage())
    with pytest.raises(ValueError) as caught:
        search.join("x", "postgresql://me:secret@host/db")
    assert "secret" not in str(caught.value) and "//***@host/db" in str(caught.value)
