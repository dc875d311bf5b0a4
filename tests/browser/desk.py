"""JupyterLab on loopback and a notebook in it, as a learner uses them: menus, keys, eyes.

What is done is done with the mouse and the keyboard. What came of it is read from JupyterLab's own
model of the notebook (`jupyterapp`), because cells outside of the window are not in the page.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ARTIFACTS = Path(__file__).resolve().parent / "artifacts"

START_SECONDS = 120  # server, page, kernel: each of them
CELL_SECONDS = 240  # without any cell being finished
LESSON_SECONDS = 900
MOVE_SECONDS = 30  # from a key to what it changes

VIEWPORT = {"width": 1280, "height": 1400}
report: list[str] = []
"""What is measured but not judged; printed at the end."""


def note(line: str) -> None:
    """Keep a line for the report, on disk as well: a run that is stopped loses nothing."""
    report.append(line)
    ARTIFACTS.mkdir(exist_ok=True)
    with (ARTIFACTS / "report.txt").open("a", encoding="utf-8") as stream:
        print(line, file=stream)


BAD_STATES = ("dead", "restarting", "autorestarting")


class KernelDied(Exception):
    """The kernel of the notebook is gone, or was started anew behind our back."""


# ------------------------------------------------------------------------------------- server


@dataclass(frozen=True)
class Lab:
    """A running JupyterLab."""

    address: str
    token: str
    root: Path

    def url(self, name: str) -> str:
        return f"{self.address}/lab/tree/{name}?token={self.token}&reset"


def untouched_copies(source: Path, target: Path) -> None:
    """Copy the notebooks without outputs: what is seen afterwards comes from the run."""
    ignored = shutil.ignore_patterns(".*", "data", "my_copies")
    shutil.copytree(source, target, ignore=ignored)
    for path in target.glob("*.ipynb"):
        notebook = json.loads(path.read_text(encoding="utf-8"))
        for cell in notebook["cells"]:
            if cell["cell_type"] == "code":
                cell.update(outputs=[], execution_count=None)
        path.write_text(json.dumps(notebook), encoding="utf-8")


def environment(folder: Path) -> dict[str, str]:
    """The settings of this environment only: nothing is read from, or left in, the home folder."""
    settings = folder / "settings" / "@jupyterlab" / "notebook-extension"
    settings.mkdir(parents=True)
    tracker = settings / "tracker.jupyterlab-settings"
    tracker.write_text('{"recordTiming": true}', encoding="utf-8")
    own = {
        "JUPYTER_CONFIG_DIR": "config",
        "JUPYTER_DATA_DIR": "data",
        "JUPYTER_RUNTIME_DIR": "run",
        "JUPYTERLAB_SETTINGS_DIR": "settings",
        "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
        "IPYTHONDIR": "ipython",
        "COURSE_PROGRESS": "progress",
    }
    inherited = {k: v for k, v in os.environ.items() if k != "MPLBACKEND"}
    own = {name: str(folder / part) for name, part in own.items()}
    return inherited | own | {"JUPYTER_PREFER_ENV_PATH": "1"}


@contextmanager
def jupyterlab(folder: Path):
    """Run JupyterLab on `folder`/notebooks, on loopback, with a token; stop it at the end."""
    token, log = secrets.token_hex(16), folder / "server.log"
    command = [
        *(sys.executable, "-m", "jupyterlab", "--no-browser", "--ServerApp.ip=127.0.0.1"),
        *("--ServerApp.port=8810", "--ServerApp.port_retries=80"),
        f"--IdentityProvider.token={token}",
        f"--ServerApp.root_dir={folder / 'notebooks'}",
        *("--LabApp.expose_app_in_browser=True", "--LabApp.news_url="),
        "--LabApp.extension_manager=readonly",
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
        "--KernelManager.transport=ipc",  # no race for ports; a user's kernels speak TCP
        "--ServerApp.shutdown_no_activity_timeout=900",  # should this process be killed
    ]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        command.append("--allow-root")
    with log.open("w") as stream:
        server = subprocess.Popen(
            command, env=environment(folder), stdout=stream, stderr=stream, start_new_session=True
        )
    try:
        yield Lab(_address(server, folder / "run", log), token, folder / "notebooks")
    finally:
        _stop(server)


def _address(server: subprocess.Popen, run: Path, log: Path) -> str:
    """Wait for the server; it writes down which port it took."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if server.poll() is not None:
            break
        for path in run.glob("jpserver-*.json"):
            try:
                address = json.loads(path.read_text())["url"].rstrip("/")
                urllib.request.urlopen(f"{address}/login", timeout=5).close()
                return address
            except (ValueError, OSError):
                pass  # half written, or not listening yet
        time.sleep(0.2)
    raise RuntimeError(f"JupyterLab did not start in {START_SECONDS} s:\n{log.read_text()[-3000:]}")


def refuses_strangers(lab: Lab) -> bool:
    """Return whether the server refuses a request without the token."""
    try:
        urllib.request.urlopen(f"{lab.address}/api/contents", timeout=10).close()
    except urllib.error.HTTPError as error:
        return error.code == 403
    return False


def _stop(server: subprocess.Popen) -> None:
    """Stop the server and, with it, its kernels; with force after 20 seconds."""
    if server.poll() is None:
        server.terminate()
        try:
            server.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(server.pid, signal.SIGKILL)
            server.wait(10)


# ----------------------------------------------------------------------------------- notebook

PREPARE = """() => {
  const panel = window.jupyterapp.shell.currentWidget;
  window.desk = {panel, seen: []};
  panel.sessionContext.statusChanged.connect((_, status) => window.desk.seen.push(status));
}"""

STATE = """() => {
  const {panel, seen} = window.desk, kernel = panel.sessionContext.session?.kernel;
  const dialog = document.querySelector('.jp-Dialog-content');
  const cells = Array.from(panel.context.model.cells).map((cell, index) => {
    if (cell.type !== 'code') return {index, type: cell.type};
    const json = cell.toJSON(), time = json.metadata.execution ?? {};
    return {
      index, type: 'code', count: json.execution_count, source: cell.sharedModel.getSource(),
      tags: json.metadata.tags ?? [], idle: cell.executionState !== 'running',
      start: time['iopub.execute_input'] ?? time['iopub.status.busy'],
      end: time['shell.execute_reply'],
      errors: json.outputs.filter(o => o.output_type === 'error')
        .map(o => `${o.ename}: ${o.evalue}`),
      live: json.outputs.some(
        o => o.data && 'application/vnd.jupyter.widget-view+json' in o.data),
    };
  });
  return {
    kernel: kernel?.status ?? 'none', connection: kernel?.connectionStatus ?? 'none',
    seen: [...seen], dialog: dialog ? dialog.innerText : '', cells,
  };
}"""

IDLE = """() => {
  const bar = document.querySelector('#jp-main-statusbar');
  return /Python .*\\| Idle/.test(bar?.innerText ?? '');
}"""

# When keys are pressed, when pictures arrive, and when the words around the picture change.
WATCH = """image => {
  const log = window.watch = {keys: [], pictures: [], texts: []};
  const pressed = event => log.keys.push(performance.now());
  const shown = event => log.pictures.push(performance.now());
  const said = new MutationObserver(changes => {
    if (changes.some(change => change.target.closest?.('.widget-html')))
      log.texts.push(performance.now());
  });
  said.observe(image.closest('.widget-vbox'), {childList: true, subtree: true});
  document.addEventListener('keydown', pressed, true);
  image.addEventListener('load', shown);
  log.stop = () => {
    document.removeEventListener('keydown', pressed, true);
    image.removeEventListener('load', shown);
    said.disconnect();
  };
}"""


@dataclass
class Notebook:
    """One notebook open in the browser."""

    page: object
    name: str
    console: list[str] = field(default_factory=list)
    outside: set[str] = field(default_factory=set)
    seconds: float = 0.0

    # ------------------------------------------------------------------------- open and run

    def open(self, lab: Lab) -> None:
        page, limit = self.page, 1000 * START_SECONDS
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.console.append(f"page error: {error}"[:500]))
        page.on("response", self._response)
        page.on("request", lambda request: self._request(request, lab.address))
        page.goto(lab.url(self.name), timeout=limit)
        page.wait_for_selector(
            ".jp-NotebookPanel:not(.lm-mod-hidden) .jp-Notebook .jp-Cell", timeout=limit
        )
        # The indicator in the toolbar says "idle" too early; the words in the status bar do not.
        page.wait_for_function(IDLE, timeout=limit)
        page.evaluate(PREPARE)

    def run_all(self) -> None:
        """Run all cells from the menu, and wait until each of them is done or one has failed."""
        start = time.monotonic()
        self.page.click('#jp-MainMenu >> text="Run"')
        self.page.click('.lm-Menu [data-command="runmenu:run-all"]')
        done, last = -1, start
        while True:
            now, state = time.monotonic(), self.state()
            code = [c for c in state["cells"] if c["type"] == "code" and c["source"].strip()]
            finished = [c for c in code if c["count"] is not None and c["idle"]]
            failed = any(c["errors"] and "raises-exception" not in c["tags"] for c in code)
            if failed or (len(finished) == len(code) and state["kernel"] == "idle"):
                break
            if len(finished) > done:
                done, last = len(finished), now
            if now - last > CELL_SECONDS or now - start > LESSON_SECONDS:
                waiting = next(c for c in code if c not in finished)
                raise TimeoutError(
                    f"{self.name}: cell {waiting['index']} is not finished after {now - last:.0f} "
                    f"s ({len(finished)} of {len(code)} are):\n{waiting['source']}"
                )
            self.page.wait_for_timeout(300)
        self.seconds = time.monotonic() - start

    def state(self) -> dict:
        """What JupyterLab knows of the notebook; raises `KernelDied` as soon as it knows that."""
        state = self.page.evaluate(STATE)
        bad = [status for status in [*state["seen"], state["kernel"]] if status in BAD_STATES]
        if bad:
            raise KernelDied(f"{self.name}: the kernel is {bad[0]} ({state['dialog'][:200]!r})")
        if state["dialog"]:
            raise RuntimeError(f"{self.name}: JupyterLab asks {state['dialog'][:300]!r}")
        return state

    def shut_down(self) -> None:
        """End the kernel, so that the memory is free for the next notebook."""
        with suppress(Exception):  # a dead kernel, or a page that is gone: then there is no need
            self.page.evaluate("() => window.desk.panel.sessionContext.shutdown()")
        self.page.close()

    def cells(self) -> list[dict]:
        return self.state()["cells"]

    def showing(self, words: str) -> int:
        """The index of the cell whose source has these words."""
        return next(c["index"] for c in self.cells() if words in c.get("source", ""))

    def errors(self) -> list[str]:
        return [
            f"cell {c['index']}: {error}"
            for c in self.cells()
            for error in c.get("errors", [])
            if "raises-exception" not in c["tags"]
        ]

    def durations(self) -> list[tuple[float, int]]:
        """Seconds and index of every cell that ran, the slowest first."""
        found = []
        for cell in self.cells():
            if cell.get("start") and cell.get("end"):
                times = (datetime.fromisoformat(cell[k].replace("Z", "+00:00")) for k in
                         ("start", "end"))  # fmt: skip
                first, second = times
                found.append(((second - first).total_seconds(), cell["index"]))
        return sorted(found, reverse=True)

    # ------------------------------------------------------------------------- look and type

    def cell(self, index: int):
        """Scroll to a cell and return it."""
        self.page.evaluate("i => window.desk.panel.content.scrollToItem(i, 'start')", index)
        found = self.page.locator(
            f'.jp-NotebookPanel:not(.lm-mod-hidden) .jp-Cell[data-windowed-list-index="{index}"]'
        )
        found.wait_for(state="visible", timeout=1000 * MOVE_SECONDS)
        return found

    def write(self, index: int, source: str) -> None:
        """Type `source` into a cell in place of what is there."""
        editor = self.cell(index).locator(".jp-InputArea-editor .cm-content")
        editor.click(timeout=1000 * MOVE_SECONDS)
        self.page.keyboard.press("Control+a")
        self.page.keyboard.press("Delete")
        self.page.keyboard.type(source)
        typed = self.cells()[index]["source"]
        assert typed == source, f"typed {source!r}, but the cell holds {typed!r}"

    def run(self, index: int) -> str:
        """Run a cell with the keyboard and return the text of its last output."""
        before = self.cells()[index]["count"]
        self.page.keyboard.press("Control+Enter")
        deadline = time.monotonic() + CELL_SECONDS
        while time.monotonic() < deadline:
            state = self.state()
            cell = state["cells"][index]
            if cell["count"] not in (None, before) and cell["idle"] and state["kernel"] == "idle":
                output = self.cell(index).locator(".jp-OutputArea-output").last
                return output.inner_text(timeout=1000 * MOVE_SECONDS)
            self.page.wait_for_timeout(100)
        raise TimeoutError(f"{self.name}: cell {index} did not finish in {CELL_SECONDS} s")

    def photograph(self, folder: Path) -> None:
        """Scroll from top to bottom as a reader does, and keep every window full."""
        scroller = ".jp-NotebookPanel:not(.lm-mod-hidden) .jp-WindowedPanel-outer"
        box = self.page.locator(scroller).bounding_box()
        top, number = 0.0, 0
        while number < 100:
            height = self.page.eval_on_selector(
                scroller, "(e, top) => { e.scrollTop = top; return e.scrollHeight }", top
            )
            self.page.wait_for_timeout(400)  # pictures and formulas are drawn when they come in
            self.page.screenshot(path=folder / f"page{number:02d}.png", clip=box)
            number, top = number + 1, top + 0.95 * box["height"]
            if top >= height:
                break

    # ---------------------------------------------------------------------------- listening

    def _console(self, message) -> None:
        if message.type == "error":
            self.console.append(message.text[:500])

    def _response(self, response) -> None:
        if response.status >= 400:
            self.console.append(f"HTTP {response.status}: {response.url.partition('?')[0]}")

    def _request(self, request, address: str) -> None:
        if not request.url.startswith((address, address.replace("http", "ws"), "data:", "blob:")):
            self.outside.add(request.url[:120])
