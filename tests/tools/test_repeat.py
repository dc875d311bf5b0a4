"""A check that fails only sometimes is found, and a run under load is one."""

from __future__ import annotations

import signal
import sys
import textwrap
import time

import psutil
import pytest
import repeat


@pytest.fixture(autouse=True)
def logs(tmp_path, monkeypatch):
    monkeypatch.setattr(repeat, "LOGS", tmp_path / "logs")
    return tmp_path / "logs"


def python(code):
    return ["--", sys.executable, "-c", textwrap.dedent(code)]


def test_a_run_that_fails_sometimes_is_counted_and_its_words_are_kept(tmp_path, logs, capsys):
    counter = tmp_path / "n"
    code = f"""
        import pathlib, sys
        p = pathlib.Path({str(counter)!r})
        n = int(p.read_text()) + 1 if p.exists() else 1
        p.write_text(str(n))
        print("this was", n)
        sys.exit(n == 3)
    """
    assert repeat.main(["--runs", "4", "--loaded", *python(code)]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[2].strip(",") for line in lines[:4]] == ["passed"] * 2 + [
        "FAILED",
        "passed",
    ]
    assert lines[4].startswith("1 of 4 runs failed [3]")
    assert [p.name for p in logs.iterdir()] == ["run03.txt"]
    assert (logs / "run03.txt").read_text() == "this was 3\n"


def test_under_load_other_jobs_run_and_they_end_with_it(capsys, monkeypatch):
    monkeypatch.setattr(repeat.os, "cpu_count", lambda: 2)
    code = """
        import psutil
        jobs = psutil.Process().parent().children()
        print(sum(job.cmdline()[-1] == "while True: pass" for job in jobs))
    """
    assert repeat.main(["--runs", "2", "--loaded", "2", *python(code)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].endswith("; 0") and lines[1].endswith("all processors busy; 2")
    jobs = psutil.Process().children()
    assert not [job for job in jobs if job.cmdline()[-1:] == ["while True: pass"]]


def test_a_run_that_hangs_is_a_failure(tmp_path):
    status, seconds, _ = repeat.once(
        [sys.executable, "-c", "import time; time.sleep(60)"], tmp_path / "log", limit=0.5
    )
    assert status == 124 and seconds < 30


@pytest.mark.parametrize("how", ["time-out", "stop"])
def test_nothing_that_a_run_started_outlives_it(tmp_path, how):
    code = """
        import subprocess, sys, time
        below = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
        print(below.pid, flush=True)
        time.sleep(60)
    """
    command, log = python(code)[1:], tmp_path / "log"

    def press_stop(*_):
        raise KeyboardInterrupt

    if how == "stop":
        before = signal.signal(signal.SIGALRM, press_stop)
        signal.setitimer(signal.ITIMER_REAL, 3)
        try:
            with pytest.raises(KeyboardInterrupt):
                repeat.once(command, log, limit=50)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)
    else:
        assert repeat.once(command, log, limit=3)[0] == 124
    pid = int(log.read_text())
    deadline = time.monotonic() + 10  # until whoever inherits the dead process takes note
    while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_single_run_needs_no_other_option(capsys):
    assert repeat.main(["--runs", "1", *python("pass")]) == 0
    assert "busy" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--runs", "0"], "--runs must be 1 or greater, got 0"),
        (["--runs", "2", "--loaded", "3"], "from 1 to 2, got [3]"),
    ],
)
def test_bad_options_are_named(options, message, capsys):
    with pytest.raises(SystemExit):
        repeat.main([*options, *python("pass")])
    assert message in capsys.readouterr().err
