"""Grid, random and TPE searches that survive a kill.

A search is an Optuna study in a file or a database. Its n trials are written down before the first
one runs, so any number of processes may work on it: each takes the next trial that nobody has, and
what a dead process leaves behind is run again. Nothing is lost, nothing runs twice for the record.

From a shell, on this machine or another that sees the same storage::

    python -m course_utils.experiments.search worker --study NAME --storage PLACE --task digits
    python -m course_utils.experiments.search show --study NAME --storage PLACE
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import itertools
import math
import os
import re
import socket
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from optuna.exceptions import DuplicatedStudyError, ExperimentalWarning, UpdateFinishedTrialError
from optuna.storages import BaseStorage, InMemoryStorage, JournalStorage, RDBStorage
from optuna.storages._heartbeat import BaseHeartbeat, is_heartbeat_enabled
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock
from optuna.trial import FrozenTrial, TrialState

from course_utils import validate
from course_utils.experiments.sweep import sweep
from course_utils.optimizers import GradientDescent

SAMPLERS = ("grid", "random", "tpe")
DIRECTIONS = ("minimize", "maximize")

_LOCK_GRACE = 10  # seconds; a write takes milliseconds, so an older lock belongs to a dead process
_PATIENCE = 1.0  # seconds without anything to do before missing trials are written down again
_POLL = 0.2  # seconds between two looks at what the other processes do
_RETRIES = 3  # a trial whose process died this often in addition to the first time is given up
_DISCARDED = "discarded: another process has this one"
_LIVE = (TrialState.WAITING, TrialState.RUNNING, TrialState.COMPLETE)


# --- Searches -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Point:
    """One of the n trials of a search.

    Args:
        values: one per axis, in the order of the axes; empty while nobody has chosen them.
        value: what the objective returned; infinite where the training diverged; None until then.
        state: "done", "infeasible", "running", "waiting" or "given up".
        attempts: how often it was started: 2 where a process died and another ran it again.
        worker: who did it last, as host:process.
    """

    values: tuple[float, ...]
    value: float | None
    state: str
    attempts: int
    worker: str


@dataclass(frozen=True)
class Result:
    """The state of a search: n points, sorted by learning rate where it is known.

    Args:
        name: of the study.
        sampler: "grid", "random" or "tpe".
        direction: "minimize" or "maximize".
        axes: name -> (low, high) of each axis; the first is the learning rate.
        points: one per trial, whatever became of it.
    """

    name: str
    sampler: str
    direction: str
    axes: dict[str, tuple[float, float]]
    points: tuple[Point, ...]

    @property
    def complete(self) -> bool:
        """Whether every trial has ended."""
        return all(p.state in ("done", "infeasible", "given up") for p in self.points)

    @property
    def best(self) -> Point:
        """The feasible point with the best value."""
        done = [p for p in self.points if p.state == "done"]
        if not done:
            raise ValueError(f"no trial of study {self.name!r} has a finite value yet")
        return (min if self.direction == "minimize" else max)(done, key=lambda p: p.value)

    @property
    def edges(self) -> dict[str, str | None]:
        """Axis -> "low" or "high" where nothing smaller or larger than the best was tried.

        Such a best is only "at most this" or "at least this": extend the range.
        """
        found: dict[str, str | None] = {}
        for i, axis in enumerate(self.axes):
            tried = [p.values[i] for p in self.points if p.state in ("done", "infeasible")]
            # All that share the best value: along an axis that does not matter, it is no edge.
            equal = [p for p in self.points if p.state == "done" and p.value == self.best.value]
            low = all(p.values[i] == min(tried) for p in equal)
            high = all(p.values[i] == max(tried) for p in equal)
            found[axis] = None if low == high else "low" if low else "high"
        return found

    @property
    def edge(self) -> str | None:
        """The entry of `edges` for the learning rate."""
        return next(iter(self.edges.values()))

    def __str__(self) -> str:
        head = " ".join([f"{axis:>12}" for axis in self.axes] + [f"{'value':>12}  state"])
        return "\n".join([self._summary(), head, *(self._row(p, " ", 12) for p in self.points)])

    def _repr_markdown_(self) -> str:
        head = " | ".join([*self.axes, "value", "state"])
        rule = "|".join(["---:"] * (len(self.axes) + 1) + ["---"])
        rows = "\n".join(f"| {self._row(p, ' | ', 0)} |" for p in self.points)
        return f"{self._summary()}\n\n| {head} |\n|{rule}|\n{rows}\n"

    def _row(self, point: Point, between: str, width: int) -> str:
        values = [f"{v:.4g}" for v in point.values] or ["-"] * len(self.axes)
        value = "-" if point.value is None else f"{point.value:.4g}"
        state = point.state if point.attempts < 2 else f"{point.state} ({point.attempts} attempts)"
        marked = any(p.state == "done" for p in self.points) and point is self.best
        return between.join(
            [text.rjust(width) for text in (*values, value)]
            + [f"{' ' if width else ''}{state}{', best' if marked else ''}"]
        )

    def _summary(self) -> str:
        ended = sum(p.state in ("done", "infeasible") for p in self.points)
        bad = sum(p.state == "infeasible" for p in self.points)
        text = f"{self.name}: {ended} of {len(self.points)} trials ended"
        text += f", {bad} infeasible" if bad else ""
        if ended > bad:
            for axis, edge in self.edges.items():
                text += f"; the best {axis} is on the {edge} edge: extend the range" if edge else ""
        return text


def study(
    name: str,
    storage: str | os.PathLike[str] | None = None,
    *,
    sampler: str = "grid",
    low: float = 1e-4,
    high: float = 10.0,
    n: int = 9,
    more: Mapping[str, tuple[float, float]] | None = None,
    direction: str = "minimize",
    seed: int = 0,
    heartbeat: int = 10,
    grace: int = 30,
) -> optuna.Study:
    """Make a search, or open the one of this name; its n trials are in the storage at once.

    Every axis is logarithmic. A grid has both ends and is run in random order, so that a part of
    it is useful too. Random points depend on the seed only, not on how many processes search. TPE
    begins with a third of its trials (at most 10) at random and models the rest.

    Args:
        name: of the study; one storage can hold many.
        storage: a file (a journal, safe on network drives), a database such as
            "sqlite:///search.db" or "postgresql://...", or ":memory:". None: the file NAME.journal
            in the current folder, which is the folder of the notebook.
        sampler: "grid", "random" or "tpe" (a tree-structured Parzen estimator).
        low, high: the range of learning rates, > 0.
        n: number of trials; a grid over d axes needs a d-th power.
        more: further axes, name -> (low, high).
        direction: "minimize" or "maximize".
        seed: of the draws and of the order.
        heartbeat: seconds between two signs of life of a running trial.
        grace: seconds without one after which its process counts as dead.

    Returns:
        An ordinary `optuna.Study`.

    Source: Akiba et al., Optuna (2019); Bergstra et al., Algorithms for hyper-parameter
    optimization (2011) for TPE.

    Example:
        >>> rates = study("demo", ":memory:", low=0.01, high=1.0, n=3)
        >>> print(search(lambda lr: (lr - 0.1) ** 2, rates))
        demo: 3 of 3 trials ended
                  lr        value  state
                0.01       0.0081  done
                 0.1            0  done, best
                   1         0.81  done
    """
    plan = _plan(name, sampler, low, high, n, more, direction, seed, heartbeat, grace)
    if storage is None:
        storage = f"{name}.journal"
        if os.path.basename(storage) != storage:
            raise ValueError(f"name must not hold a path where it names the file, got {name!r}")
    opened = _open(storage)
    _beat(opened, plan)
    try:
        with _quiet():
            made = optuna.create_study(study_name=name, storage=opened, direction=direction)
    except DuplicatedStudyError:
        made = optuna.load_study(study_name=name, storage=opened)
        if _wait_for_plan(made):
            return _checked(made, plan)
    made.set_user_attr("plan", plan)
    _fill(made)
    return made


def join(name: str, storage: Any) -> optuna.Study:
    """Open a study that somebody made with `study`.

    Args:
        name: of the study.
        storage: as in `study`.

    Example:
        >>> join("nobody-made-this", ":memory:")
        Traceback (most recent call last):
            ...
        ValueError: storage ':memory:' has no study 'nobody-made-this' made by search.study
    """
    validate.instance("name", name, str)
    place = str(storage).removeprefix("sqlite:///").split("?")[0]
    new = isinstance(storage, (str, os.PathLike)) and not os.path.exists(place)
    if not new or "://" in place:  # else opening it would make it
        opened = _open(storage)
        with contextlib.suppress(KeyError):
            found = optuna.load_study(study_name=name, storage=opened)
            if _wait_for_plan(found):
                _beat(opened, found.user_attrs["plan"])
                return found
    shown = re.sub("//[^@/]*@", "//***@", str(storage))  # no password in a message
    raise ValueError(f"storage {shown!r} has no study {name!r} made by search.study")


def search(
    objective: Callable[..., float],
    study: optuna.Study,
    n_trials: int | None = None,
    timeout: float = 3600.0,
) -> Result:
    """Run trials of a study until all have ended; others may do the same at the same time.

    Call it again after a crash or a kill, or start it in several processes: each takes trials that
    nobody has. A trial whose process stopped giving signs of life is run again, at most 3 times.
    If the objective raises, so does this function; calling it again runs that trial again.

    Args:
        objective: called with one float per axis, the learning rate first; returns the value.
            NaN or an infinity says that the training diverged: the trial is kept as infeasible.
        study: from `study` or `join`.
        n_trials: run at most so many trials here; None: until the study is complete.
        timeout: seconds after which no trial is started and nothing is waited for.

    Returns:
        The `Result` so far; `complete` says whether every trial has ended.

    Example:
        >>> rates = study("kinds", ":memory:", low=0.1, high=10, n=3)
        >>> result = search(lambda lr: float("nan") if lr > 5 else -lr, rates)
        >>> [point.state for point in result.points], result.best.values, result.edge
        (['done', 'done', 'infeasible'], (1.0,), None)
    """
    if not callable(objective):
        raise TypeError(f"objective must be a function of the learning rate, got {objective!r}")
    plan = _plan_of(study)
    limit = math.inf if n_trials is None else validate.integer("n_trials", n_trials, minimum=0)
    deadline = time.monotonic() + validate.nonnegative("timeout", timeout)
    idle_since, ran = None, 0
    while ran < limit and time.monotonic() < deadline:
        if _trials(study, TrialState.WAITING):
            ran += _run_one(objective, study, plan)
            idle_since = None
            continue
        # One look at all trials: between two, a trial can turn from running into waiting.
        if result(study).complete:
            break
        _reap(study, plan)
        idle_since = time.monotonic() if idle_since is None else idle_since
        if _missing(study) and time.monotonic() - idle_since > _PATIENCE:
            _fill(study)
        time.sleep(_POLL)
    return result(study)


def result(study: optuna.Study) -> Result:
    """Return where a search stands, without running anything.

    Args:
        study: from `study` or `join`.

    Example:
        >>> result(study("new", ":memory:", n=4)).complete
        False
    """
    plan = _plan_of(study)
    slots: dict[int, list[FrozenTrial]] = {slot: [] for slot in range(plan["n"])}
    for trial in _trials(study):
        slots[trial.user_attrs["slot"]].append(trial)
    points = [_point(trials, plan) for trials in slots.values()]
    points.sort(key=lambda p: p.values or (math.inf,))
    axes = {axis: tuple(ends) for axis, ends in plan["axes"].items()}
    return Result(study.study_name, plan["sampler"], plan["direction"], axes, tuple(points))


class _Discarded(Exception):
    """A trial that must not count: another process has the same one."""


def _run_one(objective: Callable[..., float], study: optuna.Study, plan: dict[str, Any]) -> int:
    """Run the next waiting trial, if no other process is faster; return how many counted."""
    outcome: dict[str, Any] = {"ran": 0, "error": None}

    def run(trial: optuna.Trial) -> float:
        _began(trial)
        if "slot" not in trial.user_attrs or _someone_has(study, trial):
            trial.set_user_attr("error", _DISCARDED)
            raise _Discarded
        values = [trial.suggest_float(a, *ends, log=True) for a, ends in plan["axes"].items()]
        outcome["ran"] = 1
        try:
            value = float(objective(*values))
        except BaseException as error:
            outcome["error"] = error
            with contextlib.suppress(UpdateFinishedTrialError):
                trial.set_user_attr("error", repr(error))
            raise
        if not math.isfinite(value):
            value = math.inf if plan["direction"] == "minimize" else -math.inf
        outcome["number"] = trial.number
        return value

    study.sampler = _sampler(study, plan)
    try:
        with _quiet():
            study.optimize(run, n_trials=1, catch=(_Discarded,))
    except (ValueError, AssertionError, UpdateFinishedTrialError):
        # Taken for dead while it ran (a suspended laptop): its result comes too late. optuna then
        # fails an assertion of its own.
        if outcome["error"] is not None:
            raise outcome["error"] from None
        if not _was_reaped(study, outcome.get("number")):
            raise
    if outcome["error"] is not None:  # TrialPruned, which optuna keeps to itself
        raise outcome["error"]
    return outcome["ran"]


def _began(trial: optuna.Trial) -> None:
    """Sign a trial; from the first line on it is known who has it and that he is alive."""
    storage = trial.study._storage
    if is_heartbeat_enabled(storage):
        storage.record_heartbeat(trial._trial_id)
    trial.set_user_attr("worker", f"{socket.gethostname()}:{os.getpid()}")


def _someone_has(study: optuna.Study, trial: optuna.Trial) -> bool:
    """Whether another trial of the same slot has ended or comes first (two wrote it down)."""
    others = [t for t in _trials(study, *_LIVE) if t.number != trial.number]
    return any(
        t.state == TrialState.COMPLETE or t.number < trial.number
        for t in others
        if t.user_attrs["slot"] == trial.user_attrs["slot"]
    )


def _was_reaped(study: optuna.Study, number: int | None) -> bool:
    return number is not None and study.trials[number].state == TrialState.FAIL


def _reap(study: optuna.Study, plan: dict[str, Any]) -> None:
    """Fail the trials of dead processes, which queues them again (see `_retry`)."""
    with _quiet():
        optuna.storages.fail_stale_trials(study)
    # A database knows no heartbeat of a process that was killed before its first one.
    now = datetime.now()
    for trial in _trials(study, TrialState.RUNNING):
        waited = (now - trial.datetime_start).total_seconds()
        if "worker" not in trial.user_attrs and waited > plan["grace"]:
            with contextlib.suppress(ValueError, UpdateFinishedTrialError):
                study.tell(trial.number, state=TrialState.FAIL)
                _retry(study, trial)


def _retry(study: optuna.Study, trial: FrozenTrial) -> None:
    """Queue a trial again whose process died, with the values it had."""
    slot = trial.user_attrs.get("slot")
    if slot is None or slot not in _missing(study):
        return
    params = trial.params or trial.system_attrs.get("fixed_params", {})
    study.enqueue_trial(params, user_attrs={"slot": slot})


def _fill(study: optuna.Study) -> None:
    """Queue every trial of the plan that is neither waiting, nor running, nor done."""
    plan = _plan_of(study)
    points = _points(plan)
    for slot in _missing(study):
        values = points[slot] if slot < len(points) else ()
        params = dict(zip(plan["axes"], values))
        study.enqueue_trial(params, user_attrs={"slot": slot})


def _missing(study: optuna.Study) -> list[int]:
    """The slots that nobody works on and nobody has done, but for those that were given up."""
    plan = _plan_of(study)
    live = {trial.user_attrs["slot"] for trial in _trials(study, *_LIVE)}
    deaths = [t.user_attrs["slot"] for t in _trials(study, TrialState.FAIL) if _process_died(t)]
    return [s for s in range(plan["n"]) if s not in live and deaths.count(s) <= _RETRIES]


def _process_died(trial: FrozenTrial) -> bool:
    return trial.state == TrialState.FAIL and "error" not in trial.user_attrs


def _trials(study: optuna.Study, *states: TrialState) -> list[FrozenTrial]:
    """The trials that belong to the plan; a trial without a slot was started by a lost race."""
    trials = study.get_trials(deepcopy=False, states=states or None)
    return [t for t in trials if "slot" in t.user_attrs and t.user_attrs.get("error") != _DISCARDED]


def _point(trials: list[FrozenTrial], plan: dict[str, Any]) -> Point:
    """What became of one slot: its finished trial, else the latest."""
    if not trials:  # its maker is still writing the plan down
        return Point((), None, "waiting", 0, "")
    done = [t for t in trials if t.state == TrialState.COMPLETE]
    shown = (done or trials)[-1]
    if done:
        state = "done" if math.isfinite(shown.value) else "infeasible"
    elif shown.state == TrialState.RUNNING:
        state = "running"
    else:
        died = sum(_process_died(t) for t in trials)
        state = "given up" if died > _RETRIES else "waiting"
    params = shown.params or shown.system_attrs.get("fixed_params", {})
    return Point(
        values=tuple(params[axis] for axis in plan["axes"]) if params else (),
        value=shown.value if done else None,
        state=state,
        attempts=sum(t.state != TrialState.WAITING for t in trials),
        worker=shown.user_attrs.get("worker", ""),
    )


# --- Plans ----------------------------------------------------------------------------------------


def _plan(name, sampler, low, high, n, more, direction, seed, heartbeat, grace) -> dict[str, Any]:
    """The checked arguments of `study`, in plain JSON types: any process can rebuild the points."""
    if not isinstance(name, str) or not name:
        raise ValueError(f"name must be a text that is not empty, got {name!r}")
    validate.one_of("sampler", sampler, SAMPLERS)
    validate.one_of("direction", direction, DIRECTIONS)
    axes = {"lr": _ends("low", low, "high", high)}
    more = {} if more is None else validate.instance("more", more, Mapping)
    for axis, ends in more.items():
        if axis in axes or not isinstance(axis, str):
            raise ValueError(f"more must name axes other than 'lr', got {axis!r}")
        if not isinstance(ends, (tuple, list)) or len(ends) != 2:
            raise TypeError(f"more[{axis!r}] must be a pair (low, high), got {ends!r}")
        axes[axis] = _ends(f"more[{axis!r}][0]", ends[0], f"more[{axis!r}][1]", ends[1])
    n = validate.integer("n", n, minimum=2)
    if sampler == "grid" and round(n ** (1 / len(axes))) ** len(axes) != n:
        raise ValueError(f"n must be a power k^{len(axes)} for a grid of {len(axes)} axes, got {n}")
    heartbeat = validate.integer("heartbeat", heartbeat, minimum=1)
    grace = validate.integer("grace", grace, minimum=1)
    if grace <= heartbeat:
        raise ValueError(f"grace must be greater than heartbeat = {heartbeat}, got {grace}")
    return {
        "sampler": sampler,
        "axes": axes,
        "n": n,
        "direction": direction,
        "seed": validate.integer("seed", seed, minimum=0),
        "heartbeat": heartbeat,
        "grace": grace,
    }


def _ends(low_name: str, low: float, high_name: str, high: float) -> list[float]:
    low, high = validate.positive(low_name, low), validate.positive(high_name, high)
    if high <= low:
        raise ValueError(f"{high_name} must be greater than {low_name} = {low!r}, got {high!r}")
    return [low, high]


def _points(plan: dict[str, Any]) -> list[tuple[float, ...]]:
    """The points that are known in advance: all of a grid or random search, the first of TPE."""
    rng = np.random.default_rng(plan["seed"])
    ends, n = list(plan["axes"].values()), plan["n"]
    if plan["sampler"] == "grid":
        per_axis = round(n ** (1 / len(ends)))
        axes = [np.geomspace(low, high, per_axis).clip(low, high) for low, high in ends]
        points = list(itertools.product(*axes))
        points = [points[i] for i in rng.permutation(n)]
    else:
        low, high = np.log(ends).T
        drawn = np.exp(rng.uniform(low, high, (n, len(ends)))).clip(*np.transpose(ends))
        points = list(drawn if plan["sampler"] == "random" else drawn[: _startup(plan)])
    return [tuple(float(value) for value in point) for point in points]


def _startup(plan: dict[str, Any]) -> int:
    """How many random points TPE begins with."""
    return min(10, max(2, plan["n"] // 3))


def _sampler(study: optuna.Study, plan: dict[str, Any]) -> optuna.samplers.BaseSampler:
    """The sampler of the next trial; a function of the study, so that a resumed search is equal."""
    if plan["sampler"] != "tpe":
        return optuna.samplers.RandomSampler(plan["seed"])  # never asked: all points are written
    started = len(study.trials) - len(_trials(study, TrialState.WAITING))
    # Processes that draw at the same moment must not draw the same.
    company = os.getpid() if _trials(study, TrialState.RUNNING) else 0
    seed = np.random.SeedSequence([plan["seed"], started, company]).generate_state(1)
    with _quiet():
        return optuna.samplers.TPESampler(
            n_startup_trials=_startup(plan), seed=int(seed[0]), constant_liar=True
        )


def _wait_for_plan(study: optuna.Study) -> bool:
    """Whether the study has a plan; its maker may be about to write it."""
    deadline = time.monotonic() + 5 * _PATIENCE
    while "plan" not in study.user_attrs and time.monotonic() < deadline:
        time.sleep(_POLL)
    return "plan" in study.user_attrs


def _plan_of(study: optuna.Study) -> dict[str, Any]:
    if not isinstance(study, optuna.Study) or "plan" not in study.user_attrs:
        raise ValueError(f"study must come from search.study or search.join, got {study!r}")
    return study.user_attrs["plan"]


def _checked(study: optuna.Study, plan: dict[str, Any]) -> optuna.Study:
    """The study, if it is the one that was asked for."""
    found = _plan_of(study)
    changed = {key: found[key] for key in plan if found[key] != plan[key]}
    if changed:
        asked = {key: plan[key] for key in changed}
        raise ValueError(
            f"name must be new or ask for the same search: {study.study_name!r} exists with "
            f"{changed}, got {asked}"
        )
    return study


# --- Storage --------------------------------------------------------------------------------------


class _Lock(JournalFileOpenLock):
    """The library's lock file; its holder also cuts off what a killed writer left half written.

    Without that the next line would be glued to the torn one, and the journal unreadable.
    """

    def __init__(self, path: str) -> None:
        super().__init__(path, grace_period=_LOCK_GRACE)
        self._path = path

    def acquire(self) -> bool:
        super().acquire()
        try:
            _cut_torn_line(self._path)
        except BaseException:
            self.release()
            raise
        return True


def _cut_torn_line(path: str) -> None:
    """Truncate a file after its last newline."""
    with open(path, "r+b") as stream:
        if stream.seek(0, os.SEEK_END) == 0:
            return
        stream.seek(-1, os.SEEK_END)
        if stream.read(1) != b"\n":
            stream.seek(0)
            stream.truncate(stream.read().rfind(b"\n") + 1)


class _Journal(JournalStorage, BaseHeartbeat):
    """The library's journal with the library's heartbeat, which it has for databases only."""

    heartbeat_interval: int | None = None
    grace_period: int | None = None

    def record_heartbeat(self, trial_id: int) -> None:
        # Suppressed: somebody took this process for dead, and the trial has ended.
        with contextlib.suppress(UpdateFinishedTrialError):
            self.set_trial_system_attr(trial_id, "heartbeat", time.time())

    def _get_stale_trial_ids(self, study_id: int) -> list[int]:
        running = self.get_all_trials(study_id, deepcopy=False, states=(TrialState.RUNNING,))
        return [t._trial_id for t in running if time.time() - _last_sign(t) > self.grace_period]

    def get_heartbeat_interval(self) -> int | None:
        return self.heartbeat_interval

    def get_heartbeat_stale_trial_callback(self) -> Callable[[optuna.Study, FrozenTrial], None]:
        return _retry

    get_failed_trial_callback = get_heartbeat_stale_trial_callback  # its name before optuna 4.9


def _last_sign(trial: FrozenTrial) -> float:
    # In optuna 4 the start is on the clock of its machine, which may stand in another time zone.
    return trial.system_attrs.get("heartbeat") or trial.datetime_start.timestamp()


def _open(storage: Any) -> BaseStorage:
    """The storage behind a path or URL; a storage that is open already is returned as it is."""
    if isinstance(storage, BaseStorage):
        return storage
    if not isinstance(storage, (str, os.PathLike)):
        raise TypeError(f"storage must be a file, a database URL or ':memory:', got {storage!r}")
    storage = os.fspath(storage)
    if storage == ":memory:":
        return InMemoryStorage()
    if "://" in storage:
        return _open_database(storage)
    path = Path(storage)
    if not path.parent.is_dir() or path.is_dir():
        raise ValueError(f"storage must be a file in an existing folder, got {storage!r}")
    if path.exists() and not _is_journal(path):
        raise ValueError(f"storage must be a new file or a journal, got {storage!r}")
    return _Journal(JournalFileBackend(storage, _Lock(storage)))


def _is_journal(path: Path) -> bool:
    """Whether a file is empty or begins like a journal: nothing else may be cut or added to."""
    with path.open("rb") as stream:
        return b'{"op_code":0'.startswith(stream.read(12))


def _open_database(url: str) -> RDBStorage:
    settings = {"connect_args": {"timeout": 60}} if url.startswith("sqlite") else None
    attempts = 10
    for attempt in range(attempts):
        try:
            with _quiet():
                opened = RDBStorage(url, engine_kwargs=settings, heartbeat_interval=10)
            opened.failed_trial_callback = opened.heartbeat_stale_trial_callback = _retry
            return opened
        except Exception as error:  # two processes make the tables of a new database
            if attempt == attempts - 1 or "already exists" not in str(error):
                raise
            time.sleep(_POLL)
    raise AssertionError("unreachable")


def _beat(storage: BaseStorage, plan: dict[str, Any]) -> None:
    """Give the storage the heartbeat of the plan, which is the same in all processes."""
    if isinstance(storage, (RDBStorage, _Journal)):
        storage.heartbeat_interval, storage.grace_period = plan["heartbeat"], plan["grace"]


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """No line per trial from optuna, and no reminder that the heartbeat is called experimental."""
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            yield
    finally:
        optuna.logging.set_verbosity(before)


# --- From a shell ---------------------------------------------------------------------------------


def digits_loss(lr: float, l2: float = 0.0) -> float:
    """Return the validation loss of a 64-64-10 network on the digits after 3 epochs, 2 seeds.

    Gradient descent with momentum 0.9, batches of 32; NaN where a training diverged.

    Args:
        lr: the learning rate.
        l2: as in `sweep`.

    Example:
        >>> 0.1 < digits_loss(0.1) < 0.5
        True
    """
    trained = sweep(
        [lr], range(2), epochs=3, batch_size=32, l2=l2, optimizer=GradientDescent(momentum=0.9)
    )
    if trained.diverged.any():
        return math.nan
    return float(trained.final("validation_loss").mean())


TASKS: dict[str, Callable[..., float]] = {"digits": digits_loss}


def task(name: str) -> Callable[..., float]:
    """Return the objective that a worker runs: one of `TASKS`, or any "module:function".

    Example:
        >>> task("digits") is digits_loss, task("math:log10")(100)
        (True, 2.0)
    """
    if name in TASKS:
        return TASKS[name]
    module, colon, function = str(name).partition(":")
    try:
        return getattr(importlib.import_module(module), function)
    except (ImportError, AttributeError, ValueError, TypeError) as error:
        known = ", ".join(map(repr, TASKS))
        raise ValueError(
            f"task must be one of {known}, or 'module:function' that can be imported, got {name!r}"
        ) from error


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line (`--help` explains it); return the exit status.

    >>> main(["show", "--study", "none", "--storage", ":memory:"])
    Traceback (most recent call last):
        ...
    SystemExit: 2
    """
    name = "python -m course_utils.experiments.search"
    parser = argparse.ArgumentParser(prog=name, description="Search with several processes.")
    commands = parser.add_subparsers(dest="command", required=True)
    worker = commands.add_parser("worker", help="run trials of a study until all have ended")
    show = commands.add_parser("show", help="print where a study stands")
    for command in (worker, show):
        command.add_argument("--study", required=True, help="its name")
        command.add_argument("--storage", required=True, help="a file or a database URL")
    worker.add_argument("--task", default="digits", help="digits, or module:function")
    worker.add_argument("--trials", type=int, help="run at most so many")
    worker.add_argument("--timeout", type=float, default=3600.0, help="seconds")
    options = parser.parse_args(arguments)
    try:
        opened = join(options.study, options.storage)
        objective = task(options.task) if options.command == "worker" else None
    except ValueError as error:
        parser.error(str(error))
    if objective is None:
        found = result(opened)
    else:
        found = search(objective, opened, options.trials, options.timeout)
    sys.stdout.write(f"{found}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
