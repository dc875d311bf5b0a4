"""Workers that are killed, frozen, interrupted and late: every point of the plan is done once."""

from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
import time
import uuid
from pathlib import Path

import numpy as np
import optuna
import pytest
from optuna.storages import RDBStorage, RetryHeartbeatStaleTrialCallback
from optuna.trial import TrialState
from sqlalchemy import event

from course_utils.experiments import cifar_files, datasets
from course_utils.experiments.evaluation import evaluate
from course_utils.experiments.models import SevenLayerCNN
from course_utils.experiments.training import train
from course_utils.lessons.lesson07 import objectives, worker
from course_utils.schedules import polynomial, with_warmup

ROOT = Path(__file__).parents[3]
POSTGRESQL = os.environ.get("COURSE_POSTGRESQL")
ENVIRONMENT = os.environ | {
    "OMP_NUM_THREADS": "1",
    "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
}
COMPLETE, FAIL, PRUNED = TrialState.COMPLETE, TrialState.FAIL, TrialState.PRUNED
pytestmark = pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")


def plan(study: optuna.Study, n: int) -> optuna.Study:
    """Enqueue a grid, as the lesson does."""
    study.set_user_attr("epochs", 1)
    for point, lr in enumerate(np.geomspace(0.001, 30, n)):
        study.enqueue_trial({"lr": lr}, user_attrs={"point": point})
    return study


def open_storage(address: str) -> RDBStorage:
    """Open a storage, as the lesson does."""
    return RDBStorage(
        address,
        heartbeat_interval=1,
        grace_period=4,
        heartbeat_stale_trial_callback=RetryHeartbeatStaleTrialCallback(max_retry=3),
    )


def states(study: optuna.Study) -> list[TrialState]:
    return [trial.state for trial in study.get_trials(deepcopy=False)]


@pytest.fixture
def address(tmp_path: Path, monkeypatch) -> str:
    """Return the address of a search of three points, relative to the folder as in the lesson."""
    monkeypatch.chdir(tmp_path)
    storage = open_storage("sqlite:///search.db?timeout=60")
    plan(optuna.create_study(study_name="digits", storage=storage), 3)
    return storage.url


# --- three processes ------------------------------------------------------------------------------

CHILD = """
import os, sys, time
from course_utils.lessons.lesson07 import worker

def note(*words):
    with open(os.environ["NOTES"], "a") as stream:
        stream.write(" ".join(map(str, (os.getpid(), *words))) + "\\n")

def objective(trial):
    lr = trial.suggest_float("lr", 1e-3, 30, log=True)
    note("start", trial.user_attrs["point"])
    time.sleep(float(os.environ["SECONDS"]))
    return lr if os.environ["SECONDS"] == "0.1" else -100.0  # the best of all, and refused

worker.objective, worker.BEAT, worker.GRACE = lambda task: objective, 1, 4
worker.main()
"""


def start(folder: Path, address: str, name: str, seconds: float) -> subprocess.Popen[str]:
    environment = ENVIRONMENT | {"NOTES": str(folder / "notes"), "SECONDS": str(seconds)}
    return subprocess.Popen(
        [sys.executable, "-c", CHILD, address, name], env=environment, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def first_point(folder: Path, process: subprocess.Popen[str]) -> int:
    """Wait until a process is in its first trial; return the point of it."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        for line in (folder / "notes").read_text().splitlines():
            pid, _, point = line.split()
            if int(pid) == process.pid:
                return int(point)
        time.sleep(0.05)
    raise AssertionError(f"no trial began: {process.communicate(timeout=10)}")


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_three_processes_one_is_killed_and_one_is_frozen(database: str, tmp_path: Path) -> None:
    if database == "postgresql" and not POSTGRESQL:
        pytest.skip("COURSE_POSTGRESQL names no server; .ci/run starts one")
    address = POSTGRESQL if database == "postgresql" else f"sqlite:///{tmp_path}/s.db?timeout=60"
    name = f"test {uuid.uuid4()}"
    storage = open_storage(address)
    study = plan(optuna.create_study(study_name=name, storage=storage), 7)
    (tmp_path / "notes").touch()

    killed = start(tmp_path, address, name, 600)
    frozen = start(tmp_path, address, name, 2)
    workers = [killed, frozen]
    try:
        lost = {first_point(tmp_path, frozen)}
        time.sleep(0.5)  # between two signs of life: a process frozen while it writes locks SQLite
        frozen.send_signal(signal.SIGSTOP)
        lost.add(first_point(tmp_path, killed))
        killed.kill()
        workers.append(start(tmp_path, address, name, 0.1))
        said = workers[2].communicate(timeout=120)[1]
        frozen.send_signal(signal.SIGCONT)  # its trial has long been queued again, and is done
        late = frozen.communicate(timeout=60)[1]
    finally:
        for process in workers:
            process.kill()
            process.communicate(timeout=30)

    assert [process.returncode for process in workers] == [-signal.SIGKILL, 0, 0], (said, late)
    assert "Traceback" not in said + late
    assert "7 of 7 points are done." in said.splitlines()[-1]
    assert "too late" in late and "7 of 7 points are done." in late.splitlines()[-1]
    trials = study.get_trials()
    done = [trial.user_attrs["point"] for trial in trials if trial.state == COMPLETE]
    assert sorted(done) == list(range(7))  # each once, also those of the killed and the frozen
    assert {t.user_attrs["point"] for t in trials if t.state == FAIL} == lost and len(lost) == 2
    assert len(trials) == 9 and study.best_value == pytest.approx(0.001)  # not -100
    optuna.delete_study(study_name=name, storage=storage)
    storage.engine.dispose()


def test_ctrl_c_ends_a_worker_without_a_word(address: str, tmp_path: Path) -> None:
    study = optuna.load_study(study_name="digits", storage=address)
    study.set_user_attr("epochs", 10**6)
    command = [sys.executable, "-m", worker.__name__, address, "digits"]
    process = subprocess.Popen(
        command, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        while process.poll() is None and TrialState.RUNNING not in states(study):
            time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        said = process.communicate(timeout=30)
    finally:
        process.kill()
    assert process.returncode == -signal.SIGINT and said == ("", "")
    assert states(study) == [TrialState.RUNNING, *[TrialState.WAITING] * 2]  # as after any death


@pytest.mark.filterwarnings("ignore:Heartbeat of storage")  # it beats in study.optimize only
def test_two_workers_never_take_the_same_trial_of_an_sqlite_file(address: str) -> None:
    """The second one tries after the first has read that a trial waits, before it writes."""
    first, second = (open_storage(address.replace("60", str(wait))) for wait in (60, 0.2))
    taken: list[int] = []

    def ask(storage: RDBStorage) -> None:
        taken.append(optuna.load_study(study_name="digits", storage=storage).ask().number)

    def between(connection, cursor, statement, parameters, context, executemany) -> None:
        if statement.startswith("UPDATE trials SET state") and not tried:
            tried.append(statement)
            with contextlib.suppress(optuna.exceptions.StorageInternalError):  # it is locked
                ask(second)

    tried: list[str] = []
    for storage in (first, second):
        worker.lock_at_begin(storage.engine)
    event.listen(first.engine, "before_cursor_execute", between)
    ask(first)
    assert taken == [0] and len(tried) == 1


# --- one process ----------------------------------------------------------------------------------


def test_a_worker_that_comes_too_late_for_the_last_trial_adds_nothing(monkeypatch) -> None:
    study = plan(optuna.create_study(), 1)
    optimize = study.optimize

    def slow(*arguments, **options):
        study.tell(study.ask(), 0.5)  # another one is faster
        optimize(*arguments, **options)

    monkeypatch.setattr(study, "optimize", slow)
    worker.work(study, lambda trial: pytest.fail("it has no point"))
    assert states(study) == [COMPLETE, PRUNED]


def test_an_error_ends_the_worker_and_its_trial_is_tried_four_times() -> None:
    study = plan(optuna.create_study(), 2)

    def run(trial: optuna.Trial) -> float:
        if trial.user_attrs["point"] == 0:
            raise RuntimeError("no memory")
        return 0.5

    for _ in range(4):
        with pytest.raises(SystemExit, match="The error above ended this worker"):
            worker.work(study, run)
    worker.work(study, run)
    assert sorted(states(study)) == sorted([FAIL] * 4 + [COMPLETE])


def test_a_sampler_may_choose_the_points() -> None:
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    for point in range(4):
        study.enqueue_trial({}, user_attrs={"point": point})
    worker.work(study, lambda trial: trial.suggest_float("lr", 1e-3, 30, log=True))
    assert len({trial.params["lr"] for trial in study.trials}) == 4
    assert states(study) == [COMPLETE] * 4


# --- the command line -----------------------------------------------------------------------------


def test_the_worker_works_and_a_second_one_finds_nothing_to_do(address: str) -> None:
    worker.main([address, "digits"])
    study = optuna.load_study(study_name="digits", storage=address)
    assert states(study) == [COMPLETE] * 3
    assert study.trials[2].value == np.inf  # it diverged, and that is a result
    worker.main([address, "digits"])
    assert len(study.trials) == 3


def test_the_address_sets_how_long_sqlite_waits_for_the_lock(address: str) -> None:
    with open_storage(address).engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA busy_timeout").scalar() == 60_000


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["sqlite:///typo.db", "digits"], "There is no file typo.db: the maker"),
        (["sqlite:///empty.db", "digits"], "Study 'digits' could not be opened"),
        (["sqlite:///search.db", "nobody"], "Study 'nobody' could not be opened"),
        (["search.db", "digits"], "Could not parse"),
    ],
)
def test_a_worker_makes_nothing(words: list[str], message: str, address: str) -> None:
    Path("empty.db").touch()
    with pytest.raises(SystemExit, match=message):
        worker.main(words)
    assert sorted(path.name for path in Path().iterdir()) == ["empty.db", "search.db"]
    tables = sqlite3.connect("empty.db").execute("select name from sqlite_master").fetchall()
    assert tables == [] and "nobody" not in optuna.get_all_study_names(address)


def test_no_password_in_a_message() -> None:
    with pytest.raises(SystemExit) as caught:
        worker.main(["postgresql+psycopg://me:secret@localhost:1/db", "digits"])
    assert "secret" not in str(caught.value)


def test_without_cifar100_a_worker_says_so_and_fetches_nothing(
    address: str, tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.setenv("COURSE_CIFAR100", str(tmp_path / "nothing"))
    fetch = cifar_files._fetch

    def refuse(root, download):
        return pytest.fail("it fetches") if download else fetch(root, download)

    monkeypatch.setattr(cifar_files, "_fetch", refuse)
    with pytest.raises(SystemExit, match="A worker fetches nothing. CIFAR-100 cannot"):
        worker.main([address, "digits", "--task", "cifar100"])
    assert (
        states(optuna.load_study(study_name="digits", storage=address)) == [TrialState.WAITING] * 3
    )


def test_with_cifar100_a_trial_is_one_training_at_a_quarter_of_the_width(
    tmp_path: Path, monkeypatch
) -> None:
    datasets.synthetic_cifar100(tmp_path, n_train=640, n_test=100)
    data = datasets.cifar100(tmp_path, n_validation=100)  # 540 images: 8 batches an epoch
    monkeypatch.setattr(objectives, "cifar100", lambda n_validation, download: data)
    study = optuna.create_study()
    study.set_user_attr("epochs", 2)
    study.enqueue_trial({"lr": 1e-3})
    study.optimize(objectives.objective("cifar100"), n_trials=1)
    model = SevenLayerCNN(seed=0, width=0.25)
    train(
        model, data, optimizer="adam", steps=16, batch_size=64, seed=0,
        schedule=with_warmup(polynomial(1e-3, 15, end_lr=0.0), 1, start_factor=1.0),
    )  # fmt: skip
    assert study.best_value == pytest.approx(evaluate(model, data.validation)[0], rel=1e-5)


def test_the_loss_of_the_digits_is_infinite_where_a_training_diverged() -> None:
    assert objectives.digits_loss(0.1) < objectives.digits_loss(0.001) < np.log(10) + 0.1
    assert objectives.digits_loss(30.0) == np.inf
    with pytest.raises(ValueError, match="task must be one of 'digits', 'cifar100', got 'digit'"):
        objectives.objective("digit")
