"""Make the browser edition: a static site in which the first lessons run without installation.

Usage: python tools/lite.py VENV [arguments for pip ...]     writes lite/

JupyterLite (the pages) and Pyodide (Python as a program for the browser), in pinned versions, with
everything in the folder: no request leaves it. What Pyodide does not bring, the course among it,
is added to the list of its packages, so that nothing is installed when a lesson is opened.
Environment variables: PYODIDE_WHEELS names a folder with the wheels of the Pyodide distribution;
PYODIDE_ADDRESS is where those are fetched from that are not in it, once. Only the standard library
is needed here: who makes the pages need not have the course installed.
"""

from __future__ import annotations

import copy
import hashlib
import json
import os
import shutil
import sys
import urllib.request
import zipfile
from email import message_from_string
from pathlib import Path

import install
import vendor
from contracts import text as joined
from lesson_map import LIVE
from vendor import Problem

from course_utils import __version__
from course_utils.atomic import replacing

ROOT = Path(__file__).resolve().parents[1]
OUT = ROOT / "lite"
TEMPLATE = ROOT / "tools" / "lite_template"
STORE = ROOT / "build" / "lite"  # what was fetched, and kept
START = "00_start_here.ipynb"

PYODIDE = "pyodide@0.27.7"
CORE = ("pyodide.mjs", "pyodide.asm.js", "pyodide.asm.wasm", "python_stdlib.zip")
LOCK = "pyodide-lock.json"
CORE_SUMS = vendor.sums(TEMPLATE / "pyodide.sha256")
ADDRESS = "https://cdn.jsdelivr.net/pyodide/v0.27.7/full/"

WANTED = ("numpy", "matplotlib", "ipython", "jedi", "micropip")
# What these ask for, and nothing here uses: fonts in PDF files, time zones, figures of pyplot.
UNUSED = {"fonttools", "pytz", "matplotlib-pyodide"}
# Packages that Pyodide does not have -> (what is imported, what they need). The versions of the
# first three are in constraints.txt; two come with JupyterLite, two are ours.
ADDED = {
    "comm": (["comm"], ["traitlets"]),
    "ipywidgets": (["ipywidgets"], ["comm", "ipython", "traitlets"]),
    "tqdm": (["tqdm"], []),
    "ipykernel": (["ipykernel"], []),
    "pyodide-kernel": (["pyodide_kernel"], ["ipykernel", "ipython", "comm", "traitlets", "jedi"]),
    "piplite": (["piplite"], ["micropip"]),
    "learning-rate-course": (["course_utils"], ["numpy", "matplotlib", "ipywidgets", "tqdm"]),
}
FROM_PIP = ("comm", "ipywidgets", "tqdm")
FROM_JUPYTERLITE = ("ipykernel", "pyodide-kernel")
DATA = (".py", ".csv", ".npz", ".mplstyle")  # the files of the package

UNSAID = {"ipykernel": ["BSD 3-Clause (JupyterLite)"], "sqlite3": ["PSF License (Python)"]}

READ_ONLY = (
    "> **To be read here.** This lesson does not run in a browser: its cells need the installed "
    "course. What they printed and drew is below them."
)


# --- Pyodide --------------------------------------------------------------------------------------


def trimmed(packages: dict[str, dict]) -> dict[str, dict]:
    """Return those of Pyodide's packages that are needed, without what nothing here uses.

    >>> trimmed({name: {"depends": []} for name in WANTED}).keys() == set(WANTED)
    True
    """
    packages = {name.lower().replace("_", "-"): package for name, package in packages.items()}
    kept: dict[str, dict] = {}
    waiting = list(WANTED)
    while waiting:
        name = waiting.pop().lower().replace("_", "-")
        if name in kept:
            continue
        if name not in packages:
            raise Problem(f"{PYODIDE} has no package {name}.")
        needs = [need for need in packages[name]["depends"] if need.lower() not in UNUSED]
        kept[name] = packages[name] | {"depends": needs}
        waiting += needs
    return kept


def wheel(package: dict, folder: Path | None, store: Path, address: str) -> Path:
    """Return the file of a package of Pyodide: from the folder, from the store, or fetched once.

    Its sum must be the one in Pyodide's own list, wherever it comes from.
    """
    name, wanted = package["file_name"], package["sha256"]
    path = next((f / name for f in (folder, store) if f and (f / name).is_file()), store / name)
    if not path.exists():
        print(f"Fetching {name}, once.", flush=True)
        try:
            with urllib.request.urlopen(address + name, timeout=60) as answer:
                content = answer.read()
        except (OSError, ValueError) as error:
            raise Problem(
                f"{address + name} cannot be fetched ({getattr(error, 'reason', error)}). Name a "
                "folder that has the wheels in PYODIDE_WHEELS, or another address in "
                "PYODIDE_ADDRESS."
            ) from None
        check(name, content, wanted)
        store.mkdir(parents=True, exist_ok=True)
        with replacing(path) as stream:
            stream.write(content)
    check(str(path), path.read_bytes(), wanted)
    return path


def check(name: str, content: bytes, wanted: str) -> None:
    """Raise a Problem unless the content has the sum that is wanted."""
    if hashlib.sha256(content).hexdigest() != wanted:
        raise Problem(f"{name} is not the file that the list of {PYODIDE} names (its sum differs).")


def listed(path: Path, name: str) -> dict:
    """Return the entry of a wheel in Pyodide's list of packages."""
    imports, needs = ADDED[name]
    return {
        "name": name,
        "version": path.name.split("-")[1],
        "file_name": path.name,
        "install_dir": "site",
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "package_type": "package",
        "imports": imports,
        "depends": needs,
        "unvendored_tests": False,
    }


# --- our own wheels -------------------------------------------------------------------------------


def write_wheel(folder: Path, name: str, files: dict[str, bytes]) -> Path:
    """Write a wheel. The sum of its content is in its name: no browser takes an old one for it."""
    summary = (
        "Metadata-Version: 2.1\nName: {}\nVersion: {}\nLicense: MIT (code), CC BY 4.0 (text)\n"
    )
    about = f"{name.replace('-', '_')}-{__version__}.dist-info"
    files = files | {
        f"{about}/METADATA": summary.format(name, __version__).encode(),
        f"{about}/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{about}/RECORD": "".join(f"{file},,\n" for file in sorted(files)).encode(),
    }
    content = hashlib.sha256(b"".join(k.encode() + v for k, v in sorted(files.items())))
    build = int(content.hexdigest()[:8], 16)
    path = folder / f"{name.replace('-', '_')}-{__version__}-{build}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file, data in sorted(files.items()):
            archive.writestr(zipfile.ZipInfo(file), data, zipfile.ZIP_DEFLATED)
    return path


def course_files(notebooks: Path) -> dict[str, bytes]:
    """Return what the wheel of the course holds: the package, and what the browser adds to it."""
    package = [p for p in sorted((ROOT / "course_utils").rglob("*")) if p.suffix in DATA]
    files = {path.relative_to(ROOT).as_posix(): path.read_bytes() for path in package}
    files["course_browser/__init__.py"] = (TEMPLATE / "course_browser.py").read_bytes()
    startup = "course_browser/ipython/profile_default/startup/start.py"
    files[startup] = b'__import__("course_browser").start()\n'
    stored: dict[str, list[dict]] = {}
    for number in LIVE:
        for path in sorted((notebooks / "results").glob(f"{number}_*.json")):
            files[f"course_browser/results/{path.name}"] = path.read_bytes()
        for path in sorted(notebooks.glob(f"{number}_*.ipynb")):
            stored |= stored_outputs(read(path))
    files["course_browser/stored.json"] = json.dumps(stored).encode()
    return files


# --- notebooks ------------------------------------------------------------------------------------


def read(path: Path) -> dict:
    """Return a notebook in which texts are strings: JupyterLite does not join lists of lines."""
    notebook = json.loads(path.read_text(encoding="utf-8"))
    for cell in notebook["cells"]:
        cell["source"] = joined(cell["source"])
        for output in cell.get("outputs", []):
            if "text" in output:
                output["text"] = joined(output["text"])
            for kind, shown in output.get("data", {}).items():
                if not kind.endswith("json"):
                    output["data"][kind] = joined(shown)
    return notebook


def needs_torch(cell: dict) -> bool:
    """Whether a cell is tagged as one that needs PyTorch."""
    return cell["cell_type"] == "code" and "torch" in cell["metadata"].get("tags", [])


def stored_outputs(notebook: dict) -> dict[str, list[dict]]:
    """Return cell id -> outputs of the cells that need PyTorch."""
    return {cell["id"]: cell["outputs"] for cell in notebook["cells"] if needs_torch(cell)}


def edition(notebook: dict, live: bool) -> dict:
    """Return a notebook as it is in the browser, with a sum of its content as its release.

    The code of a cell that needs PyTorch stays; a line above it has its stored output shown.
    """
    notebook = copy.deepcopy(notebook)
    for cell in notebook["cells"]:
        if live and needs_torch(cell):
            cell["source"] = f"%%recorded {cell['id']}\n{cell['source']}"
    if not live:
        title, _, rest = notebook["cells"][0]["source"].partition("\n")
        notebook["cells"][0]["source"] = f"{title}\n\n{READ_ONLY}\n{rest}"
    spec = {"display_name": "Python (Pyodide)", "language": "python", "name": "python"}
    notebook["metadata"]["kernelspec"] = spec
    content = json.dumps(notebook, sort_keys=True).encode()
    notebook["metadata"]["release"] = hashlib.sha256(content).hexdigest()[:12]
    return notebook


def write_contents(folder: Path, notebooks: Path) -> dict[str, str]:
    """Write the files that learners see; return file -> release of every notebook."""
    releases = {}
    folder.mkdir(parents=True)
    for path in sorted(notebooks.glob("*.ipynb")):
        notebook = edition(read(path), path.name.startswith(LIVE))
        releases[path.name] = notebook["metadata"]["release"]
        (folder / path.name).write_text(json.dumps(notebook), encoding="utf-8")
    if START not in releases:
        raise Problem(f"there is no {START} in {notebooks.name}/")
    if (notebooks / "images").is_dir():
        shutil.copytree(notebooks / "images", folder / "images")
    (folder / "results").mkdir()
    for path in sorted((notebooks / "results").glob("*.json")):
        if path.name.startswith(LIVE):
            shutil.copy(path, folder / "results")
    return releases


# --- licenses -------------------------------------------------------------------------------------


def license_of(path: Path) -> str:
    """Return the name of the license in a wheel, from its metadata."""
    with zipfile.ZipFile(path) as archive:
        name = next(n for n in archive.namelist() if n.endswith(".dist-info/METADATA"))
        about = message_from_string(archive.read(name).decode("utf-8"))
    classifiers = [c for c in about.get_all("Classifier", []) if c.startswith("License ::")]
    kinds = [about["License-Expression"]] if about["License-Expression"] else []
    kinds = kinds or [c.rpartition(":: ")[2] for c in classifiers] or [about["License"]]
    kinds = UNSAID.get(about["Name"], kinds)
    if not kinds[0]:
        raise Problem(f"{path.name} does not say under which license it is.")
    return f"{about['Name']} {about['Version']}: {', '.join(kinds)}"


# --- the site -------------------------------------------------------------------------------------


def environment(venv: Path, pip: list[str]) -> Path:
    """Make the small environment of JupyterLite where it is missing or old; return its folder."""
    told = [TEMPLATE / "requirements.txt", ROOT / "constraints.txt"]
    wanted = "".join(hashlib.sha256(path.read_bytes()).hexdigest() for path in told)
    stamp = venv / "lite.txt"
    if not stamp.is_file() or stamp.read_text(encoding="utf-8") != wanted:
        print(f"Making {venv.name}, the environment of JupyterLite, once.", flush=True)
        command = [install.python_of(str(venv)), "-m", "pip"]
        pinned = ["--quiet", "--disable-pip-version-check", "-c", str(told[1])]
        install.check_python()
        install.run([sys.executable, "-m", "venv", "--clear", str(venv)])
        install.run([*command, "install", *pinned, "-r", str(told[0]), *pip])
        wheels = ["--no-deps", "--only-binary=:all:", "-d", str(venv / "wheels")]
        install.run([*command, "download", *pinned, *wheels, *FROM_PIP, *pip])
        stamp.write_text(wanted, encoding="utf-8")
    return venv


def write_pyodide(folder: Path, venv: Path, notebooks: Path) -> str:
    """Write Python for the browser with all packages; return the name of the list of packages."""
    folder.mkdir()
    core = vendor.fetch(STORE / "npm", (PYODIDE,), CORE_SUMS) / "pyodide"
    for name in CORE:
        shutil.copy(core / name, folder)
    lock = json.loads((core / LOCK).read_text(encoding="utf-8"))
    given = os.environ.get("PYODIDE_WHEELS")
    address = os.environ.get("PYODIDE_ADDRESS") or ADDRESS
    lock["packages"] = trimmed(lock["packages"])
    for package in lock["packages"].values():
        found = wheel(package, given and Path(given), STORE / "wheels", address)
        shutil.copyfile(found, folder / found.name)
    extension = next(venv.glob("share/jupyter/labextensions/@jupyterlite/*/static/pypi"))
    for name in (*FROM_PIP, *FROM_JUPYTERLITE):
        where = venv / "wheels" if name in FROM_PIP else extension
        found = next(where.glob(f"{name.replace('-', '_')}-*.whl"))
        shutil.copy(found, folder)
        lock["packages"][name] = listed(found, name)
    manager = {f"piplite/{name}.py": b"" for name in ("__init__", "piplite")}
    manager["piplite/cli.py"] = (TEMPLATE / "cli.py").read_bytes()
    ours = {"learning-rate-course": course_files(notebooks), "piplite": manager}
    for name, files in ours.items():
        lock["packages"][name] = listed(write_wheel(folder, name, files), name)
    text = json.dumps(lock).encode()
    named = f"lock-{hashlib.sha256(text).hexdigest()[:12]}.json"
    (folder / named).write_bytes(text)
    return named


def replace(page: Path, changes: dict[str, str]) -> None:
    """Replace each text, which must be there once, by another in a page of JupyterLite."""
    text = page.read_text(encoding="utf-8")
    for old, new in changes.items():
        if text.count(old) != 1:
            raise Problem(f"{page.name} of JupyterLite is not as expected: {old!r}")
        text = text.replace(old, new)
    page.write_text(text, encoding="utf-8")


def write_page(site: Path, releases: dict[str, str]) -> None:
    """Have lab/index.html run start.js before JupyterLite, and open the start page by itself."""
    size = sum(path.stat().st_size for path in (site / "pyodide").iterdir()) / 1e6
    script = (TEMPLATE / "start.js").read_text(encoding="utf-8").replace("SIZE", f"{size:.0f}")
    (site / "releases.json").write_text(json.dumps(releases), encoding="utf-8")
    changes = {
        "<script>": f"<script>\n{script}</script>\n    <script>",
        "await import(": "await setCopiesAside().catch(console.error);\n        await import(",
        "<title>JupyterLite</title>": '<title>The learning rate</title>\n    <link rel="icon" '
        'href="favicon.ico">',
        "Loading JupyterLite...": "Loading the lessons ...",
    }
    replace(site / "lab" / "index.html", changes)
    # What JupyterLab asks for where a text looks like a path, and where there is a new folder.
    shutil.copytree(TEMPLATE / "api", site / "api", dirs_exist_ok=True)
    go = f"location.replace('lab/index.html?path={START}')"
    replace(site / "index.html", {"await import('./config-utils.js')": go})


def make(out: Path, notebooks: Path, venv: Path) -> None:
    """Write the site into a folder, in place of what is there."""
    with vendor.in_place_of(out) as scratch:
        (scratch / "in").mkdir()
        releases = write_contents(scratch / "in" / "files", notebooks)
        lock = write_pyodide(scratch / "pyodide", venv, notebooks)
        settings = (TEMPLATE / "jupyter-lite.json").read_text(encoding="utf-8")
        live = ", ".join(str(int(number)) for number in LIVE if int(number))
        settings = settings.replace("LOCK", f"./pyodide/{lock}").replace("LIVE", live)
        (scratch / "in" / "jupyter-lite.json").write_text(settings, encoding="utf-8")
        shutil.copy(TEMPLATE / "overrides.json", scratch / "in")
        build(venv, scratch)
        (scratch / "pyodide").rename(scratch / "site" / "pyodide")
        write_page(scratch / "site", releases | {"": lock})
        licenses = sorted(license_of(path) for path in (scratch / "site").glob("pyodide/*.whl"))
        text = (TEMPLATE / "LICENSES.txt").read_text(encoding="utf-8")
        (scratch / "site" / "LICENSES.txt").write_text(text + "\n".join(licenses) + "\n", "utf-8")


def build(venv: Path, scratch: Path) -> None:
    """Have JupyterLite write its pages."""
    program = os.path.abspath(install.python_of(str(venv)))
    command = [program, "-m", "jupyter", "lite", "build", "--lite-dir", "in", "--contents", "files"]
    command += ["--output-dir", "site", "--no-sourcemaps", "--apps", "lab"]
    apart = {"JUPYTER_PREFER_ENV_PATH": "1", "JUPYTER_CONFIG_DIR": "config"}
    vendor.run("JupyterLite", command, 300, cwd=scratch, env=os.environ | apart)


def main(arguments: list[str]) -> int:
    """Write the site; return 0 when all went well."""
    venv, *pip = arguments
    make(OUT, ROOT / "notebooks", environment(Path(venv), pip))
    size = sum(path.stat().st_size for path in OUT.rglob("*") if path.is_file()) / 1e6
    print(f"{OUT.name}/: {size:.0f} MB; python -m http.server -d {OUT.name} shows it")
    return 0


if __name__ == "__main__":
    sys.exit(vendor.plainly("lite", lambda: main(sys.argv[1:])))
