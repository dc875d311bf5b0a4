"""A browser and JupyterLab for the tests in this folder, or one sentence on what is missing."""

from __future__ import annotations

import importlib.util
import os
import shutil

import desk
import pytest

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = (
    "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
    # No other machine can be reached. The one name stands for an address in a local network, which
    # browsers trust less than this machine itself.
    "--host-resolver-rules=MAP lesson.test 127.0.0.1, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)  # fmt: skip


def browser_path() -> str | None:
    """Return the browser of this machine, if it has one."""
    return next((path for name in BROWSERS if (path := shutil.which(name))), None)


def missing() -> str | None:
    """Return what is missing on this machine, in one sentence, or None."""
    if importlib.util.find_spec("playwright") is None:
        return (
            "Playwright is not installed, so nothing was tried in a browser "
            "(.venv/bin/python -m pip install -c constraints.txt -e '.[browser]' installs it)."
        )
    if browser_path() is None:
        return (
            "There is no Chromium or Chrome on this machine, so nothing was tried in a browser "
            "(on Debian, apt install chromium installs it)."
        )
    return None


def pytest_collection_modifyitems(items) -> None:
    """Where something is missing, one skipped test says it once."""
    reason = missing()
    if reason:
        here = [item for item in items if item.path.parent == desk.ARTIFACTS.parent]
        items[:] = [item for item in items if item not in here[1:]]
        for item in here[:1]:
            item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(scope="session")
def browser():
    from playwright.sync_api import sync_playwright

    path = browser_path()
    root = hasattr(os, "geteuid") and os.geteuid() == 0
    flags = [*FLAGS, *(["--no-sandbox"] if root else [])]
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(
            executable_path=path, headless=True, args=flags, timeout=60_000
        )
        yield running
        running.close()


@pytest.fixture(scope="session")
def lab(browser, tmp_path_factory):
    folder = tmp_path_factory.mktemp("lab")
    desk.untouched_copies(desk.ROOT / "notebooks", folder / "notebooks")
    with desk.jupyterlab(folder) as running:
        yield running


@pytest.fixture(scope="session")
def open_page(browser):
    """Return a function that opens an empty page; each in its own window, without memory."""
    contexts = []

    def opened():
        contexts.append(browser.new_context(viewport=desk.VIEWPORT))
        contexts[-1].set_default_timeout(1000 * desk.MOVE_SECONDS)
        return contexts[-1].new_page()

    yield opened
    for context in contexts:
        context.close()


def pytest_terminal_summary(terminalreporter) -> None:
    if desk.report:
        terminalreporter.section("measured, not judged")
        for line in desk.report:
            terminalreporter.write_line(line)
