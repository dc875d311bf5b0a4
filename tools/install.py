"""Create the virtual environment and install the course; say in plain words what is missing.

Usage: python tools/install.py .venv [arguments for pip ...]

Only the standard library, and no syntax that an old Python cannot read: this file is what tells the
owner of an old Python that it is too old. When nothing has changed since the last time, it
returns at once.
"""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys

OLDEST = (3, 11)
ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
STAMP = "course-installed.txt"

# What pip says -> what it means. The first pattern that is found decides, so the network comes
# before the missing package: without a network, pip ends with "no matching distribution" too.
CAUSES = (
    (
        r"No space left on device|Errno 28|not enough space",
        "The disk is full. The environment needs about 1.6 GB, and several GB more where torch\n"
        "comes with CUDA libraries; README.md says how to get the CPU build instead.",
    ),
    (
        r"CERTIFICATE_VERIFY_FAILED|SSLError|SSLCertVerificationError",
        "The certificate of the package index could not be checked. Behind a company proxy, set\n"
        "PIP_CERT to the file of its certificate; otherwise check the clock of this machine.",
    ),
    (
        r"NewConnectionError|NameResolutionError|Failed to establish a new connection"
        r"|Name or service not known|name resolution|getaddrinfo failed|nodename nor servname"
        r"|ConnectTimeout|Read timed out|ProxyError|Network is unreachable|Connection refused",
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
    """Translate what pip wrote into a sentence on what is missing."""
    for pattern, meaning in CAUSES:
        match = re.search(pattern, stderr)
        if match:
            return meaning.format(*match.groups())
    return "pip failed; its own message is above."


def python_of(venv):
    """Return the path of the interpreter inside a virtual environment."""
    return (
        os.path.join(venv, "Scripts", "python.exe")
        if os.name == "nt"
        else os.path.join(venv, "bin", "python")
    )


def wanted_stamp(venv):
    """Return what the stamp holds when the environment is up to date: its place and contents."""
    digest = hashlib.sha256()
    for name in ("pyproject.toml", "constraints.txt", os.path.join("tools", "install.py")):
        with open(os.path.join(ROOT, name), "rb") as stream:
            digest.update(stream.read())
    return "{0}\n{1}\n".format(os.path.abspath(venv), digest.hexdigest())


def read(path):
    """Return the text of a file, or an empty text where there is none."""
    try:
        with open(path) as stream:
            return stream.read()
    except (IOError, OSError):
        return ""


def newer_pythons():
    """Return the commands on this machine that start a Python which is new enough."""
    found = []
    for minor in range(OLDEST[1], OLDEST[1] + 6):
        name = "python3.{0}".format(minor)
        if (
            shutil.which(name)
            and subprocess.call(
                [name, "-c", ""], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
            == 0
        ):
            found.append(name)
    return found


def check_python():
    """Raise Problem if this interpreter is too old or cannot make virtual environments."""
    if sys.version_info < OLDEST:
        text = "The course needs Python 3.11 or newer; {0} is Python {1}.{2}.".format(
            sys.executable, *sys.version_info[:2]
        )
        found = newer_pythons() if sys.version_info >= (3, 3) else []
        if found:
            text += "\nThis machine has {0}: make lab PYTHON={1}".format(
                ", ".join(found), found[-1]
            )
        else:
            text += "\nInstall one (python.org, your package manager, or conda), then:\n"
            text += "make lab PYTHON=python3.12"
        raise Problem(text)
    try:
        import ensurepip  # noqa: F401
        import venv  # noqa: F401
    except ImportError:
        raise Problem(
            "{0} cannot make virtual environments: its venv module is missing or incomplete.\n"
            "On Debian and Ubuntu: sudo apt install python3-venv".format(sys.executable)
        )


def create(venv):
    """Make a new virtual environment, unless a working one is there already at this place."""
    built_for = read(os.path.join(venv, STAMP)).split("\n")[0]
    moved = built_for and built_for != os.path.abspath(venv)
    if not moved and os.path.exists(python_of(venv)):
        if (
            subprocess.call([python_of(venv), "-m", "pip", "--version"], stdout=subprocess.DEVNULL)
            == 0
        ):
            return
    check_python()
    print(
        "Creating {0} with {1} (Python {2}.{3})".format(venv, sys.executable, *sys.version_info[:2])
    )
    if subprocess.call([sys.executable, "-m", "venv", "--clear", venv]) != 0:
        raise Problem(
            "Python could not create the virtual environment {0}; its message is above.".format(
                venv
            )
        )


def pip_install(venv, arguments):
    """Run pip with the versions of constraints.txt; show its output as it comes."""
    command = [python_of(venv), "-m", "pip", "install", "--disable-pip-version-check"]
    if not sys.stdout.isatty():
        command += ["--quiet", "--progress-bar", "off"]
    command += ["-c", "constraints.txt"] + arguments
    sys.stdout.flush()
    process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL)
    seen = []
    for line in process.stderr:
        text = line.decode("utf-8", "replace")
        sys.stderr.write(text)
        seen.append(text)
    if process.wait() != 0:
        raise Problem(diagnose("".join(seen)))


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
    with open(os.path.join(folder, "overrides.json"), "w") as stream:
        json.dump(settings, stream, indent=2)


def main(venv, arguments):
    """Bring the virtual environment up to date; return the exit status."""
    stamp = os.path.join(venv, STAMP)
    try:
        if read(stamp) == wanted_stamp(venv) and os.path.exists(python_of(venv)):
            return 0
        create(venv)
        print("Installing the course into {0}: one to five minutes, once.".format(venv))
        pip_install(venv, arguments + ["-e", ".[lab,dev]"])
        quiet_jupyterlab(venv)
    except Problem as problem:
        sys.stderr.write("\nThe course could not be installed.\n{0}\n\n".format(problem))
        return 1
    with open(stamp, "w") as stream:
        stream.write(wanted_stamp(venv))
    return 0


if __name__ == "__main__":
    os.chdir(ROOT)
    sys.exit(main(sys.argv[1], sys.argv[2:]))
