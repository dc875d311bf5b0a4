"""Try every external link of the course; find internal ones that lead nowhere.

Usage: python tools/links.py [URL ...]     without a URL: all that occur in the course

Exit status: 0 all links answered or are only doubtful, 1 some are gone for good, 2 there is no
network, so nothing can be said. Internal links are checked by `make test`.
"""

from __future__ import annotations

import json
import re
import socket
import ssl
import sys
import urllib.error
import urllib.request
from collections import defaultdict
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from urllib.parse import unquote

ROOT = Path(__file__).resolve().parents[1]
SECONDS = 15.0
AT_ONCE = 4
GONE = (404, 410)
NO_SUCH_HOST = (socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME))
# Some hosts turn unnamed programs away.
HEADERS = {"User-Agent": "Mozilla/5.0 (link check of a course)", "Accept": "*/*"}

OK, MOVED, DOUBTFUL, DEAD, SILENT = "ok", "moved", "doubtful", "gone", "no connection"


# --- which links there are ------------------------------------------------------------------------


def without_code(markdown: str) -> str:
    """Return Markdown without its code, in which brackets are no links.

    >>> without_code("see `a[i](b)`")
    'see '
    """
    markdown = re.sub(r"^```.*?^```", "", markdown, flags=re.DOTALL | re.MULTILINE)
    return re.sub(r"`[^`\n]+`", "", markdown)


def targets(markdown: str) -> list[str]:
    """Return where the links and pictures of a Markdown text lead.

    >>> targets('[a](b.md#c "title") <img src="d.png"> <https://e.org>\\n\\n[f]: g.md')
    ['b.md#c', 'd.png', 'https://e.org', 'g.md']
    """
    pattern = (
        r"\]\(\s*<?([^)\s>]+)>?[^)]*\)"
        r"|\b(?:src|href)=[\"']([^\"']+)[\"']"
        r"|<(https?://[^>\s]+)>"
        r"|^\[[^\]]+\]:\s*(\S+)"
    )
    found = re.findall(pattern, without_code(markdown), flags=re.MULTILINE)
    return ["".join(groups) for groups in found]


def prose(path: Path) -> str:
    """Return the Markdown of a document or notebook."""
    text = path.read_text(encoding="utf-8")
    if path.suffix != ".ipynb":
        return text
    cells = json.loads(text)["cells"]
    return "\n\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "markdown")


def anchors(markdown: str, notebook: bool) -> set[str]:
    """Return the places in a text to which a link may lead, as JupyterLab or GitHub name them.

    >>> anchors("# 1.2 A part", notebook=True), anchors("# 1.2 A part", notebook=False)
    ({'1.2-A-part'}, {'12-a-part'})
    """
    markdown = re.sub(r"^```.*?^```", "", markdown, flags=re.DOTALL | re.MULTILINE)
    titles = re.findall(r"^#{1,6} +(.+?)\s*#*$", markdown, flags=re.MULTILINE)
    titles = [re.sub(r"\[([^\]]*)\]\([^)]*\)|[*`]", r"\1", title) for title in titles]
    if notebook:
        return {title.replace(" ", "-") for title in titles}
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


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


@dataclass(frozen=True)
class Answer:
    """What came of a link: OK, MOVED, DOUBTFUL, DEAD or SILENT, and the reason in words."""

    outcome: str
    reason: str = ""


def explained(error: Exception) -> Answer:
    """Return what it means that a request failed without an answer."""
    cause = getattr(error, "reason", error)
    if isinstance(cause, socket.gaierror):
        known = cause.errno in NO_SUCH_HOST
        return Answer(SILENT, "no such host" if known else "the name could not be looked up")
    if isinstance(cause, TimeoutError):
        return Answer(DOUBTFUL, f"no answer within {SECONDS:g} s")
    if isinstance(cause, ssl.SSLError):
        return Answer(DOUBTFUL, "the certificate could not be checked")
    if isinstance(cause, OSError):
        return Answer(SILENT, cause.strerror or type(cause).__name__)
    return Answer(DOUBTFUL, f"no proper answer ({type(cause).__name__})")


def ask(address: str, method: str, seconds: float) -> Answer:
    """Send one request; redirections are followed."""
    request = urllib.request.Request(address, headers=HEADERS, method=method)
    try:
        with urllib.request.urlopen(request, timeout=seconds) as response:
            final = response.geturl()
            return Answer(OK) if final == address else Answer(MOVED, f"now {final}")
    except urllib.error.HTTPError as error:
        error.close()
        return Answer(DEAD if error.code in GONE else DOUBTFUL, f"HTTP {error.code}")
    except (OSError, HTTPException, ValueError) as error:
        return explained(error)


def tried(address: str, seconds: float = SECONDS) -> Answer:
    """Ask for the header only, and for the page where that did not help."""
    answer = ask(address, "HEAD", seconds)
    if answer.outcome in (DEAD, DOUBTFUL) and answer.reason.startswith("HTTP"):
        answer = ask(address, "GET", seconds)
    return answer


def judged(answers: dict[str, Answer]) -> dict[str, Answer]:
    """Return the answers with "no such host" taken as gone, if others show that there is a network.

    >>> judged({"https://a.org": Answer(SILENT, "no such host"), "https://b.org": Answer(OK)})[
    ...     "https://a.org"
    ... ].outcome
    'gone'
    """
    if offline(answers):
        return answers
    return {
        address: (
            Answer(DEAD if answer.reason == "no such host" else DOUBTFUL, answer.reason)
            if answer.outcome == SILENT
            else answer
        )
        for address, answer in answers.items()
    }


def offline(answers: dict[str, Answer]) -> bool:
    """Return whether there is no network: not one link led to a connection.

    >>> offline({"https://a.org": Answer(SILENT)}), offline({"https://a.org": Answer(DEAD)})
    (True, False)
    """
    return bool(answers) and all(answer.outcome == SILENT for answer in answers.values())


def try_all(addresses: Iterable[str], seconds: float = SECONDS) -> dict[str, Answer]:
    """Try some links, a few at a time."""
    addresses = list(addresses)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        answers = pool.map(lambda address: tried(address, seconds), addresses)
        return judged(dict(zip(addresses, answers, strict=True)))


def main(arguments: list[str]) -> int:
    """Print each link with what came of it and the files it is in; return the exit status."""
    found = {address: ["command line"] for address in arguments} or collected(sources())
    answers = try_all(found)
    for address, answer in answers.items():
        print(f"{answer.outcome:13} {address}  {answer.reason}".rstrip())
        print(f"{'':13}   in {', '.join(found[address])}")
    if offline(answers):
        print("\nmake links: there is no network here, so nothing is known about the links.")
        return 2
    gone = [address for address, answer in answers.items() if answer.outcome == DEAD]
    unsure = sum(answer.outcome == DOUBTFUL for answer in answers.values())
    print(f"\nmake links: {len(answers)} links, {len(gone)} gone, {unsure} doubtful.")
    return 1 if gone else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
