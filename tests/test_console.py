"""What is printed: on one line and harmless, whoever wrote it; tables on terminals of every width."""

import csv
import io
import sys
from pathlib import Path

import pytest
from processes import fer_edge
from rich.console import Console

from fer_edge import console
from fer_edge.console import Table
from fer_edge.errors import FerEdgeError, OutputError

HOSTILE = "a\x1b]0;title\x07\nb\x9b2J\u202e[bold]\udce9"
SHOWN = r"a\x1b]0;title\x07\nb\x9b2J\u202e[bold]\xe9"


@pytest.fixture
def terminal(monkeypatch):
    out = Console(file=io.StringIO(), force_terminal=True, width=200, color_system=None)
    monkeypatch.setattr(console, "console", lambda: out)
    return out


def _say_all():
    console.say(HOSTILE)
    console.warn(HOSTILE)
    Table(HOSTILE, ("name",), [(HOSTILE,)], notes=(HOSTILE,)).show()
    with console.progress(HOSTILE, 1) as step:
        step(1)
    with console.working(HOSTILE):
        pass


def test_all_that_is_printed_is_escaped_on_a_terminal(terminal, capsys):
    _say_all()
    said = terminal.file.getvalue() + "".join(capsys.readouterr())
    assert said.count(SHOWN) >= 6
    assert not any(bad in said for bad in ("\x1b]", "\x9b", "\u202e", "\x07"))


def test_what_is_being_done_is_said_before_it_begins(terminal):
    with console.working("starting Keras"):
        assert "starting Keras" in terminal.file.getvalue()


def test_all_that_is_printed_is_escaped_without_one(capsys):
    _say_all()
    out, errors = capsys.readouterr()
    assert errors == f"warning: {SHOWN}\n"
    assert out.splitlines() == [SHOWN, "name", SHOWN, SHOWN, f"{SHOWN} ..."]


@pytest.mark.parametrize("words", [["run", "--no\x1b[31m"], ["run", "no\x1b[31m.png"], ["no\x1b[31m"]])
def test_what_is_refused_is_quoted_escaped(words):
    done = fer_edge(*words)
    assert done.returncode in (1, 2)
    assert r"\x1b[31m" in done.stderr
    assert "\x1b" not in done.stderr + done.stdout


def test_a_terminal_without_the_letter_gets_it_escaped():
    said = fer_edge("inspect", "笑", variables={"PYTHONIOENCODING": "latin-1"}).stderr
    assert said.startswith("fer-edge: ")
    assert r"\u7b11" in said


def test_an_error_is_one_line_and_the_middle_of_a_long_one_is_left_out():
    assert str(FerEdgeError("été 笑 a\nb\x1b[31mc\x00\udc80")) == r"été 笑 a b\x1b[31mc\x00\x80"
    long = str(FerEdgeError("begin " + "x" * 10_000 + " end"))
    assert (long[:7], long[-5:], " ... " in long, len(long) < 1010) == ("begin x", "x end", True, True)


def test_a_full_disk_behind_standard_output_and_a_closed_one_are_a_line(monkeypatch):
    with Path("/dev/full").open("w") as full:
        done = fer_edge("inspect", "tuned_int8", stdout=full, code=1)
    assert done.stderr == "fer-edge: cannot read or write: No space left on device\n"
    monkeypatch.setattr(sys, "stdout", None)
    with pytest.raises(OutputError, match="standard output: it is closed"):
        console.write_json("-", {})


@pytest.mark.parametrize("words", [("data", "x" * 300), ("data", "drawn:42", "--json", "x" * 300)])
def test_a_name_that_is_too_long_is_a_line(words, tmp_path):
    done = fer_edge(*words, cwd=tmp_path, code=1)
    assert done.stderr == f"fer-edge: cannot use {'x' * 300}: File name too long\n"


def table():
    headers, words = ("model", "p50 ms", "acc %", "MiB", "why"), ("model", "why")
    made = Table("a title", headers, words=words, optional=("MiB", "acc %"), notes=["A note."])
    made.add("edge_ferplus_dynamic_range", "0.410*", 69.31, None, "a reason of several words, which wrap")
    made.add("nano", "12.3", 7, 57, "a|b")
    return made


@pytest.mark.parametrize(
    ("width", "optional"),  # model 26, p50 6, acc 5, MiB 3, the longest word of why 7, two columns between
    [(200, ["MiB", "acc %"]), (55, ["MiB", "acc %"]), (54, ["acc %"]), (49, []), (46, [])],
)
def test_narrow_terminals_do_without_optional_columns_and_nothing_is_cut(width, optional):
    out = io.StringIO()
    Console(file=out, width=width).print(table().on_terminal(width))
    text = out.getvalue()
    assert [name for name in ("MiB", "acc %") if name in text] == optional
    assert "edge_ferplus_dynamic_range" in text
    assert "0.410*" in text
    assert max(len(line.rstrip()) for line in text.splitlines()) <= width


def test_a_table_that_is_too_wide_for_the_terminal_is_whole():
    out = io.StringIO()
    matrix = Table("", ("", "surprise", "neutral"), [("surprise", 123, 4567)])
    Console(file=out, width=16).print(matrix.on_terminal(16), crop=False)
    assert "surprise       123     4567" in out.getvalue()


def test_plain_lines_where_there_is_no_terminal(capsys):
    table().show()
    assert capsys.readouterr().out.splitlines() == [
        "model                       p50 ms  acc %  MiB  why",
        "edge_ferplus_dynamic_range  0.410*  69.31    -  a reason of several words, which wrap",
        "nano                          12.3      7   57  a|b",
        "A note.",
    ]


def test_markdown_and_csv():
    lines = table().markdown().splitlines()
    assert lines[:2] == ["| model | p50 ms | acc % | MiB | why |", "| --- | --: | --: | --: | --- |"]
    assert lines[3] == r"| nano | 12.3 | 7 | 57 | a\|b |"
    assert r"0.410\*" in lines[2]
    assert lines[4:] == ["", "A note."]
    rows = list(csv.reader(io.StringIO(table().csv())))
    assert rows[1][:4] == ["edge_ferplus_dynamic_range", "0.410*", "69.31", ""]
    strange = console.Table("", ["file", "acc"], [["m\udce9\n.tflite", 0.5]])  # a name that is no UTF-8
    assert strange.csv().encode() == b"file,acc\nm\\xe9\\n.tflite,0.5\n"


def test_figures_are_short():
    times = {None: "-", 0.41234: "0.412", 4.1234: "4.12", 41.234: "41.2", 412.34: "412"}
    sizes = {93_000: "93 kB", 999_499: "999 kB", 1_000_000: "1.00 MB", 2_571_740: "2.57 MB"}
    assert {value: console.milliseconds(value) for value in times} == times
    assert {value: console.size(value) for value in sizes} == sizes
