"""Every lecture that `make slides` has made: offline, at 1280 x 720, nothing is cut off."""

from __future__ import annotations

import desk
import pytest

DECKS = sorted((desk.ROOT / "slides").glob("[0-9][0-9]_*.html"))
SIZE = {"width": 1280, "height": 720}
SMALLEST = 0.4  # of the usual size of letters; one page to look things up, in 3.10, comes near it

READY = "() => document.body?.dataset.ready === 'yes'"  # formulas drawn, every slide fitted
# For the present slide: what sticks out of the window, and by how much its text was made smaller.
LOOK = """() => {
  const slide = Reveal.getCurrentSlide(), found = [];
  const body = slide.querySelector('.fit'), box = body.getBoundingClientRect();
  if (box.bottom > innerHeight + 1) found.push(`${Math.round(box.bottom - innerHeight)} px low`);
  for (const part of body.querySelectorAll('p, li, pre, img, table, mjx-container')) {
    const over = part.getBoundingClientRect();
    if (over.width && (over.right > innerWidth + 1 || over.left < -1))
      found.push(`${part.tagName} from ${over.left.toFixed(0)} to ${over.right.toFixed(0)}`);
    if (part.tagName === 'PRE' && part.scrollWidth > part.clientWidth + 1)
      found.push('code is cut off: ' + part.innerText.slice(0, 60));
    if (part.tagName === 'IMG' && part.complete && !part.naturalWidth) found.push('no picture');
  }
  return {
    found, zoom: parseFloat(getComputedStyle(body).zoom || 1),
    title: slide.innerText.trim().slice(0, 60).replaceAll('\\n', ' '),
  };
}"""


NONE = pytest.mark.skipif(not DECKS, reason="There are no slides here: `make slides` makes them.")
TOO_LARGE = """() => {
  const part = document.createElement('p');
  Object.assign(part.style, {width: '2000px', height: '900px'});
  Reveal.getCurrentSlide().querySelector('.fit').append(part);
}"""


def opened(deck, open_page):
    """The deck, in a window of its own that has no network, and what its console says."""
    page, said = open_page(), []
    page.set_viewport_size(SIZE)
    page.context.set_offline(True)
    page.on("pageerror", lambda error: said.append(str(error)[:300]))
    page.on("console", lambda m: said.append(m.text[:300]) if m.type == "error" else None)
    page.goto(deck.as_uri(), timeout=1000 * desk.START_SECONDS)
    page.wait_for_function(READY, timeout=1000 * desk.START_SECONDS)
    return page, said


@NONE
def test_what_is_cut_off_is_seen(open_page) -> None:
    page, _ = opened(DECKS[0], open_page)
    assert page.evaluate(LOOK)["found"] == []
    page.evaluate(TOO_LARGE)
    assert len(page.evaluate(LOOK)["found"]) == 2


@NONE
@pytest.mark.parametrize("deck", DECKS, ids=lambda path: path.stem)
def test_no_slide_is_cut_off(deck, open_page) -> None:
    page, said = opened(deck, open_page)
    complaints, zooms = [], []
    places = page.evaluate("Reveal.getSlides().map(s => Reveal.getIndices(s))")
    for place in places:
        page.evaluate("p => Reveal.slide(p.h, p.v, 99)", place)  # with all its fragments
        seen = page.evaluate(LOOK)
        zooms.append(seen["zoom"])
        where = f"{place['h']}/{place.get('v') or 0} {seen['title']!r}"
        complaints += [f"{where}: {what}" for what in seen["found"]]
        if seen["zoom"] < SMALLEST:
            complaints.append(f"{where}: letters at {seen['zoom']:.0%} of their size")
    small = sum(zoom < 0.7 for zoom in zooms)
    desk.note(
        f"{deck.name}: {len(places)} slides, {small} of them with letters below 70 % "
        f"(smallest {min(zooms):.0%})"
    )
    assert complaints == []
    assert said == []
