"""Links: which there are, and what came of them, tried on a server on loopback."""

from __future__ import annotations

import doctest
import http.server
import json
import socket
import threading
import time
from pathlib import Path

import links
import pytest
from links import DEAD, DOUBTFUL, MOVED, OK, SILENT, Answer

PROSE = [path for path in links.sources() if path.suffix in (".md", ".ipynb")]


def test_the_examples_in_the_tool() -> None:
    assert doctest.testmod(links).failed == 0


# --- internal links -----------------------------------------------------------------------------


@pytest.mark.parametrize("path", PROSE, ids=lambda path: path.name)
def test_internal_links_lead_somewhere(path: Path) -> None:
    assert links.broken(links.prose(path), path) == []


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
@pytest.mark.parametrize("form", ["[x]({})", '<a href="{}">x</a>', "[x]: {}", '[x]({} "title")'])
def test_a_bad_link_is_not(folder: Path, target: str, complaint: str, form: str) -> None:
    text = f"# Own title\n\n{form.format(target)}"
    assert links.broken(text, folder / "own.md") == [f"link to {target!r}: {complaint}"]


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


class Server(http.server.BaseHTTPRequestHandler):
    """Answers /404 with 404 and so on; /get-only refuses HEAD; /hang never answers."""

    asked: list[tuple[str, str]] = []

    def answer(self) -> None:
        self.asked.append((self.command, self.path))
        name = self.path.strip("/")
        if name == "hang":
            time.sleep(3)
            return
        if name == "garbage":
            self.wfile.write(b"this is no HTTP\r\n\r\n")
            return
        refused = self.command == "HEAD"
        status = int(name) if name != "get-only" else 405 if refused else 200
        self.send_response(status)
        if status in (301, 302):
            self.send_header("Location", "/200")
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_HEAD = do_GET = answer

    def log_message(self, *_) -> None:
        pass


@pytest.fixture(scope="module")
def address():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "*")


@pytest.mark.parametrize(
    ("path", "outcome", "reason"),
    [
        ("200", OK, ""),
        ("301", MOVED, "now "),
        ("404", DEAD, "HTTP 404"),
        ("410", DEAD, "HTTP 410"),
        ("403", DOUBTFUL, "HTTP 403"),
        ("429", DOUBTFUL, "HTTP 429"),
        ("500", DOUBTFUL, "HTTP 500"),
        ("get-only", OK, ""),
        ("garbage", DOUBTFUL, "no proper answer"),
        ("hang", DOUBTFUL, "no answer within"),
    ],
)
def test_what_an_answer_means(address: str, path: str, outcome: str, reason: str) -> None:
    start = time.monotonic()
    answer = links.tried(address + path, seconds=0.5 if path == "hang" else 10)
    assert answer.outcome == outcome
    assert answer.reason.startswith(reason)
    assert time.monotonic() - start < 2.5


def test_the_page_is_asked_for_only_where_the_header_did_not_help(address: str) -> None:
    Server.asked.clear()
    for path in ("200", "get-only", "404"):
        links.tried(address + path)
    assert Server.asked == [
        *[("HEAD", "/200"), ("HEAD", "/get-only"), ("GET", "/get-only")],
        *[("HEAD", "/404"), ("GET", "/404")],
    ]


def closed_port() -> str:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{listener.getsockname()[1]}/"


def no_names(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    real = socket.getaddrinfo

    def lookup(host, *rest, **options):
        if host == "127.0.0.1":
            return real(host, *rest, **options)
        raise socket.gaierror(number, "not known")

    monkeypatch.setattr(socket, "getaddrinfo", lookup)


def test_without_a_network_nothing_is_judged(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    no_names(monkeypatch, socket.EAI_NONAME)
    assert links.main(["https://a.example/x", closed_port()]) == 2
    told = capsys.readouterr().out
    assert "there is no network here" in told
    assert "gone" not in told


@pytest.mark.parametrize(
    ("number", "outcome"), [(socket.EAI_NONAME, DEAD), (socket.EAI_AGAIN, DOUBTFUL)]
)
def test_a_host_without_a_name_is_gone_if_others_answer(
    monkeypatch: pytest.MonkeyPatch, address: str, number: int, outcome: str
) -> None:
    no_names(monkeypatch, number)
    answers = links.try_all(["http://a.example/x", f"{address}200", closed_port()])
    assert [answer.outcome for answer in answers.values()] == [outcome, OK, DOUBTFUL]


@pytest.mark.parametrize(
    ("paths", "status"), [(["200", "301", "500"], 0), (["200", "404"], 1), (["410"], 1)]
)
def test_the_exit_status(address: str, paths: list[str], status: int, capsys) -> None:
    assert links.main([address + path for path in paths]) == status
    told = capsys.readouterr().out
    assert f"{len(paths)} links, {status} gone" in told
    assert all(address + path in told for path in paths)


def test_silence_is_not_death() -> None:
    assert links.offline({}) is False
    assert links.judged({"a": Answer(SILENT, "no such host")})["a"].outcome == SILENT
