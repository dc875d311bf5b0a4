"""Is everything here that the lessons need? A look at the environment, and a slider to try.

What is asked for is read from the metadata of the course (`pyproject.toml`). Nothing is installed
or downloaded. In the browser edition (`make lite`) the table says what runs there.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib import metadata
from typing import Any, NamedTuple

import ipywidgets as widgets
from packaging.requirements import Requirement

from course_utils.course import progress

OK, NOTE, PROBLEM = "✓ ok", "● note", "✗ problem"
PROJECT = "learning-rate-course"
EXTRA = "lab"  # of pyproject.toml: what is needed to work with the notebooks

_REPAIR = (
    "Run `make install` in the folder of the course (with conda: `conda env update -f "
    "environment.yml`), then restart the kernel."
)


class Check(NamedTuple):
    """One thing that was looked at: its name, `OK`, `NOTE` or `PROBLEM`, and what was found."""

    name: str
    status: str
    found: str


@dataclass(frozen=True)
class Checkup:
    """All checks in one line, below it what needs attention, and a slider to try.

    As the output of a cell it is live. What is stored of it is true on any computer: only a
    sentence that says how to see it.
    """

    checks: tuple[Check, ...]

    @property
    def summary(self) -> str:
        """All checks in one sentence."""
        problems = ", ".join(check.name for check in self.checks if check.status == PROBLEM)
        if problems:
            return f"✗ This needs your attention first: {problems}."
        return "✓ Everything that the lessons need is here."

    def __repr__(self) -> str:
        lines = (f"{status:9}  {name:9}  {found}" for name, status, found in self.checks)
        return "\n".join([self.summary, *lines])

    def html(self) -> str:
        """The sentence, and a table of the checks that are not ok, if any."""
        from course_utils.views import tables  # here: without Matplotlib the lines are shown

        summary = f"<b>{tables.inline(self.summary)}</b>"
        wrong = [check for check in self.checks if check.status != OK]
        if not wrong:
            return summary
        return f"{summary}{tables.html(('Looked at', 'Result', 'What was found'), wrong)}"

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, str]:
        box = widgets.VBox([progress.live(self.html()), *slider_test()])
        stored = "A look at your computer, and a slider. (To see them, run the cell.)"
        return box._repr_mimebundle_(**kwargs) | {"text/plain": stored}


def check() -> Checkup:
    """Look at the versions, PyTorch, the data of lesson 6 and the folder of your progress.

    Example:
        >>> [check.name for check in check().checks]
        ['versions', 'PyTorch', 'CIFAR-100', 'progress']
    """
    if live := os.environ.get(progress.BROWSER):
        return Checkup((browser(live), browser_progress()))
    return Checkup((versions(), pytorch(), cifar100(), own_progress()))


def _version(name: str) -> str:
    return platform.python_version() if name == "Python" else metadata.version(name)


def versions(
    wanted: Iterable[str] | None = None, version: Callable[[str], str] = _version
) -> Check:
    """Compare the Python and the packages that are installed with what the course asks for.

    Args:
        wanted: requirements such as "numpy>=2.0"; None means those of the course.
        version: name -> version; raises `PackageNotFoundError` for what is missing.

    Example:
        >>> versions(["numpy>=2.0"], lambda name: "1.26").found.partition(" Run")[0]
        'numpy is 1.26, and the course asks for >=2.0.'
    """
    try:
        if wanted is None:
            about = metadata.metadata(PROJECT)
            wanted = ["Python" + about["Requires-Python"], *about.get_all("Requires-Dist", ())]
    except metadata.PackageNotFoundError:
        found = "The course itself is not installed in this Python."
        return Check("versions", PROBLEM, f"{found} {_REPAIR}")
    here, wrong = [], []
    for asked in map(Requirement, wanted):
        if asked.marker and not asked.marker.evaluate({"extra": EXTRA}):
            continue
        try:
            there = version(asked.name)
        except metadata.PackageNotFoundError:
            wrong.append(f"{asked.name} is missing")
            continue
        here.append(f"{asked.name} {there}")
        if not asked.specifier.contains(there, prereleases=True):
            wrong.append(f"{asked.name} is {there}, and the course asks for {asked.specifier}")
    if wrong:
        return Check("versions", PROBLEM, f"{'; '.join(wrong)}. {_REPAIR}")
    return Check("versions", OK, f"all {len(here)} as asked for: {', '.join(here)}")


def pytorch() -> Check:
    """Load PyTorch, and say with how many threads it computes.

    Example:
        >>> pytorch().found[:13]
        'computes with'
    """
    try:
        import torch
    except Exception as error:  # a library that is missing, or made for another processor
        found = f"it cannot be loaded ({type(error).__name__}: {error})."
        remedy = "The README says how to get the build for your computer."
        return Check("PyTorch", PROBLEM, f"{found} {remedy}")
    if (threads := torch.get_num_threads()) == 1:
        return Check("PyTorch", OK, "computes with one thread")
    found = f"computes with {threads} threads. On small networks one is faster: `make lab` sets"
    return Check("PyTorch", NOTE, f"{found} `OMP_NUM_THREADS=1`.")


def cifar100() -> Check:
    """Look whether the photographs of lesson 6 are there, and say what they cost if not.

    Example:
        >>> cifar100().status
        '✓ ok'
    """
    try:
        from course_utils.experiments import cifar_files

        folders = cifar_files.places(cifar_files.home())
    except ImportError:  # pooch knows where the cache of this system is
        return Check("CIFAR-100", NOTE, f"not looked for: the package pooch is missing. {_REPAIR}")
    files = [f"{part}.bin" for part in cifar_files.RECORDS]
    if any(all(os.path.isfile(folder / file) for file in files) for folder in folders):
        return Check("CIFAR-100", OK, "the data of lesson 6 are here")
    found = (
        "not here, and not needed: lesson 6 comes with recorded runs. To train its networks "
        "yourself, `make cifar100` downloads 169 MB once, and computes for hours."
    )
    return Check("CIFAR-100", OK, found)


def browser(live: str) -> Check:
    """Say what runs in the browser, and how to get the rest.

    Args:
        live: the numbers of the lessons that run there.

    Example:
        >>> browser("1, 2").found.partition(":")[0]
        'this is the browser edition. Here run lessons 1, 2'
    """
    found = (
        f"this is the browser edition. Here run lessons {live}: on your device, about ten times "
        "slower than installed, and nothing is sent anywhere. A cell that needs PyTorch shows its "
        "stored output and says so. The other lessons can be read here; to run them, install the "
        "course (its README says how: `make lab`)."
    )
    return Check("browser", NOTE, found)


def browser_progress(drive: str = "/drive") -> Check:
    """Say where the browser edition keeps your edits and your progress.

    Args:
        drive: the folder in which it shows the files of the site, where it can.

    Example:
        >>> browser_progress("/nowhere").status
        '● note'
    """
    kept = "your edits are kept in the storage of this browser, for this address"
    if os.path.isdir(drive):
        found = f"solved exercises and {kept}, until you delete the data of this site"
        return Check("progress", OK, found)
    found = f"{kept}. Solved exercises count until you reload only: that needs https or localhost."
    return Check("progress", NOTE, found)


def own_progress() -> Check:
    """Say where your progress is kept, and try whether it can be.

    Example:
        >>> own_progress().found  # as in tests
        'not kept: COURSE_PROGRESS is off'
    """
    folder, trouble = progress.path(), progress.trouble()
    if folder is None:
        return Check("progress", OK, f"not kept: {progress.VARIABLE} is {progress.OFF}")
    if not trouble:
        return Check("progress", OK, f"kept in the folder {folder}")
    found = f"{folder} cannot be written to ({trouble}); the lessons run without it."
    return Check("progress", NOTE, f"{found} Set {progress.VARIABLE} to another folder.")


def slider_test() -> tuple[widgets.IntSlider, widgets.HTML]:
    """Return a slider and a line that only Python can write: proof that both ways are open.

    Example:
        >>> slider, line = slider_test()
        >>> slider.value = 7
        >>> line.value
        '<span role="status">✓ The slider works: 7 × 7 = 49, computed by Python.</span>'
    """
    # A tooltip of None becomes the title "null" in the browser.
    slider = widgets.IntSlider(0, 0, 12, description="Move me", tooltip="a slider to try")
    say = '<span role="status">{}</span>'.format
    waiting = "○ The slider was not moved yet: drag it, or click it and press an arrow key."
    line = widgets.HTML(say(waiting), tooltip="")

    def answer(change: dict[str, Any]) -> None:
        x = change["new"]
        line.value = say(f"✓ The slider works: {x} × {x} = {x * x}, computed by Python.")

    slider.observe(answer, "value")
    return slider, line
