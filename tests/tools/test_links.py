"""Links: which there are, where they lead, and what Sphinx says of those that lead elsewhere."""

from __future__ import annotations

import doctest
import http.server
import importlib.util
import json
import threading
from pathlib import Path

import lesson_map
import links
import pytest

PROSE = [path for path in links.sources() if path.suffix in (".md", ".ipynb")]


def test_the_examples_in_the_tool() -> None:
    assert doctest.testmod(links).failed == 0


# --- internal links -----------------------------------------------------------------------------


@pytest.mark.parametrize("path", PROSE, ids=lambda path: path.name)
def test_internal_links_lead_somewhere(path: Path) -> None:
    assert links.broken(lesson_map.prose(path), path) == []


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    cells = [
        {"cell_type": "markdown", "source": ["# 2 · Rates\n", "\n", "## 2.1 A part\n"]},
        {"cell_type": "code", "source": "# no heading"},
    ]
    (tmp_path / "02_b.ipynb").write_text(json.dumps({"cells": cells}), encoding="utf-8")
    (tmp_path / "a.md").write_text("# The *first* `one`, twice\n\n```\n# code\n```\n")
    return tmp_path


@pytest.mark.parametrize(
    "target",
    ["a.md", "a.md#the-first-one-twice", "02_b.ipynb", "02_b.ipynb#2.1-A-part", "#own-title",
     "02_b.ipynb#2-%C2%B7-Rates", "https://nowhere.example/x"],
)  # fmt: skip
def test_a_good_link_is_accepted(folder: Path, target: str) -> None:
    assert links.broken(f"# Own title\n\n[x]({target})", folder / "own.md") == []


@pytest.mark.parametrize(
    ("target", "complaint"),
    [
        ("b.md", "no such file"),
        ("b.md#x", "no such file"),
        ("a.md#code", "no such heading"),
        ("a.md#The-first-one-twice", "no such heading"),
        ("02_b.ipynb#21-a-part", "no such heading"),
        ("02_b.ipynb#no-heading", "no such heading"),
        ("#nowhere", "no such heading"),
    ],
)
@pytest.mark.parametrize(
    "form", ["[x]({})", '<a href="{}">x</a>', "[x]\n\n[x]: {}", '[x]({} "title")']
)
def test_a_bad_link_is_not(folder: Path, target: str, complaint: str, form: str) -> None:
    text = f"# Own title\n\n{form.format(target)}"
    assert links.broken(text, folder / "own.md") == [f"link to {target!r}: {complaint}"]


# The second of two equal headings, a heading with a line below it, a place without a heading.
PLACES = '# A\n\n# A\n\nB c\n---\n\n<a id="here"></a>\n\n'


@pytest.mark.parametrize(
    ("text", "complaints"),
    [
        ("[x](#a-1)", 0),
        ("[x](#a-2)", 1),
        ("[x](#b-c)", 0),
        ("[x](#here)", 0),
        ("[x](#there)", 1),
        ("~~~\n[x](#there)\n~~~", 0),
        ("- a list\n\n  ```\n  [x](#there)\n  ```", 0),
        ("~~~\n# there\n~~~\n[x](#there)", 1),
        ("    [x](#there)", 0),
        ("| a |\n|---|\n| [x](#there) |", 1),
    ],
)
def test_places_and_code_are_those_of_markdown(tmp_path: Path, text: str, complaints: int) -> None:
    assert len(links.broken(PLACES + text, tmp_path / "own.md")) == complaints


# --- external links -----------------------------------------------------------------------------


def test_each_link_is_listed_with_its_files(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text(
        "<https://x.org/1>, [x](https://x.org/2#part) and arXiv:1412.6980"
    )
    (tmp_path / "b.md").write_text("[x](https://x.org/1).")
    assert links.collected([tmp_path / "a.md", tmp_path / "b.md"], tmp_path) == {
        "https://arxiv.org/abs/1412.6980": ["a.md"],
        "https://x.org/1": ["a.md", "b.md"],
        "https://x.org/2": ["a.md"],
    }


def test_the_links_of_the_course_are_found() -> None:
    found = links.collected(links.sources())
    assert "README.md" in found["https://pytorch.org/get-started"]
    assert any(file.endswith(".ipynb") for files in found.values() for file in files)


FAILED = "HTTPSConnectionPool(host='a.org', port=443): Max retries exceeded (Caused by {})"
NO_HOST = FAILED.format("NameResolutionError([Errno -2] Name or service not known)")
NO_ANSWER = FAILED.format("NameResolutionError([Errno -3] Temporary failure in name resolution)")
WORKING = {"status": "working", "info": ""}


@pytest.mark.parametrize(
    ("info", "word"),
    [
        ("404 Client Error: Not Found for url: https://a.org", "gone"),
        ("410 Client Error: Gone for url: https://a.org", "gone"),
        ("403 Client Error: Forbidden for url: https://a.org/404", "doubtful"),
        ("500 Server Error: Internal Server Error", "doubtful"),
        (NO_HOST, "gone"),
        (NO_ANSWER, "doubtful"),
        ("Read timed out. (read timeout=15)", "doubtful"),
    ],
)
def test_what_an_answer_means(info: str, word: str) -> None:
    report = {"status": "broken", "info": info}
    assert links.verdicts({"https://a.org": report, "https://b.org": WORKING}) == {
        "https://a.org": word,
        "https://b.org": "ok",
    }


@pytest.mark.parametrize(
    ("info", "status", "told"),
    [
        (NO_HOST, 2, "there is no network here"),
        ("404 Client Error", 1, "1 links, 1 gone, 0 doubtful"),
        ("500 Server Error", 0, "1 links, 0 gone, 1 doubtful"),
    ],
)
def test_the_exit_status(
    monkeypatch: pytest.MonkeyPatch, capsys, info: str, status: int, told: str
) -> None:
    monkeypatch.setattr(links, "collected", lambda paths: {"https://a.org": ["a.md"]})
    reports = {"https://a.org": {"status": "broken", "info": info}}
    monkeypatch.setattr(links, "tried", lambda found: reports)
    assert links.main() == status
    assert told in capsys.readouterr().out


class Server(http.server.BaseHTTPRequestHandler):
    """Answers /404 with 404 and so on."""

    def answer(self) -> None:
        self.send_response(int(self.path[1:]))
        self.send_header("Location", "/200")
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_HEAD = do_GET = answer

    def log_message(self, *_) -> None:
        pass


@pytest.mark.skipif(
    importlib.util.find_spec("sphinx") is None,
    reason="Sphinx is not installed; the first `make links` installs it.",
)
def test_what_sphinx_reports_is_understood(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "*")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}/"
    expected = {"200": "ok", "301": "moved", "404": "gone", "410": "gone", "403": "doubtful"}
    found = links.verdicts(links.tried([address + path for path in expected]))
    server.shutdown()
    server.server_close()
    assert found == {address + path: word for path, word in expected.items()}
