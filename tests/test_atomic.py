"""A file is the old one or the new one, whole, whatever becomes of the program that writes it."""

import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from course_utils import atomic
from course_utils.atomic import replacing

HALF = """
import sys
from course_utils.atomic import replacing
with replacing(sys.argv[1]) as stream:
    stream.write(b"half")
    stream.flush()
    print(flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def path(tmp_path):
    (tmp_path / "a.json").write_text("old")
    return tmp_path / "a.json"


def write(path, text=b"new"):
    with replacing(path) as stream:
        stream.write(text)


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL; elsewhere ten minutes have to pass")
def test_what_a_killed_program_left_is_removed_by_the_next_one(path):
    command = [sys.executable, "-c", HALF, str(path)]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, env=environment, **pipes) as program:
        program.stdout.readline()
        write(path, b"meanwhile")  # while it runs, its file stays
        (half,) = (p for p in path.parent.iterdir() if p != path)
        assert half.read_bytes() == b"half"
        program.send_signal(signal.SIGKILL)
    assert path.read_bytes() == b"meanwhile" and half.exists()
    write(path)
    assert [*path.parent.iterdir()] == [path] and path.read_bytes() == b"new"


def test_unfinished_files_of_others_stay(path):
    """Of a process that runs, of another machine, of another file, of somebody else."""
    me, host = os.getpid(), atomic._HOST
    names = [f".a.json.{host}-{me}.abc.tmp", f".a.json.elsewhere-{me}.abc.tmp"]
    names += [f".a.json2.{host}-999999999.abc.tmp", ".a.json.backup", "a.json.tmp", ".a.json.tmp"]
    for name in names:
        (path.parent / name).touch()
    write(path)
    assert {p.name for p in path.parent.iterdir()} == {path.name, *names}
    long_ago = time.time() - 3600
    os.utime(path.parent / names[1], (long_ago, long_ago))
    write(path)
    assert not (path.parent / names[1]).exists()


@pytest.mark.parametrize("stop", [KeyboardInterrupt, OSError])
def test_who_stops_half_way_leaves_the_old_file_alone(path, stop):
    with pytest.raises(stop), replacing(path) as stream:
        stream.write(b"half")
        raise stop
    assert [*path.parent.iterdir()] == [path] and path.read_text() == "old"


@pytest.mark.skipif(os.name != "posix", reason="there, files have no such mode")
def test_a_new_file_has_the_rights_that_the_user_wants(path):
    before = os.umask(0o027)
    try:
        write(path)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
