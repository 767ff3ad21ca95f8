"""Table, CSV, Markdown, picture and advice of a benchmark."""

import csv
import io

import pytest
from bench_rows import result, row
from rich.console import Console

from fer_edge.bench import report
from fer_edge.errors import OutputError

LONG = row("edge_ferplus_dynamic_range", fps=36975.0, agreement=1.0, disturbed=True)


@pytest.mark.parametrize("width", [40, 60, 80, 100, 120, 200])
def test_no_name_is_cut_on_any_terminal_and_80_columns_hold_what_matters(width):
    out = io.StringIO()
    table = report.table(result(row("edge_ferplus_float32", p50=0.82), LONG))
    Console(file=out, width=width).print(table.on_terminal(width))
    lines = out.getvalue().splitlines()
    assert max(len(line.rstrip()) for line in lines) <= width
    assert "…" not in out.getvalue()
    assert lines[-1].startswith("edge_ferplus_dynamic_range")
    wanted = ("model", "size", "p50 ms", "min", "speed-up", "acc %", "agree %")
    assert width < 80 or all(header in out.getvalue() for header in wanted)


def test_no_column_is_empty():
    headers = report.table(result(row(accuracy=None, macro_f1=None, peak_rss_mib=None))).headers
    assert {"acc %", "F1 %", "MiB", "agree %", "speed-up", "thr"}.isdisjoint(headers)
    assert "load ms" in headers


def test_speed_up_is_against_the_same_networks_float32_on_as_many_threads():
    rows = [row("a_float32", 1.0), row("a_int8", 0.4), row("a_int8", 0.2, threads=2), row("b_int8", 0.1)]
    found = report.table(result(*rows))
    column = list(found.headers).index("speed-up")
    assert [cells[column] for cells in found.rows] == ["1.0", "2.5", None, None]


def test_csv_has_every_figure_and_empty_cells_for_null():
    (line,) = csv.DictReader(io.StringIO(report.csv(result())))
    assert line["model"] == "paper_dynamic_range"
    assert (float(line["latency_p99_ms"]), float(line["latency_p50_low_ms"])) == (12.3, 0.405)
    assert (line["agreement"], line["disturbed"], line["accuracy_low"]) == ("", "False", "0.678")


def test_markdown():
    text = report.table(result(row(disturbed=True))).markdown()
    header, _, line = (text.strip("| ").split(" | ") for text in text.splitlines()[:3])
    cells = dict(zip(header, line, strict=True))
    assert (cells["model"], cells["size"], cells["p50 ms"]) == ("paper_dynamic_range", "2.57 MB", r"0.410\*")
    assert (cells["acc %"], cells["MiB"], cells["min"]) == ("69.31", "57", "0.400")
    assert "A processor, Linux, ai-edge-litert 2.3.0" in text
    assert (
        "3589 pictures (PrivateTest, protocol official): the 95 % interval of 69.3 % is 67.8 to 70." in text
    )
    assert ("busy" in text, "busy" in report.table(result()).markdown()) == (True, False)


def test_advice_is_the_fastest_within_half_a_point_of_the_best(capsys):
    rows = [
        row("a_float32", 1.0, 0.700),
        row("a_int8", 0.3, 0.695),  # just near enough
        row("a_dynamic_range", 0.2, 0.694),
        row("b_int8", 0.1, None, card_accuracy=0.6),
        row("c_int8", 0.1, None, card_accuracy=None),
        row("d_float32", 0.5, 0.6),
        row("d_int8", 0.4, 0.6, disturbed=True),
    ]
    a, b, d = report.advice(rows)
    told = {"network": "a", "model": "a_int8", "threads": 1, "p50_ms": 0.3, "disturbed": False}
    assert a == {**told, "accuracy": 0.695, "best_accuracy": 0.7}
    assert (b["model"], d["model"], d["disturbed"]) == ("b_int8", "d_int8", True)
    report.advice_table(result(*rows)).show()
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.split() == ["d", "d_int8", "1", "0.400*", "60.00", "60.00"]


def test_pareto_front_by_hand():
    points = [(1.0, 60.0), (0.5, 50.0), (2.0, 59.0), (1.0, 55.0), (3.0, 70.0), (0.5, 50.0)]
    assert report.pareto_front(points) == [(0.5, 50.0), (1.0, 60.0), (3.0, 70.0)]


def test_picture_has_quiet_times_alone_and_all_sizes(tmp_path, monkeypatch):
    from matplotlib.figure import Figure

    seen, save = [], Figure.savefig
    monkeypatch.setattr(Figure, "savefig", lambda self, *a, **k: seen.append(self) or save(self, *a, **k))
    busy = row("a_int8", accuracy=None, card_accuracy=0.5, disturbed=True)
    unknown = row("b", accuracy=None)
    report.draw(result(row("a_float32", accuracy=0.6), busy, unknown), tmp_path / "p.png")
    assert [len(axes.collections) for axes in seen[0].axes] == [1, 2]
    assert (tmp_path / "p.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(OutputError, match="no accuracy is known"):
        report.draw(result(unknown), tmp_path / "q.png")
