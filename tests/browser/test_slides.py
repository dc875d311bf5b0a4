"""Every lecture that `make slides` has made: offline, at 1280 x 720, nothing is cut off."""

from __future__ import annotations

import desk
import pytest

DECKS = sorted((desk.ROOT / "slides").glob("[0-9][0-9]_*.html"))
SIZE = {"width": 1280, "height": 720}
SMALLEST = 0.5  # of the usual size of letters; the cheat sheet comes near it
LETTERS, SYMBOLS = 4.5, 3.0  # the least contrast, for what is read and for what only decorates

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
    if (part.tagName === 'IMG' && !part.alt) found.push('a picture without words');
  }
  return {
    found, zoom: parseFloat(getComputedStyle(body).zoom || 1),
    title: slide.innerText.trim().slice(0, 60).replaceAll('\\n', ' '),
  };
}"""


# The text of the present slide that has less contrast with its ground than is asked for.
# A ground that is partly transparent lets the one behind it shine through.
FAINT = """([letters, symbols]) => {
  const numbers = text => {
    const found = (text.match(/[\\d.]+/g) ?? []).map(Number);
    return text.startsWith('color(') ? [...found.slice(0, 3).map(x => 255 * x), found[3] ?? 1]
      : [...found.slice(0, 3), found[3] ?? 1];
  };
  const over = (top, below) => [0, 1, 2].map(i => top[3] * top[i] + (1 - top[3]) * below[i]);
  const ground = part => {
    if (!part) return [255, 255, 255];
    return over(numbers(getComputedStyle(part).backgroundColor), ground(part.parentElement));
  };
  const light = color => color.map(x => x / 255)
    .map(x => x <= 0.04045 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4)
    .reduce((sum, x, i) => sum + [0.2126, 0.7152, 0.0722][i] * x, 0);
  const seen = new Map();
  const look = (part, least, what) => {
    if (!part.checkVisibility({visibilityProperty: true}) || part.closest('aside')) return;
    const behind = ground(part), color = over(numbers(getComputedStyle(part).color), behind);
    const [low, high] = [light(color), light(behind)].sort((a, b) => a - b);
    seen.set(part, {least, ratio: (high + 0.05) / (low + 0.05), what});
  };
  const places = [Reveal.getCurrentSlide(), document.querySelector('.slide-number')];
  for (const place of places) {
    const walk = document.createTreeWalker(place, NodeFilter.SHOW_TEXT);
    while (walk.nextNode()) {
      const text = walk.currentNode.data.trim(), part = walk.currentNode.parentElement;
      if (text && !part.closest('mjx-container'))
        look(part, part.closest('[aria-hidden=true]') ? symbols : letters, text.slice(0, 40));
    }
    for (const part of place.querySelectorAll('mjx-container svg g[fill]'))
      look(part, letters, 'a formula');
  }
  for (const part of document.querySelectorAll('.controls button.enabled .controls-arrow'))
    look(part, symbols, 'an arrow');
  const all = [...seen.values()];
  return {
    count: all.length, least: Math.min(...all.map(one => one.ratio)),
    faint: all.filter(one => one.ratio < one.least)
      .map(one => `${one.what}: ${one.ratio.toFixed(2)} : 1`),
  };
}"""
PALE = """() => {
  const part = document.createElement('p');
  part.textContent = 'a pale word';
  part.style.color = '#808080';
  Reveal.getCurrentSlide().querySelector('.fit').append(part);
}"""
IS_DARK = "() => document.documentElement.classList.contains('dark')"

NONE = pytest.mark.skipif(not DECKS, reason="There are no slides here: `make slides` makes them.")
TOO_LARGE = """() => {
  const part = document.createElement('p');
  Object.assign(part.style, {width: '2000px', height: '900px'});
  Reveal.getCurrentSlide().querySelector('.fit').append(part);
}"""


BOTH = pytest.mark.parametrize("look", ["light", "dark"])


def opened(deck, open_page, look="light"):
    """The deck, in a window of its own that has no network, and what its console says."""
    page, said = open_page(), []
    page.set_viewport_size(SIZE)
    page.context.set_offline(True)
    page.on("pageerror", lambda error: said.append(str(error)[:300]))
    page.on("console", lambda m: said.append(m.text[:300]) if m.type == "error" else None)
    page.goto(
        deck.as_uri() + ("?dark" if look == "dark" else ""), timeout=1000 * desk.START_SECONDS
    )
    page.wait_for_function(READY, timeout=1000 * desk.START_SECONDS)
    return page, said


@NONE
def test_what_is_cut_off_is_seen(open_page) -> None:
    page, _ = opened(DECKS[0], open_page)
    assert page.evaluate(LOOK)["found"] == []
    page.evaluate(TOO_LARGE)
    assert len(page.evaluate(LOOK)["found"]) == 2


def every_slide(page):
    """Show one slide after the other, with all its fragments."""
    for place in page.evaluate("Reveal.getSlides().map(s => Reveal.getIndices(s))"):
        page.evaluate("p => Reveal.slide(p.h, p.v, 99)", place)
        yield f"{place['h']}/{place.get('v') or 0}"


@NONE
@BOTH
@pytest.mark.parametrize("deck", DECKS, ids=lambda path: path.stem)
def test_no_slide_is_cut_off(deck, look, open_page) -> None:
    page, said = opened(deck, open_page, look)
    assert page.evaluate(IS_DARK) == (look == "dark")
    complaints, zooms = [], []
    for place in every_slide(page):
        seen = page.evaluate(LOOK)
        zooms.append(seen["zoom"])
        where = f"{place} {seen['title']!r}"
        complaints += [f"{where}: {what}" for what in seen["found"]]
        if seen["zoom"] < SMALLEST:
            complaints.append(f"{where}: letters at {seen['zoom']:.0%} of their size")
    small = sum(zoom < 0.7 for zoom in zooms)
    desk.note(
        f"{deck.name}, {look}: {len(zooms)} slides, {small} of them with letters below 70 % "
        f"(smallest {min(zooms):.0%})"
    )
    assert complaints == []
    assert said == []


@NONE
def test_pale_letters_are_seen(open_page) -> None:
    page, _ = opened(DECKS[0], open_page)
    assert page.evaluate(FAINT, [LETTERS, SYMBOLS])["faint"] == []
    page.evaluate(PALE)
    assert page.evaluate(FAINT, [LETTERS, SYMBOLS])["faint"] == ["a pale word: 3.95 : 1"]


@NONE
@BOTH
@pytest.mark.parametrize("deck", DECKS, ids=lambda path: path.stem)
def test_letters_stand_out(deck, look, open_page) -> None:
    page, _ = opened(deck, open_page, look)
    complaints, least, count = [], [], 0
    for place in every_slide(page):
        seen = page.evaluate(FAINT, [LETTERS, SYMBOLS])
        complaints += [f"{place}: {what}" for what in seen["faint"]]
        least.append(seen["least"])
        count += seen["count"]
    desk.note(f"{deck.name}, {look}: least contrast {min(least):.1f} in {count} pieces of text")
    assert count > 10 * len(least)
    assert complaints == []


@NONE
def test_a_key_switches_the_light_off(open_page) -> None:
    page, said = opened(DECKS[0], open_page)
    ground = "() => getComputedStyle(document.body).backgroundColor"
    before = page.evaluate(ground)
    page.keyboard.press("d")
    assert page.evaluate(IS_DARK)
    assert page.evaluate(ground) != before
    page.reload()
    page.wait_for_function(READY, timeout=1000 * desk.START_SECONDS)
    assert page.evaluate(IS_DARK)  # the address remembers it
    page.keyboard.press("d")
    assert page.evaluate(ground) == before
    page.keyboard.press("Shift+?")
    assert "Light or dark" in page.locator("body").inner_text()
    assert said == []
