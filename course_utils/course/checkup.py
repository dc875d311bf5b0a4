"""Is everything here that the lessons need? A look at the environment, and a slider to try.

What is asked for is read from the metadata of the course (`pyproject.toml`) and, where the course
lies in its own folder, from `constraints.txt`. Nothing is installed, downloaded or written.
"""

from __future__ import annotations

import html
import os
import platform
import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import ipywidgets as widgets
from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import SpecifierSet
from packaging.version import InvalidVersion, Version

from course_utils.course import progress
from course_utils.experiments import datasets

OK, NOTE, PROBLEM = "ok", "note", "problem"
PROJECT = "learning-rate-course"
EXTRA = "lab"  # of pyproject.toml: what is needed to work with the notebooks

_STYLES = {OK: ("✓", "#009E73"), NOTE: ("●", "#888888"), PROBLEM: ("✗", "#D55E00")}
_REPAIR = (
    "Run `make install` in the folder of the course (with conda: `conda env update -f "
    "environment.yml`), then restart the kernel."
)
_BAR = "border-left: 4px solid {}; padding: 0.3em 0.9em; margin: 0.4em 0; max-width: 60em"


@dataclass(frozen=True)
class Check:
    """One thing that was looked at.

    Args:
        name: what was looked at.
        status: `OK`, `NOTE` (the lessons run; good to know) or `PROBLEM`.
        found: what is there.
        remedy: what to do about a problem.
    """

    name: str
    status: str
    found: str
    remedy: str = ""

    @property
    def text(self) -> str:
        """What was found and what to do, in one line."""
        return f"{self.found} {self.remedy}".strip()


@dataclass(frozen=True)
class Checkup:
    """All checks, as a table in Jupyter and as lines elsewhere.

    Args:
        checks: what was looked at, in order.
    """

    checks: tuple[Check, ...]

    @property
    def problems(self) -> tuple[Check, ...]:
        """The checks that found a problem."""
        return tuple(check for check in self.checks if check.status == PROBLEM)

    @property
    def summary(self) -> str:
        """All checks in one sentence."""
        if not self.problems:
            return "Everything that the lessons need is here."
        names = ", ".join(check.name for check in self.problems)
        return f"This needs your attention first: {names}."

    def __repr__(self) -> str:
        lines = [
            f"{_STYLES[check.status][0]} {check.status:7}  {check.name:9}  {check.text}"
            for check in self.checks
        ]
        return "\n".join([self.summary, *lines])

    def _repr_html_(self) -> str:
        heads = "".join(
            f'<th scope="col" style="text-align: left">{head}</th>'
            for head in ("Looked at", "Result", "What was found")
        )
        rows = "".join(_row(check) for check in self.checks)
        color = _STYLES[PROBLEM if self.problems else OK][1]
        return (
            f'<div style="{_BAR.format(color)}"><div><b>{html.escape(self.summary)}</b></div>'
            f"<table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></div>"
        )


def _row(check: Check) -> str:
    symbol, color = _STYLES[check.status]
    left = 'style="text-align: left; vertical-align: top"'
    return (
        f'<tr><th scope="row" {left}>{html.escape(check.name)}</th>'
        f'<td {left}><span aria-hidden="true" style="color: {color}">{symbol}</span>'
        f" {check.status}</td><td {left}>{html.escape(check.text)}</td></tr>"
    )


# --- the checks -----------------------------------------------------------------------------------


def check() -> Checkup:
    """Look at Python, the packages, PyTorch, the data and the folder of your progress.

    Takes a second or two, most of it to load PyTorch.

    Example:
        >>> [check.name for check in check().checks]
        ['Python', 'packages', 'device', 'digits', 'CIFAR-100', 'progress']
    """
    return Checkup((python(), packages(), device(), digits(), cifar100(), own_progress()))


def python(version: str | None = None, wanted: str | None = None) -> Check:
    """Compare the Python of this kernel with what the course asks for.

    Args:
        version: such as "3.11.9"; None means this Python.
        wanted: such as ">=3.11"; None means what the metadata of the course say.

    Example:
        >>> python("3.10.2", ">=3.11").status
        'problem'
    """
    version = version or platform.python_version()
    wanted = wanted or _metadata("Requires-Python")
    if not wanted:  # an empty requirement would be met by every version
        found = f"{version}; what the course asks for is not known, as it is not installed."
        return Check("Python", NOTE, found)
    if SpecifierSet(wanted).contains(version, prereleases=True):
        return Check("Python", OK, f"{version} (the course asks for {wanted})")
    remedy = "Install a newer one, and run `make install PYTHON=...` with its name."
    return Check("Python", PROBLEM, f"{version}; the course asks for {wanted}.", remedy)


def packages(
    wanted: Iterable[str] | None = None,
    pins: Mapping[str, str] | None = None,
    installed: Callable[[str], str | None] | None = None,
) -> Check:
    """Compare the packages that are installed with what the course asks for.

    Args:
        wanted: requirements such as "numpy>=2.0"; None means those of the course.
        pins: name -> the version that the stored outputs were made with; None means
            `constraints.txt`.
        installed: name -> version, None for what is missing; None means this environment.

    Raises:
        ValueError: if one of `wanted` is no requirement.

    Example:
        >>> packages(["numpy>=2.0"], {}, {"numpy": "1.26"}.get).found
        'numpy is 1.26, and the course asks for >=2.0.'
        >>> packages(["numpy>=2.0"], {"numpy": "2.3.1"}, {"numpy": "2.3.1"}.get).found
        'all 1 as asked for: numpy 2.3.1'
    """
    requirements = _requirements() if wanted is None else [_parsed(line) for line in wanted]
    pins = _pins() if pins is None else pins
    have = installed or _installed
    if not requirements:
        return Check(
            "packages", PROBLEM, "The course itself is not installed in this Python.", _REPAIR
        )
    versions = {requirement.name: have(requirement.name) for requirement in requirements}
    wrong = [problem for r in requirements if (problem := _wrong(r, versions[r.name]))]
    if wrong:
        return Check("packages", PROBLEM, "; ".join(wrong) + ".", _REPAIR)
    listed = ", ".join(f"{name} {_public(version)}" for name, version in versions.items())
    found = f"all {len(versions)} as asked for: {listed}"
    other = [n for n, v in versions.items() if n in pins and _public(v) != _public(pins[n])]
    if other:
        found += (
            f". The stored outputs were made with other versions of {', '.join(other)}: "
            "last digits may differ."
        )
    return Check("packages", NOTE if other else OK, found)


def device() -> Check:
    """Load PyTorch, and say what it computes on and with how many threads.

    Example:
        >>> device().found.startswith("CPU, ")
        True
    """
    try:
        import torch
    except Exception as error:  # a library that is missing, or made for another processor
        found = f"PyTorch cannot be loaded ({type(error).__name__}: {error})."
        remedy = "The README says how to get the build for your computer."
        return Check("device", PROBLEM, found, remedy)
    threads = torch.get_num_threads()
    found = f"CPU, {threads} {'thread' if threads == 1 else 'threads'}; {_accelerator(torch)}."
    if threads > 1:
        found += " On small networks one is faster: `make lab` sets OMP_NUM_THREADS=1."
    return Check("device", NOTE if threads > 1 else OK, found)


def digits() -> Check:
    """Look whether the handwritten digits are there, which come with the course.

    Example:
        >>> digits().status
        'ok'
    """
    if Path(datasets.__file__).with_name("digits.npz").is_file():
        return Check("digits", OK, "the data of the lessons are here")
    return Check("digits", PROBLEM, "the file digits.npz of the course is missing.", _REPAIR)


def cifar100(root: str | os.PathLike[str] | None = None) -> Check:
    """Look whether the photographs of lesson 6 are there, and say what they cost if not.

    Args:
        root: a folder, as in `datasets.cifar100`.

    Raises:
        TypeError: if root is no path.

    Example:
        >>> cifar100("no such folder").status
        'ok'
    """
    try:
        from course_utils.experiments import cifar_files

        home = cifar_files.home(root)
    except ImportError:  # pooch knows where the cache of this system is
        found = "not looked for, because the package pooch is missing; lesson 6 does without them."
        return Check("CIFAR-100", NOTE, found, _REPAIR)
    folders = cifar_files.places(home)
    names = [f"{part}.bin" for part in cifar_files.RECORDS]
    try:
        here = any(all((folder / name).is_file() for name in names) for folder in folders)
    except OSError:
        here = False
    if here:
        invented = any((f / cifar_files.SYNTHETIC_FILE).exists() for f in folders)
        what = "stand-in images for" if invented else "the photographs of"
        return Check("CIFAR-100", OK, f"{what} lesson 6 are here")
    found = (
        "not here, and not needed: lesson 6 comes with recorded runs. To train its networks "
        "yourself, `make cifar100` downloads 169 MB once, and computes for hours."
    )
    return Check("CIFAR-100", OK, found)


def own_progress() -> Check:
    """Say where your progress is kept, and whether that folder can be written to.

    Example:
        >>> os.environ["COURSE_PROGRESS"] = "off"
        >>> own_progress().found
        'not kept: COURSE_PROGRESS is off'
    """
    folder = progress.path()
    if folder is None:
        return Check("progress", OK, f"not kept: {progress.VARIABLE} is {progress.OFF}")
    nearest = next((p for p in (folder, *folder.parents) if p.exists()), folder)
    if nearest.is_dir() and os.access(nearest, os.W_OK | os.X_OK):
        return Check("progress", OK, f"kept in the folder {folder}")
    found = f"{folder} cannot be written to; the lessons run, and your progress is not kept."
    return Check("progress", NOTE, found, f"Set {progress.VARIABLE} to another folder.")


# --- what is asked for, and what is there ---------------------------------------------------------


def _metadata(field: str) -> str:
    try:
        return metadata.metadata(PROJECT)[field] or ""
    except metadata.PackageNotFoundError:
        return ""


def _requirements() -> list[Requirement]:
    """What the course needs for the lessons; nothing if the course is not installed."""
    try:
        found = [Requirement(line) for line in metadata.requires(PROJECT) or []]
    except metadata.PackageNotFoundError:
        return []
    return [r for r in found if r.marker is None or r.marker.evaluate({"extra": EXTRA})]


def _parsed(line: str) -> Requirement:
    try:
        return Requirement(line)
    except InvalidRequirement:
        raise ValueError(f"wanted must hold lines like 'numpy>=2.0', got {line!r}") from None


def _installed(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _pins() -> dict[str, str]:
    """Name -> version from `constraints.txt`; nothing where the file is not at hand."""
    file = Path(__file__).resolve().parents[2] / "constraints.txt"
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except OSError:
        return {}
    pairs = (line.partition(";")[0].split("==") for line in lines if not line.startswith("#"))
    return {pair[0].strip(): pair[1].strip() for pair in pairs if len(pair) == 2}


def _public(version: str | None) -> str:
    """A version without its local label: 2.9.0+cpu is 2.9.0."""
    return (version or "").partition("+")[0]


def _wrong(requirement: Requirement, version: str | None) -> str:
    """What is wrong with an installed version, or nothing."""
    if version is None:
        return f"{requirement.name} is missing"
    try:
        fits = requirement.specifier.contains(Version(version), prereleases=True)
    except InvalidVersion:
        fits = False
    wanted = f"{requirement.name} is {version}, and the course asks for {requirement.specifier}"
    return "" if fits else wanted


def _accelerator(torch: Any) -> str:
    """What else PyTorch could compute on; only `make cifar100` makes use of it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a driver that does not fit: then there is no GPU for us
        cuda = torch.cuda.is_available()
    if cuda:
        return f"a GPU is here as well ({torch.cuda.get_device_name(0)}), for `make cifar100`"
    if torch.backends.mps.is_available():
        return "a GPU is here as well (Apple MPS), for `make cifar100`"
    return "no GPU, and none is needed"


# --- a slider to try ------------------------------------------------------------------------------

_WAITING = "○ not moved yet: drag the slider, or click it and press an arrow key."
_ANSWERED = (
    "✓ It works: the slider went to {0}, Python computed {0} × {0} = {1}, and here is the answer."
)


class SliderTest:
    """A slider and a line below it that only Python can write: proof that both ways are open.

    Example:
        >>> test = SliderTest()
        >>> test.slider.value = 7
        >>> test.text
        '✓ It works: the slider went to 7, Python computed 7 × 7 = 49, and here is the answer.'
        >>> test.close()
    """

    def __init__(self) -> None:
        # A tooltip of None becomes the title "null" in the browser.
        self.slider = widgets.IntSlider(
            value=0, min=0, max=12, description="Move me", tooltip="a slider to try"
        )
        self.line = widgets.HTML(tooltip="")
        self.widget = widgets.VBox([self.slider, self.line])
        self.slider.observe(self._moved, "value")
        self._say(_WAITING)

    def close(self) -> None:
        """Remove the widgets."""
        self.slider.unobserve_all()
        for widget in (self.slider, self.line, self.widget):
            widget.close()

    def _moved(self, change: Mapping[str, Any]) -> None:
        self._say(_ANSWERED.format(change["new"], change["new"] ** 2))

    def _say(self, text: str) -> None:
        self.text = text
        self.line.value = f'<span role="status" aria-live="polite">{html.escape(text)}</span>'

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        bundle = self.widget._repr_mimebundle_() or {}
        return {**bundle, "text/plain": "A slider. (To move it, run the notebook.)"}

    def __repr__(self) -> str:
        return f"SliderTest({self.text!r})"
