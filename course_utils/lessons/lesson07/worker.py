"""Work on a search until every point of its plan is done, on as many machines as you like.

    python -m course_utils.lessons.lesson07.worker "sqlite:///search.db?timeout=60" long

It makes neither the study nor the tables: two that made them at the same time would collide.
"""

from __future__ import annotations

import argparse
import signal
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

import optuna
from optuna.storages import RDBStorage, RetryHeartbeatStaleTrialCallback
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy import Engine, event, make_url

from course_utils.experiments.cifar_files import DataError
from course_utils.lessons.lesson07.objectives import RANGES, objective

BEAT, GRACE, RETRIES = 5, 15, 3  # the first two in seconds, as in the lesson
WAITING, RUNNING, DONE = TrialState.WAITING, TrialState.RUNNING, TrialState.COMPLETE
LOG = optuna.logging.get_logger("optuna.worker")  # its lines look like those of Optuna


def work(study: optuna.Study, run: Callable[[optuna.Trial], float]) -> None:
    """Run what waits, and what dead processes left behind, until every trial has ended.

    Args:
        study: its trials were enqueued with a number as the user attribute "point".
        run: the objective.

    Example:
        >>> warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        >>> study = optuna.create_study()
        >>> study.enqueue_trial({"lr": 0.1}, user_attrs={"point": 0})
        >>> work(study, lambda trial: trial.suggest_float("lr", 0.01, 10, log=True))
        >>> [trial.value for trial in study.trials]
        [0.1]
    """

    def once(trial: optuna.Trial) -> float:
        if "point" not in trial.user_attrs:  # another worker took the last one first
            raise optuna.TrialPruned("nothing was left")
        return run(trial)

    def again(study: optuna.Study, trial: FrozenTrial) -> None:
        if trial.state == TrialState.FAIL:
            RetryHeartbeatStaleTrialCallback(max_retry=RETRIES)(study, trial)
            sys.exit("The error above ended this worker; its trial is in the queue again.")

    while study.get_trials(deepcopy=False, states=(WAITING, RUNNING)):
        optuna.storages.fail_stale_trials(study)
        if not study.get_trials(deepcopy=False, states=(WAITING,)):
            time.sleep(1)  # others run the last trials; one of them may die
            continue
        try:
            study.optimize(once, n_trials=1, catch=(Exception,), callbacks=[again])
        except (AssertionError, ValueError):  # how Optuna refuses it
            LOG.warning("A result came too late: its trial counted as dead and was queued again.")


def lock_at_begin(engine: Engine) -> None:
    """Let a transaction of SQLite lock the file when it begins; it has no SELECT FOR UPDATE.

    Else two workers could take the same trial: both read that it waits before one writes.

    Source: the page "SQLite" of SQLAlchemy's manual, on the transactions of its driver.

    Example:
        >>> import sqlalchemy
        >>> lock_at_begin(sqlalchemy.create_engine("sqlite://"))
    """
    engine.dispose()  # connections that are open already
    event.listen(engine, "connect", lambda raw, _: setattr(raw, "isolation_level", None))
    event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line, open what the maker made, and work.

    Example:
        >>> main(["sqlite:///typo.db", "long"])
        Traceback (most recent call last):
        SystemExit: There is no file typo.db: the maker of the study comes first.
    """
    parser = argparse.ArgumentParser(description="Work on a search of lesson 7.")
    parser.add_argument("address", help="sqlite:///FILE?timeout=60 or postgresql+psycopg://...")
    parser.add_argument("study", help="the name that its maker gave it")
    parser.add_argument("--task", choices=RANGES, default="digits", help="what to train")
    given = parser.parse_args(arguments)
    warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
    retry = RetryHeartbeatStaleTrialCallback(max_retry=RETRIES)
    beat = {"heartbeat_interval": BEAT, "grace_period": GRACE}
    try:
        url = make_url(given.address)
        file = url.database if url.get_backend_name() == "sqlite" else None
        if file and not Path(file).is_file():
            sys.exit(f"There is no file {file}: the maker of the study comes first.")
        storage = RDBStorage(
            given.address, skip_table_creation=True, heartbeat_stale_trial_callback=retry, **beat
        )
        if file:
            lock_at_begin(storage.engine)
        study = optuna.load_study(study_name=given.study, storage=storage)
        run = objective(given.task)
    except DataError as error:
        sys.exit(f"A worker fetches nothing. {error}")
    except Exception as error:
        sys.exit(f"Study {given.study!r} could not be opened; has it been made? {error}")
    work(study, run)
    trials = study.get_trials(deepcopy=False)
    points = {trial.user_attrs.get("point") for trial in trials} - {None}
    LOG.info("%d of %d points are done.", sum(t.state == DONE for t in trials), len(points))


if __name__ == "__main__":
    # Ctrl-C ends it at once; its trial is run again, like that of any process that died.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    main()
