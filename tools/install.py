"""Create the virtual environment and install the course; say in plain words what is missing.

Usage: python tools/install.py [--any-python] [--extras book] .venv [arguments for pip ...]

The environment is made anew where it belongs to another Python than the one that runs this file;
with --any-python the one that is there will do. Only the standard library, and no syntax that an
old Python cannot read: this file is what tells the owner of an old Python that it is too old. When
nothing has changed since the last time, it returns at once.
"""

import argparse
import errno
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile

OLDEST = (3, 11)
ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
DESK = "lab,dev"  # the extras that everybody gets
ORIGINALS = ".originals.zip"  # in notebooks/, where there is no Git: what `make fresh` takes from

# What pip says -> what it means. The first pattern that is found decides, so the network comes
# before the missing package: without a network, pip ends with "no matching distribution" too.
CAUSES = (
    (
        r"No space left on device|Errno 28|not enough space|Disk quota exceeded",
        "The disk is full (or TMPDIR, where pip unpacks). The environment needs about 1.6 GB, and\n"
        "several GB more where torch comes with CUDA libraries; README.md says how to get the CPU\n"
        "build instead.",
    ),
    (
        r"Permission denied|Read-only file system|Errno 13|Errno 30",
        "Something here may not be written to; the message names it. Put the course into a folder\n"
        "of your own.",
    ),
    (
        r"CERTIFICATE_VERIFY_FAILED|SSLError|SSLCertVerificationError",
        "The certificate of the package index could not be checked. Behind a company proxy, set\n"
        "PIP_CERT to the file of its certificate; otherwise check the clock of this machine.",
    ),
    (
        r"NewConnectionError|NameResolutionError|Failed to establish a new connection"
        r"|Name or service not known|name resolution|getaddrinfo failed|nodename nor servname"
        r"|ConnectTimeout|Read timed out|ProxyError|Network is unreachable|Connection refused"
        r"|requirement setuptools\S* \(from versions: none\)",  # so with PIP_RETRIES=0
        "The package index cannot be reached: there is no network, or a proxy is in the way (then\n"
        "set HTTPS_PROXY). The network is needed once; after that the course runs offline.",
    ),
    (
        r"(No matching distribution found for|satisfies the requirement) torch\b",
        "There is no build of torch for this Python and this platform. Use another Python, such\n"
        "as 3.11 or 3.12 (make lab PYTHON=python3.12), or conda:\n"
        "conda env create -f environment.yml",
    ),
    (
        r"No matching distribution found for (\S+)",
        "The package index has no fitting version of {0} for this Python and this platform.\n"
        "Another Python may help (make lab PYTHON=python3.12).",
    ),
    (
        r"ResolutionImpossible|conflicting dependencies",
        "The versions in pyproject.toml and constraints.txt contradict each other.",
    ),
)


class Problem(Exception):
    """Something that the user can put right; the text says what and how."""


def diagnose(stderr):
    """Translate what a program wrote into a sentence on what is missing."""
    for pattern, meaning in CAUSES:
        match = re.search(pattern, stderr)
        if match:
            return meaning.format(*match.groups())
    return "The message is above."


def run(command, **options):
    """Run a program and show its output as it comes; raise Problem where it fails."""
    sys.stdout.flush()
    process = subprocess.Popen(command, stderr=subprocess.PIPE, **options)
    seen = []
    with process.stderr:
        for line in process.stderr:
            text = line.decode("utf-8", "replace")
            sys.stderr.write(text)
            seen.append(text)
    if process.wait() != 0:
        raise Problem(diagnose("".join(seen)))


def python_of(venv):
    """Return the path of the interpreter inside a virtual environment."""
    parts = ("Scripts", "python.exe") if os.name == "nt" else ("bin", "python")
    return os.path.join(venv, *parts)


def stamp_of(venv, extras):
    """Return the path of the file that says what was installed."""
    return os.path.join(venv, "installed-{0}.txt".format(extras.replace(",", "-")))


def place(venv):
    """Return the path of an environment in bytes, which any locale can write and compare."""
    return getattr(os, "fsencode", str)(os.path.abspath(venv))


def wanted_stamp(venv):
    """Return what a stamp holds when the environment is up to date: its place and contents."""
    digest = hashlib.sha256()
    for name in ("pyproject.toml", "constraints.txt", os.path.join("tools", "install.py")):
        digest.update(read(os.path.join(ROOT, name)))
    return place(venv) + b"\n" + digest.hexdigest().encode("ascii") + b"\n"


def read(path):
    """Return the bytes of a file, none where there is no such file."""
    try:
        with open(path, "rb") as stream:
            return stream.read()
    except (IOError, OSError):
        return b""


def write(path, content):
    """Write bytes into a file."""
    with open(path, "wb") as stream:
        stream.write(content)


def starts(name):
    """Whether there is a command that starts a Python."""
    silent = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    return bool(shutil.which(name)) and subprocess.call([name, "-c", ""], **silent) == 0


def newer_pythons():
    """Return the commands on this machine that start a Python which is new enough."""
    names = ["python3.{0}".format(OLDEST[1] + more) for more in range(6)]
    return [name for name in names if starts(name)]


def check_python():
    """Raise Problem if this interpreter is too old or cannot make virtual environments."""
    if sys.version_info < OLDEST:
        text = "The course needs Python 3.11 or newer; {0} is Python {1}.{2}.".format(
            sys.executable, *sys.version_info[:2]
        )
        found = newer_pythons() if sys.version_info >= (3, 3) else []
        more = "\nThis machine has {0}".format(", ".join(found))
        if not found:
            more = "\nInstall one (python.org, your package manager, or conda), then"
        raise Problem(text + more + ": make lab PYTHON=" + (found or ["python3.12"])[-1])
    try:
        import ensurepip  # noqa: F401
        import venv  # noqa: F401
    except ImportError:
        raise Problem(
            "{0} cannot make virtual environments: its venv module is missing or incomplete.\n"
            "On Debian and Ubuntu: sudo apt install python3-venv".format(sys.executable)
        )


def same_python(venv, any_python):
    """Whether an environment works, with the interpreter that runs this file unless any will do."""
    code = "import json, os, pip; print(json.dumps(os.path.realpath(os.__file__)))"
    try:
        told = subprocess.check_output([python_of(venv), "-c", code], stderr=subprocess.DEVNULL)
    except (OSError, subprocess.CalledProcessError):
        return False
    return any_python or told.decode("ascii").strip() == json.dumps(os.path.realpath(os.__file__))


def create(venv, any_python):
    """Make a new virtual environment, unless a working one is there already at this place."""
    built_for = read(stamp_of(venv, DESK)).split(b"\n")[0]
    moved = built_for and built_for != place(venv)
    if not moved and same_python(venv, any_python):
        return
    check_python()
    text = "Creating {0} with {1} (Python {2}.{3})"
    print(text.format(venv, sys.executable, *sys.version_info[:2]))
    run([sys.executable, "-m", "venv", "--clear", venv])


def pip_install(venv, arguments):
    """Run pip with the versions of constraints.txt; show its output as it comes."""
    command = [python_of(venv), "-m", "pip", "install", "--disable-pip-version-check"]
    if not sys.stdout.isatty():
        command += ["--quiet", "--progress-bar", "off"]
    command += ["-c", "constraints.txt"] + arguments
    run(command, cwd=ROOT, stdin=subprocess.DEVNULL)


def quiet_jupyterlab(venv):
    """Write the settings of this environment's JupyterLab: no news, no look for updates."""
    folder = os.path.join(venv, "share", "jupyter", "lab", "settings")
    os.makedirs(folder, exist_ok=True)
    settings = {
        "@jupyterlab/apputils-extension:notification": {
            "fetchNews": "false",
            "checkForUpdates": False,
            "doNotDisturbMode": True,
        },
        "@jupyterlab/docmanager-extension:plugin": {
            "defaultViewers": {"markdown": "Markdown Preview"}
        },
    }
    write(os.path.join(folder, "overrides.json"), json.dumps(settings, indent=2).encode("ascii"))


def keep_originals(root):
    """Keep the notebooks as they came, once; `make clean` and a later installation leave that be.

    Without Git nothing else could tell an original from what the learner has made of it.
    """
    folder = os.path.join(root, "notebooks")
    kept = os.path.join(folder, ORIGINALS)
    if os.path.exists(os.path.join(root, ".git")) or os.path.exists(kept):
        return
    try:
        with zipfile.ZipFile(
            kept + ".tmp", "w", zipfile.ZIP_DEFLATED, strict_timestamps=False
        ) as stream:
            for name in sorted(os.listdir(folder)):
                if name.endswith(".ipynb"):
                    stream.write(os.path.join(folder, name), name)
        os.replace(kept + ".tmp", kept)
    except (IOError, OSError):
        print("The originals of the notebooks cannot be kept here: `make fresh` will not work.")


def alone():
    """Return an open file that one installation holds at a time; wait while another one has it."""
    stream = open(os.path.abspath(__file__), "rb")
    try:
        import fcntl

        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except ImportError:  # Windows has no such locks
        pass
    except (IOError, OSError) as error:
        if error.errno in (errno.EAGAIN, errno.EACCES):  # else a file system without locks
            print("Another installation is at work in this folder; waiting until it is done.")
            sys.stdout.flush()
            fcntl.flock(stream, fcntl.LOCK_EX)
    return stream


def install(venv, extras, any_python, arguments):
    """Bring the virtual environment up to date; raise Problem where that cannot be done."""
    if sys.version_info < OLDEST:
        check_python()
    stamp = stamp_of(venv, extras)

    def is_up_to_date():
        there = read(stamp) == wanted_stamp(venv) and os.path.exists(python_of(venv))
        return there and (any_python or same_python(venv, False))

    if is_up_to_date():
        return
    with alone():
        if is_up_to_date():  # by now, by the other one
            return
        create(venv, any_python)
        if extras == DESK:
            print("Installing the course into {0}: one to five minutes, once.".format(venv))
            quiet_jupyterlab(venv)
            keep_originals(ROOT)
        else:
            print("Installing what `make {0}` needs: half a minute, once.".format(extras))
        pip_install(venv, arguments + ["-e", ".[{0}]".format(extras)])
        write(stamp, wanted_stamp(venv))


def main(arguments):
    """Read the command line and install; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--any-python", action="store_true")
    parser.add_argument("--extras", default=DESK)
    parser.add_argument("venv")
    parser.add_argument("pip", nargs=argparse.REMAINDER)
    chosen = parser.parse_args(arguments)
    try:
        install(chosen.venv, chosen.extras, chosen.any_python, chosen.pip)
    except Problem as problem:
        text = str(problem)
    except (IOError, OSError) as error:
        text = "{0}\n{1}".format(error, diagnose(str(error)))
    else:
        return 0
    what = "The course" if chosen.extras == DESK else "What `make {0}` needs".format(chosen.extras)
    sys.stderr.write("\n{0} could not be installed.\n{1}\n\n".format(what, text))
    return 1


if __name__ == "__main__":
    os.chdir(ROOT)
    if hasattr(sys.stdout, "reconfigure"):  # a path may have letters that the terminal has not
        sys.stdout.reconfigure(errors="backslashreplace")
    sys.exit(main(sys.argv[1:]))
