"""What reaches the terminal is on one line and moves nothing there, whoever wrote it."""

import io
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from fer_edge import console
from fer_edge.errors import FerEdgeError, MissingExtraError

FER_EDGE = Path(sys.executable).with_name("fer-edge")
HOSTILE = "a\x1b]0;title\x07\nb\x9b2J\u202e[bold]\udce9"
SHOWN = r"a\x1b]0;title\x07\nb\x9b2J\u202e[bold]\xe9"


def test_lines_and_warnings_are_escaped(capsys):
    console.say(HOSTILE)
    console.warn(HOSTILE)
    assert capsys.readouterr() == (f"{SHOWN}\n", f"warning: {SHOWN}\n")


@pytest.mark.parametrize("terminal", [True, False])
def test_tables_and_progress_are_escaped(monkeypatch, capsys, terminal):
    out = Console(file=io.StringIO(), force_terminal=terminal, width=200, color_system=None)
    monkeypatch.setattr(console, "console", lambda: out)
    table = console.Table(HOSTILE, ("name",), [(HOSTILE,)], notes=(HOSTILE,))
    table.show()
    with console.progress(HOSTILE, 1) as step:
        step(1)
    with console.working(HOSTILE):
        pass
    said = out.file.getvalue() + capsys.readouterr().out
    assert said.count(SHOWN) >= 3
    for bad in ("\x1b]", "\x9b", "\u202e", "\x07"):
        assert bad not in said


@pytest.mark.parametrize("words", [["run", "--no\x1b[31m"], ["run", "no\x1b[31m.png"], ["no\x1b[31m"]])
def test_what_is_refused_is_quoted_escaped(words):
    done = subprocess.run([FER_EDGE, *words], capture_output=True, text=True, check=False)
    assert done.returncode in (1, 2)
    assert r"\x1b[31m" in done.stderr
    assert "\x1b" not in done.stderr + done.stdout


def test_a_terminal_without_the_letter_gets_it_escaped():
    command = [FER_EDGE, "inspect", "笑"]
    env = {"PYTHONIOENCODING": "latin-1", "PATH": "/usr/bin:/bin"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=env)
    assert done.stderr.startswith("fer-edge: ")
    assert r"\u7b11" in done.stderr


def test_plain_text_stays_as_it_is():
    assert str(FerEdgeError("row 3 (line 4): été 笑, not 0 to 6")) == "row 3 (line 4): été 笑, not 0 to 6"


def test_line_breaks_and_controls_of_a_quoted_file_do_not_reach_the_terminal():
    assert str(FerEdgeError("a\nb\x1b[31mc\x00\udc80")) == r"a b\x1b[31mc\x00\x80"


def test_the_middle_of_a_long_message_is_left_out():
    text = str(FerEdgeError("begin " + "x" * 10_000 + " end"))
    assert len(text) < 1100
    assert text.startswith("begin xxx")
    assert text.endswith("xxx end")


def test_a_missing_package_comes_with_its_command():
    assert str(MissingExtraError("keras", "train", "this")).endswith("pip install 'fer-edge[train]'")


def test_a_full_disk_behind_standard_output_is_a_line():
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [FER_EDGE, "inspect", "tuned_int8"], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert done.returncode == 1
    assert done.stderr == "fer-edge: cannot read or write: No space left on device\n"


@pytest.mark.parametrize("words", [("data", "x" * 300), ("data", "drawn:42", "--json", "x" * 300)])
def test_a_name_that_is_too_long_is_a_line(words, tmp_path):
    done = subprocess.run([FER_EDGE, *words], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr == f"fer-edge: cannot use {'x' * 300}: File name too long\n"
