"""`make install` obeys, waits and explains; `make lab` and `make repeat` keep what they promise."""

from __future__ import annotations

import ast
import contextlib
import errno
import functools
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import time
import urllib.request
import zipfile
from pathlib import Path

import psutil
import pytest
from jupyter_client import BlockingKernelClient

ROOT = Path(__file__).resolve().parents[2]
needs_make = pytest.mark.skipif(
    os.name != "posix" or shutil.which("make") is None, reason="there is no make here"
)


@pytest.fixture
def installer():
    spec = importlib.util.spec_from_file_location("installer", ROOT / "tools" / "install.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


# --- what is missing is said ----------------------------------------------------------------------

NO_NETWORK = (
    "WARNING: Retrying (Retry(total=0)) after connection broken by 'NewConnectionError(': Failed "
    "to establish a new connection: [Errno -3] Temporary failure in name resolution')'\n"
    "ERROR: Could not find a version that satisfies the requirement setuptools (versions: none)\n"
    "ERROR: No matching distribution found for setuptools"
)
NO_RETRIES = (  # pip 24 with PIP_RETRIES=0 at a closed port
    "ERROR: Could not find a version that satisfies the requirement setuptools>=69 (from versions: "
    "none)\nERROR: No matching distribution found for setuptools>=69"
)


@pytest.mark.parametrize(
    ("stderr", "words"),
    [
        (NO_NETWORK, "cannot be reached"),
        (NO_NETWORK.replace("setuptools", "torch"), "cannot be reached"),
        (NO_RETRIES, "cannot be reached"),
        ("ERROR: No matching distribution found for torch>=2.4", "no build of torch"),
        ("ERROR: No matching distribution found for numpy==2.4.6", "version of numpy==2.4.6 for"),
        ("ERROR: Could not install packages: [Errno 28] No space left on device", "disk is full"),
        ("OSError: [Errno 13] Permission denied: '/srv/.venv'", "may not be written to"),
        ("[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed", "certificate"),
        ("ERROR: ResolutionImpossible: for help visit", "contradict"),
        ("something new", "message is above"),
    ],
)
def test_failures_are_translated(installer, stderr: str, words: str) -> None:
    assert words in installer.diagnose(stderr)


def test_an_old_python_is_refused_politely(installer, venv, commands, monkeypatch, capsys) -> None:
    """Also where a newer one has made an environment: this one was named."""
    monkeypatch.setattr(installer, "OLDEST", (3, 99))
    monkeypatch.setattr(installer, "newer_pythons", lambda: ["python3.99"])
    assert installer.main([str(venv)]) == 1
    assert "make lab PYTHON=python3.99" in capsys.readouterr().err
    assert commands == []


def test_a_missing_venv_module_is_named(installer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ensurepip", None)  # `import ensurepip` then fails
    with pytest.raises(installer.Problem, match="python3-venv"):
        installer.check_python()


def test_the_installer_can_be_read_by_an_old_python() -> None:
    ast.parse((ROOT / "tools" / "install.py").read_text(encoding="utf-8"), feature_version=(3, 7))


# --- when it installs, and with which Python ------------------------------------------------------


@pytest.fixture
def venv(tmp_path: Path, installer, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An environment with this interpreter, up to date; what would install is only noted."""
    venv = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", venv], check=True)
    pip = next(venv.glob("lib/python*/site-packages")) / "pip"
    pip.mkdir()
    (pip / "__init__.py").touch()
    installer.write(installer.stamp_of(str(venv), "lab,dev"), installer.wanted_stamp(str(venv)))
    return venv


@pytest.fixture
def commands(installer, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    noted: list[str] = []
    monkeypatch.setattr(installer, "run", lambda command, **_: noted.append(" ".join(command)))
    return noted


def test_an_up_to_date_environment_is_left_alone(installer, venv: Path, commands) -> None:
    assert installer.main(["--any-python", str(venv)]) == 0
    assert installer.main([str(venv)]) == 0  # the same Python, by name
    assert commands == []


@pytest.mark.parametrize("failed", [False, True])
def test_another_python_that_is_named_gets_a_new_environment(
    installer, venv: Path, commands, monkeypatch: pytest.MonkeyPatch, failed: bool
) -> None:
    """Also after an installation that failed: then there is no stamp."""
    if failed:
        Path(installer.stamp_of(str(venv), "lab,dev")).unlink()
    monkeypatch.setattr(installer.os, "__file__", "/opt/python3.99/os.py")  # who runs it now
    if not failed:
        assert installer.main(["--any-python", str(venv)]) == 0
        assert commands == []
    assert installer.main([str(venv)]) == 0
    assert commands[0].endswith(f"-m venv --clear {venv}")
    assert "-e .[lab,dev]" in commands[1]


def test_an_extra_is_installed_once_with_the_arguments_for_pip(
    installer, venv: Path, commands
) -> None:
    arguments = ["--any-python", "--extras", "book", str(venv), "--index-url", "https://a.org"]
    assert installer.main(arguments) == 0
    assert installer.main(arguments) == 0
    (told,) = commands
    assert told.endswith("-c constraints.txt --index-url https://a.org -e .[book]")


def test_a_course_without_git_keeps_its_originals(
    installer, venv: Path, commands, tmp_path
) -> None:
    course = tmp_path / "course"
    (course / "notebooks").mkdir(parents=True)
    (course / "notebooks" / "03_x.ipynb").write_text("as it came")
    (course / "tools").mkdir()
    shutil.copy(ROOT / "tools" / "install.py", course / "tools")
    for name in ("pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, course)
    installer.ROOT = str(course)
    Path(installer.stamp_of(str(venv), "lab,dev")).unlink()
    assert installer.main(["--any-python", str(venv)]) == 0
    with zipfile.ZipFile(course / "notebooks" / installer.ORIGINALS) as kept:
        assert kept.read("03_x.ipynb") == b"as it came"


def test_new_pins_make_the_environment_out_of_date(installer, tmp_path: Path) -> None:
    before = installer.wanted_stamp(str(tmp_path))
    shutil.copytree(ROOT / "tools", tmp_path / "tools")
    for name in ("pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, tmp_path)
    installer.ROOT = str(tmp_path)
    assert installer.wanted_stamp(str(tmp_path)) == before
    with (tmp_path / "constraints.txt").open("a") as stream:
        stream.write("another==1.0\n")
    assert installer.wanted_stamp(str(tmp_path)) != before


@pytest.mark.parametrize(
    ("number", "words"), [(errno.ENOSPC, "disk is full"), (errno.EROFS, "may not be written to")]
)
def test_a_file_that_cannot_be_written_is_explained(
    installer, venv: Path, commands, monkeypatch, capsys, number: int, words: str
) -> None:
    def full(path: str, content: bytes) -> None:
        raise OSError(number, os.strerror(number), path)

    Path(installer.stamp_of(str(venv), "lab,dev")).unlink()
    monkeypatch.setattr(installer, "write", full)
    assert installer.main(["--any-python", str(venv)]) == 1
    told = capsys.readouterr().err
    assert words in told
    assert "overrides.json" in told


def test_the_last_words_of_a_program_that_fails_are_kept(installer, capsys) -> None:
    code = "import sys; sys.exit('[Errno 28] No space left on device')"
    with pytest.raises(installer.Problem, match="disk is full"):
        installer.run([sys.executable, "-c", code])
    assert "Errno 28" in capsys.readouterr().err


@pytest.mark.skipif(os.name != "posix", reason="no such locks on Windows")
def test_a_second_installation_waits_for_the_first(tmp_path: Path, installer) -> None:
    code = "import sys, install; install.install = print; install.alone(); print('in', flush=True)"
    held = installer.alone()
    second = subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT / "tools", stdout=subprocess.PIPE, text=True
    )
    assert "waiting until it is done" in second.stdout.readline()
    time.sleep(0.3)
    assert second.poll() is None
    held.close()
    assert second.communicate(timeout=30)[0] == "in\n"


@pytest.mark.parametrize("locale", ["C", "C.UTF-8"])
def test_any_letters_in_the_path_whatever_the_locale(tmp_path: Path, locale: str) -> None:
    code = (
        "import install, sys; at = sys.argv[1]; stamp = install.wanted_stamp(at)\n"
        "install.write(at, stamp); print(install.read(at) == stamp, ascii(stamp[-90:-65]))"
    )
    done = subprocess.run(
        [sys.executable, "-X", "utf8=0", "-c", code, str(tmp_path / "课程-ü")],
        cwd=ROOT / "tools",
        env=os.environ | {"LC_ALL": locale, "PYTHONCOERCECLOCALE": "0"},
        capture_output=True,
        text=True,
    )
    end = ascii(f"{tmp_path}/课程-ü\n".encode()[-25:])
    assert (done.stdout, done.returncode) == (f"True {end}\n", 0), done.stderr


# --- the Makefile ---------------------------------------------------------------------------------


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with the Makefile and this environment as .venv; there is nothing to install."""
    folder = tmp_path / "a course"
    (folder / "tools").mkdir(parents=True)
    (folder / "tools" / "install.py").touch()
    (folder / ".venv").mkdir()
    (folder / ".venv" / "bin").symlink_to(Path(sys.executable).parent)
    shutil.copy(ROOT / "Makefile", folder)
    return folder


def clean_environment(home: Path) -> dict[str, str]:
    home.mkdir()
    own = ("JUPYTER", "IPYTHON", "MPL", "XDG", "npm_", "MAKE", "MFLAGS", "PYTEST")
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    own += tuple(re.findall(r"^(\w+) +\?=", makefile, re.MULTILINE))  # `make test VENV=...` sets it
    kept = {name: value for name, value in os.environ.items() if not name.startswith(own)}
    return kept | {"HOME": str(home), "PYTHONPATH": str(ROOT)}


def answer(server: str, token: str, path: str, method: str, body: object) -> dict:
    request = urllib.request.Request(server + path, json.dumps(body).encode(), method=method)
    request.add_header("Authorization", f"token {token}")
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=60) as response:
        text = response.read()
    return json.loads(text or "{}")


@needs_make
def test_make_lab_leaves_the_home_folder_alone(project: Path, tmp_path: Path) -> None:
    """A kernel of this environment draws a figure; afterwards the home folder is as empty."""
    home, log = tmp_path / "home", tmp_path / "log"
    with log.open("w") as out:
        process = subprocess.Popen(
            ["make", "lab", f"PYTHON={sys.executable}"]
            + ["LAB_ARGS=--no-browser --ServerApp.port=0"],
            cwd=project,
            env=clean_environment(home),
            stdout=out,
            stderr=subprocess.STDOUT,
        )
    kept = project / ".venv" / "home"
    try:
        deadline = time.monotonic() + 180
        layout = {"data": {}, "metadata": {"id": "default"}}
        ask = None
        while ask is None:
            assert process.poll() is None, log.read_text(encoding="utf-8")
            assert time.monotonic() < deadline, log.read_text(encoding="utf-8")
            time.sleep(0.2)
            for found in (kept / "jupyter" / "runtime").glob("jpserver-*.json"):
                with contextlib.suppress(ValueError, OSError):  # half written; not yet listening
                    server = json.loads(found.read_text(encoding="utf-8"))
                    send = functools.partial(answer, server["url"], server["token"])
                    send("lab/api/workspaces/default", "PUT", layout)  # as the browser does
                    ask = send
        kernel = ask("api/kernels", "POST", {"name": "python3"})
        client = BlockingKernelClient()
        client.load_connection_file(str(found.parent / f"kernel-{kernel['id']}.json"))
        client.start_channels(hb=False)  # a beat is easily missed on a busy machine
        client.wait_for_ready(timeout=120)
        code = "from matplotlib.figure import Figure; Figure().savefig('x'); import sys; sys.prefix"
        lines: list[str] = []
        client.execute_interactive(
            code,
            timeout=120,
            output_hook=lambda message: lines.append(str(message["content"].get("data"))),
        )
        client.stop_channels()
        assert sys.prefix in "".join(lines)
        ask("api/shutdown", "POST", {})
        assert process.wait(timeout=60) == 0
    finally:
        if process.poll() is None:
            for job in psutil.Process(process.pid).children(recursive=True):
                job.kill()
            process.wait(timeout=10)
    assert "without encryption" not in log.read_text(encoding="utf-8")
    assert list(home.iterdir()) == []
    assert (kept / "matplotlib").is_dir()


# A stand-in for the checks: the third run fails; in each, the jobs beside it are counted.
CHECKS = """#!{python}
import pathlib, psutil, time
count = pathlib.Path("count")
runs = len(count.read_text()) + 1 if count.exists() else 1
count.write_text("x" * runs)
time.sleep(0.3)
shell = psutil.Process().parent().parent()
print("jobs", sum(job.name() == shell.name() for job in shell.children()))
raise SystemExit(runs == 3)
"""


@needs_make
def test_make_repeat_counts_what_fails_sometimes(project: Path, tmp_path: Path) -> None:
    (project / ".venv" / "bin").unlink()
    (project / ".venv" / "bin").mkdir()
    python = project / ".venv" / "bin" / "python"
    python.write_text(CHECKS.format(python=sys.executable), encoding="utf-8")
    python.chmod(0o755)
    done = subprocess.run(
        ["make", "repeat", "RUNS=4", f"PYTHON={sys.executable}"],
        cwd=project,
        env=clean_environment(tmp_path / "home"),
        capture_output=True,
        text=True,
        timeout=100,
    )
    lines = done.stdout.splitlines()
    words = [line.partition(": ")[2].partition(",")[0] for line in lines[:4]]
    assert words == ["passed", "passed under load", "FAILED", "passed"], done.stdout
    busy = [int(line.partition("jobs ")[2] or -1) for line in lines if "passed" in line]
    assert busy == [0, os.cpu_count(), 0]
    assert lines[4].startswith("1 of 4 runs failed")
    assert done.returncode != 0
    kept = list((project / "build" / "repeat").iterdir())
    assert [path.name for path in kept] == ["run3.txt"]
    assert "jobs 0" in kept[0].read_text(encoding="utf-8")
