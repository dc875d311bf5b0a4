"""Work on a search until every point of its plan is done, on as many machines as you like.

    python -m course_utils.lessons.lesson07.worker "sqlite:///search.db?timeout=60" digits

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

WAITING, RUNNING, DONE = TrialState.WAITING, TrialState.RUNNING, TrialState.COMPLETE
LOG = optuna.logging.get_logger("optuna.worker")  # its lines look like those of Optuna
BEAT, GRACE = (
    5,
    15,
)  # seconds between signs of life; without one for so long, a trial counts as dead
RETRIES = 3  # a trial that fails more often than this is given up


def work(study: optuna.Study, run: Callable[[optuna.Trial], float]) -> None:
    """Run what waits, and what dead processes left behind, until every trial has ended.

    Args:
        study: its trials were enqueued with a number as the user attribute "point".
        run: the objective.

    Example:
        >>> warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        >>> study = optuna.create_study()
        >>> for point, lr in enumerate([0.1, 1.0]):
        ...     study.enqueue_trial({"lr": lr}, user_attrs={"point": point})
        >>> work(study, lambda trial: trial.suggest_float("lr", 0.01, 10, log=True))
        >>> [trial.value for trial in study.trials]
        [0.1, 1.0]
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
    """Let every transaction of SQLite lock the file when it begins.

    SQLite knows no SELECT FOR UPDATE, with which Optuna takes a trial: two workers could read that
    it waits before one of them has written that it runs.

    Source: SQLAlchemy 2.1, "Enabling non-legacy SQLite transactional modes" of its SQLite dialect.

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
        >>> main(["sqlite:///typo.db", "digits"])
        Traceback (most recent call last):
        SystemExit: There is no file typo.db: the maker of the study comes first.
    """
    warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
    parser = argparse.ArgumentParser(description="Work on a search of lesson 7.")
    parser.add_argument("address", help="sqlite:///FILE?timeout=60 or postgresql+psycopg://...")
    parser.add_argument("study", help="the name that its maker gave it")
    parser.add_argument("--task", choices=RANGES, default="digits", help="what to train")
    given = parser.parse_args(arguments)
    try:
        url = make_url(given.address)
        if url.get_backend_name() == "sqlite" and not Path(url.database).is_file():
            sys.exit(f"There is no file {url.database}: the maker of the study comes first.")
        storage = RDBStorage(
            given.address,
            heartbeat_interval=BEAT,
            grace_period=GRACE,
            heartbeat_stale_trial_callback=RetryHeartbeatStaleTrialCallback(max_retry=RETRIES),
            skip_table_creation=True,
        )
        if url.get_backend_name() == "sqlite":
            lock_at_begin(storage.engine)
        study = optuna.load_study(study_name=given.study, storage=storage)
        run = objective(given.task)
    except DataError as error:
        sys.exit(f"A worker fetches nothing. {error}")
    except Exception as error:
        sys.exit(f"Study {given.study!r} could not be opened; has it been made? {error}")
    work(study, run)
    done = len(study.get_trials(deepcopy=False, states=(DONE,)))
    points = {t.user_attrs.get("point") for t in study.get_trials(deepcopy=False)} - {None}
    LOG.info("%d of %d points are done.", done, len(points))


if __name__ == "__main__":
    # Ctrl-C ends it at once; its trial is run again, like that of any process that died.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    main()
