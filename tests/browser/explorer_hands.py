"""The controls of one explorer in the page, moved by keyboard."""

from __future__ import annotations

import time
from dataclasses import dataclass
from statistics import median

from desk import MOVE_SECONDS, WATCH, Notebook

CONTROLS = ".noUi-handle, select, input:not([type=hidden]), button.jupyter-button"
# An arrow key alone would select the next cell of the notebook: JupyterLab takes it first.
CHOOSE = (("Space", "ArrowDown", "Enter"), ("Space", "ArrowUp", "Enter"))
SLIDE = (("ArrowRight",), ("ArrowLeft",))

FOCUSED = """(box, selector) =>
  Array.from(box.querySelectorAll(selector)).indexOf(document.activeElement)"""
# What sticks out of the notebook on the right, or has a scroll bar of its own.
CUT_OFF = """box => {
  const edge = box.getBoundingClientRect().right + 1, found = [];
  for (const part of box.querySelectorAll('.widget-slider, select, button, img, .widget-html')) {
    const over = part.getBoundingClientRect().right - edge;
    if (over > 0) found.push(`${part.tagName} ${part.className}: ${over.toFixed(0)} px too far`);
    if (part.scrollWidth > part.clientWidth + 2 && part.matches('.widget-html'))
      found.push('scrolls: ' + part.className);
  }
  return found;
}"""


@dataclass
class Hands:
    """One explorer: the cell that shows it, and what can be done with it."""

    notebook: Notebook
    index: int
    first: str = ""

    def __post_init__(self) -> None:
        self.page, self.cell = self.notebook.page, self.notebook.cell(self.index)
        self.picture, self.text = self.cell.locator("img"), self.cell.locator("[role=status]").last
        self.picture.wait_for(state="visible", timeout=1000 * MOVE_SECONDS)
        self.sliders = self.cell.locator(".noUi-handle").all()
        self.menus = self.cell.locator("select").all()
        self.buttons = self.cell.locator("button.jupyter-button").all()

    def look(self) -> tuple[str, str]:
        """The address of the picture, which is new with every picture, and the text below."""
        return self.picture.get_attribute("src"), self.text.inner_text()

    def press(self, control, *keys: str) -> None:
        control.focus()
        for key in keys:
            self.page.keyboard.press(key)

    def changes(self, control, *keys: str, seconds: float = MOVE_SECONDS) -> bool:
        """Press keys on a control; return whether both the picture and the text change."""
        before, deadline = self.look(), time.monotonic() + seconds
        self.press(control, *keys)
        while time.monotonic() < deadline:
            if all(new != old for new, old in zip(self.look(), before)):
                self.settle()
                return True
            self.page.wait_for_timeout(30)
        return False

    def settle(self, quiet: float = 0.3) -> tuple[str, str]:
        """Wait until the picture has not changed for a moment and the kernel has nothing to do."""
        deadline, last, since = time.monotonic() + 60, self.look(), time.monotonic()
        while time.monotonic() - since < quiet or self.notebook.state()["kernel"] != "idle":
            if time.monotonic() > deadline:
                raise TimeoutError(f"{self.notebook.name}, cell {self.index} does not settle")
            self.page.wait_for_timeout(50)
            now = self.look()
            if now != last:
                last, since = now, time.monotonic()
        return last

    def reset(self) -> str:
        """Press the reset button; return the text after it."""
        self.press(self.buttons[-1], "Space")
        # A busy machine may be silent for a moment before it begins: the text is known from the
        # second time on.
        deadline = time.monotonic() + MOVE_SECONDS
        while self.first and self.look()[1] != self.first and time.monotonic() < deadline:
            self.page.wait_for_timeout(30)
        text = self.settle(0.3 if self.first else 1.0)[1]
        self.first = self.first or text
        return text

    def with_title(self, title: str) -> list[str]:
        """What has this tooltip; "null" is a label that says nothing."""
        found = self.cell.locator(f'[title="{title}"]')
        return found.evaluate_all("found => found.map(e => e.outerHTML.slice(0, 160))")

    def dead_controls(self) -> list[str]:
        """Sliders and menus that change nothing, whichever preset is chosen first."""
        ways = [(c, SLIDE, f"slider {i}") for i, c in enumerate(self.sliders)]
        ways += [(c, CHOOSE, f"menu {i}") for i, c in enumerate(self.menus)]
        return [name for control, keys, name in ways if not self._responds(control, keys)]

    def _responds(self, control, ways) -> bool:
        # Some controls rightly do nothing at first: a constant schedule has no last rate.
        for preset in [None, *self.buttons[:-1]]:
            self.reset()
            if preset is not None:
                self.press(preset, "Enter")
                self.settle()
            if any(self.changes(control, *keys, seconds=3) for keys in ways):
                return True
        return any(self.changes(control, *keys) for keys in ways)  # slow, or really dead

    def out_of_reach(self) -> list[str]:
        """Controls that the Tab key does not come to from the first one."""
        controls = self.cell.locator(CONTROLS)
        controls.first.focus()
        missing = set(range(controls.count()))
        for _ in range(3 * len(missing)):  # the number beside a slider can be typed in: a stop more
            missing.discard(self.cell.evaluate(FOCUSED, CONTROLS))
            self.page.keyboard.press("Tab")
        return [controls.nth(i).evaluate("e => e.outerHTML.slice(0, 80)") for i in sorted(missing)]

    def directions(self) -> tuple[str, str]:
        """The keys that move the first slider away from where it is after a reset, and back."""
        now, end = (self.sliders[0].get_attribute(f"aria-value{name}") for name in ("now", "max"))
        keys = ("ArrowRight", "ArrowLeft")
        return keys[::-1] if now == end else keys

    def latency(self, keys: int = 20) -> dict[str, list[float]]:
        """Milliseconds from a key on the first slider to what it changes, sorted.

        To the first new "picture", and to the "text" below, which comes with the last one: some
        explorers show at once what is known before they have computed the rest.
        """
        self.reset()
        away, back = self.directions()
        self.sliders[0].focus()
        self.picture.evaluate(WATCH)
        times: dict[str, list[float]] = {"picture": [], "text": []}
        for i in range(keys):
            pictures, texts = self.page.evaluate("[watch.pictures.length, watch.texts.length]")
            self.page.keyboard.press(back if i % 2 else away)
            self.page.wait_for_function(
                "([p, t]) => watch.pictures.length > p && watch.texts.length > t",
                arg=[pictures, texts],
                timeout=1000 * MOVE_SECONDS,
            )
            log = self.page.evaluate(
                "({keys: watch.keys, pictures: watch.pictures, texts: watch.texts})"
            )
            times["picture"].append(log["pictures"][pictures] - log["keys"][-1])
            times["text"].append(log["texts"][texts] - log["keys"][-1])
            self.page.wait_for_timeout(50)  # for a picture that is behind its text
        self.page.evaluate("window.watch.stop()")
        return {what: sorted(measured) for what, measured in times.items()}

    def burst(self, keys: int = 100) -> tuple[str, bool]:
        """Move the first slider as fast as keys can be pressed.

        Returns:
            What was measured, in words; whether the last move won. It did if one move back and
            forth, each with all the time it needs, leads to the very same text.
        """
        self.reset()
        first, (away, back) = self.look()[1], self.directions()
        self.sliders[0].focus()
        self.picture.evaluate(WATCH)
        for _ in range(keys):
            self.page.keyboard.press(away)
        end = self.settle(1.0)[1]
        log = self.page.evaluate("({keys: window.watch.keys, pictures: window.watch.pictures})")
        self.page.evaluate("window.watch.stop()")
        there = self.changes(self.sliders[0], back)
        again = self.changes(self.sliders[0], away)
        won = there and again and end != first and self.look()[1] == end
        pressed = log["keys"][-1] - log["keys"][0]
        after = log["pictures"][-1] - log["keys"][-1]
        return (
            f"{keys} keys in {pressed:.0f} ms gave {len(log['pictures'])} pictures, the last one "
            f"{after:.0f} ms after the last key"
        ), won

    def cut_off(self, width: int) -> list[str]:
        """What sticks out at the right in a window of this width."""
        size = self.page.viewport_size
        self.page.set_viewport_size({"width": width, "height": size["height"]})
        self.page.wait_for_timeout(600)
        found = self.cell.locator(".jp-OutputArea").first.evaluate(CUT_OFF)
        return [f"{part} at {width} px" for part in found]


def in_words(times: dict[str, list[float]]) -> str:
    """Latencies in words."""
    return "; ".join(
        f"key to {what}: median {median(measured):.0f} ms "
        f"({measured[0]:.0f} to {measured[-1]:.0f}, {len(measured)} keys)"
        for what, measured in times.items()
    )
