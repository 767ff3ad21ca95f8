"""The one table: on terminals of every width, plain, as Markdown and as CSV."""

import csv
import io
import time

import pytest
from rich.console import Console

from fer_edge import console
from fer_edge.console import Table


def table():
    made = Table(
        "a title",
        ("model", "p50 ms", "acc %", "MiB", "why"),
        words=("model", "why"),
        optional=("MiB", "acc %"),
        notes=["A note."],
    )
    made.add("edge_ferplus_dynamic_range", "0.410*", 69.31, None, "a reason of several words, which wrap")
    made.add("nano", "12.3", 7, 57, "a|b")
    return made


def printed(width):
    out = io.StringIO()
    Console(file=out, width=width).print(table().on_terminal(width))
    return out.getvalue()


@pytest.mark.parametrize("width", [46, 60, 80, 120, 200])
def test_nothing_is_cut_on_any_terminal(width):
    text = printed(width)
    assert "…" not in text
    assert "edge_ferplus_dynamic_range" in text
    assert "0.410*" in text
    assert max(len(line.rstrip()) for line in text.splitlines()) <= width


def test_narrow_terminals_do_without_the_optional_columns_in_their_order():
    # model 26, p50 6, acc 5, MiB 3, the longest word of why 7, and two columns between each
    shown = {width: [name for name in ("MiB", "acc %") if name in printed(width)] for width in (55, 54, 49)}
    assert shown == {55: ["MiB", "acc %"], 54: ["acc %"], 49: []}


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


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "-"), (0.41234, "0.412"), (4.1234, "4.12"), (41.234, "41.2"), (412.34, "412")],
)
def test_milliseconds_have_three_figures(value, text):
    assert console.milliseconds(value) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [(None, "-"), (93_000, "93 kB"), (999_499, "999 kB"), (1_000_000, "1.00 MB"), (2_571_740, "2.57 MB")],
)
def test_sizes_are_decimal(count, text):
    assert console.size(count) == text


def test_a_bar_moves_while_a_step_takes_long(monkeypatch):
    out = Console(file=io.StringIO(), force_terminal=True, width=80)
    monkeypatch.setattr(console, "console", lambda: out)
    with console.progress("a long step", 2):
        shown = len(out.file.getvalue())
        assert shown
        time.sleep(1.5)
        assert len(out.file.getvalue()) > shown
