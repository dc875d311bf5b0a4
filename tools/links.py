"""Links: those inside the course are followed by `make test`, all others are tried by this program.

Usage: python tools/links.py

Sphinx asks for each address, a few at a time. Exit status: 0 all links answered or are only
doubtful, 1 some are gone for good, 2 there is no network, so nothing can be said.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from urllib.parse import unquote

from lesson_map import prose
from markdown_it import MarkdownIt
from markdown_it.token import Token

ROOT = Path(__file__).resolve().parents[1]
SETTINGS = """
linkcheck_timeout = 15
linkcheck_workers = 4
linkcheck_anchors = False
linkcheck_rate_limit_timeout = 60
user_agent = "Mozilla/5.0 (link check of a course)"
"""
# How Sphinx words that there is no such page or no such host.
GONE = (
    r"^(404|410) |Name or service not known|No address associated|nodename nor servname"
    r"|getaddrinfo failed"
)


# --- which links there are ------------------------------------------------------------------------


def parsed(markdown: str) -> Iterator[Token]:
    """Yield the tokens of a Markdown text, those inside a line included, but no code."""
    for token in MarkdownIt("commonmark").enable("table").parse(markdown):
        yield token
        yield from token.children or ()


def targets(markdown: str) -> list[str]:
    """Return where the links and pictures of a Markdown text lead.

    >>> targets('[a](b.md#c "title") `[x](y)` <img src="d.png"> <https://e.org> [f]\\n\\n[f]: g.md')
    ['b.md#c', 'd.png', 'https://e.org', 'g.md']
    """
    found: list[str] = []
    for token in parsed(markdown):
        if token.type in ("link_open", "image"):
            found.append(str(token.attrGet("href") or token.attrGet("src")))
        elif token.type.startswith("html"):
            found += re.findall(r"\b(?:src|href)=[\"']([^\"']+)[\"']", token.content)
    return found


def anchors(markdown: str, notebook: bool) -> set[str]:
    """Return the places in a text to which a link may lead, as JupyterLab or GitHub name them.

    >>> sorted(anchors("1.2 A part\\n===\\n# *A*\\n# A", notebook=False))
    ['12-a-part', 'a', 'a-1']
    >>> sorted(anchors('# 1.2 A part\\n<a id="here"></a>', notebook=True))
    ['1.2-A-part', 'here']
    """
    tokens, found, seen = list(parsed(markdown)), set(), defaultdict(int)
    for token, inline in zip(tokens, [*tokens[1:], None], strict=True):
        if token.type.startswith("html"):
            found |= set(re.findall(r"\b(?:id|name)=[\"']([^\"']+)[\"']", token.content))
        if token.type != "heading_open" or inline is None:
            continue
        title = "".join(c.content for c in inline.children or () if c.type != "html_inline")
        if notebook:
            found.add(title.replace(" ", "-"))
        else:
            name = re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")
            found.add(f"{name}-{seen[name]}" if seen[name] else name)
            seen[name] += 1
    return found


def broken(markdown: str, path: Path) -> list[str]:
    """Return a complaint for each internal link in the text of `path` that leads nowhere."""
    complaints = []
    for target in targets(markdown):
        if re.match(r"(https?|mailto|attachment|data):", target):
            continue
        file, _, anchor = unquote(target).partition("#")
        other = path.parent / file if file else path
        if file and not other.exists():
            complaints.append(f"link to {target!r}: no such file")
        elif anchor and other.suffix in (".md", ".ipynb"):
            text = prose(other) if file else markdown
            if anchor not in anchors(text, other.suffix == ".ipynb"):
                complaints.append(f"link to {target!r}: no such heading")
    return complaints


def external(text: str) -> set[str]:
    """Return the addresses in a text, and those behind the numbers of preprints.

    >>> sorted(external("See https://a.org/b_(c). Also `https://d.org`, arXiv:1412.6980."))
    ['https://a.org/b_(c)', 'https://arxiv.org/abs/1412.6980', 'https://d.org']
    """
    found = set()
    for address in re.findall(r"https?://[^\s<>\"'`\]\\]+", text):
        address = address.partition("#")[0].rstrip(".,;:!?*")
        while address.endswith(")") and address.count(")") > address.count("("):
            address = address[:-1].rstrip(".,;:")
        found.add(address)
    preprints = re.findall(r"\barXiv:(\d{4}\.\d{4,5}|[a-z-]+/\d{7})", text)
    return found | {f"https://arxiv.org/abs/{number}" for number in preprints}


def sources(root: Path = ROOT) -> list[Path]:
    """Return the files whose links readers follow: documents, notebooks, docstrings."""
    patterns = ("*.md", "*.cff", "notebooks/*.md", "notebooks/*.ipynb", "course_utils/**/*.py")
    return sorted(path for pattern in patterns for path in root.glob(pattern))


def collected(paths: Iterable[Path], root: Path = ROOT) -> dict[str, list[str]]:
    """Return the external links and, for each, the files in which it occurs."""
    found: dict[str, list[str]] = defaultdict(list)
    for path in paths:
        for address in external(prose(path)):
            found[address].append(str(path.relative_to(root)))
    return dict(sorted(found.items()))


# --- what became of them --------------------------------------------------------------------------


def tried(addresses: Iterable[str]) -> dict[str, dict]:
    """Return what Sphinx reports of each address: its status, and the reason as "info"."""
    with tempfile.TemporaryDirectory() as folder:
        page = "\n".join(f"* `x <{address}>`__" for address in addresses)
        Path(folder, "index.rst").write_text(f"Links\n=====\n\n{page}\n", encoding="utf-8")
        Path(folder, "conf.py").write_text(SETTINGS, encoding="utf-8")
        command = [sys.executable, "-m", "sphinx", "-q", "-b", "linkcheck", folder, f"{folder}/out"]
        done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8")
        report = Path(folder, "out", "output.json")
        if not report.exists():
            raise SystemExit(f"make links: Sphinx failed:\n{done.stderr[-2000:]}")
        lines = report.read_text(encoding="utf-8").splitlines()
    return {line["uri"]: line for line in map(json.loads, lines)}


def verdicts(reports: dict[str, dict]) -> dict[str, str]:
    """Return "ok", "moved", "doubtful" or "gone" for each address; nothing without a network.

    A host without a name is gone only if others answer.

    >>> no_host = {"status": "broken", "info": "... [Errno -2] Name or service not known"}
    >>> verdicts({"https://a.org": no_host, "https://b.org": {"status": "working", "info": ""}})
    {'https://a.org': 'gone', 'https://b.org': 'ok'}
    >>> verdicts({"https://a.org": no_host})
    {}
    """
    words = {"working": "ok", "redirected": "moved"}
    if not any(r["status"] in words or re.match(r"\d{3} ", r["info"]) for r in reports.values()):
        return {}
    return {
        address: words.get(report["status"])
        or ("gone" if re.search(GONE, report["info"]) else "doubtful")
        for address, report in reports.items()
    }


def main() -> int:
    """Print each link with what came of it and the files it is in; return the exit status."""
    found = collected(sources())
    reports = tried(found)
    results = verdicts(reports)
    if not results:
        print("make links: there is no network here, so nothing is known about the links.")
        return 2
    for address, word in results.items():
        print(f"{word:10} {address}  {reports[address]['info']}".rstrip())
        print(f"{'':10}   in {', '.join(found[address])}")
    words = list(results.values())
    gone = words.count("gone")
    print(f"\nmake links: {len(words)} links, {gone} gone, {words.count('doubtful')} doubtful.")
    return 1 if gone else 0


if __name__ == "__main__":
    sys.exit(main())
