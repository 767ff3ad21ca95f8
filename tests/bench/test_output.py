"""Table, CSV and Markdown of a benchmark."""

import csv
import io
import re

import pytest
from rich.console import Console

from fer_edge.bench import flat, output, sheets
from fer_edge.bench.html import page
from fer_edge.bench.plot import pareto_front


def result(**changes):
    latency = {
        "min": 0.4,
        "p50": 0.41,
        "p50_low": 0.405,
        "p50_high": 0.42,
        "p90": 0.5,
        "p99": 12.3,
        "mean": 0.43,
    }
    row = {
        "model": "paper_dynamic_range",
        "format": "dynamic_range",
        "bytes": 2_570_000,
        "threads": 1,
        "load_ms": 3.2,
        "first_ms": 0.6,
        "latency_ms": latency,
        "cpu_ms": 0.42,
        "disturbed": False,
        "fps": 1000 / 0.41,
        "peak_rss_mib": 57.4,
        "accuracy": 0.69312,
        "macro_f1": 0.67,
        "agreement": None,
        **changes,
    }
    machine = {"cpu": "A processor", "system": "Linux", "interpreter": "ai-edge-litert 2.3.0"}
    data = {"n": 3589, "split": "PrivateTest", "protocol": "official"}
    return {
        "schema": 1,
        "machine": machine,
        "config": {"warmup": 5, "runs": 10, "data": data},
        "results": [row],
    }


@pytest.mark.parametrize(
    ("count", "text"),
    [(93_000, "93 kB"), (999_499, "999 kB"), (1_000_000, "1.00 MB"), (2_571_740, "2.57 MB")],
)
def test_sizes_are_decimal(count, text):
    assert output.size(count) == text


@pytest.mark.parametrize("width", [40, 60, 80, 100, 120, 200])
@pytest.mark.parametrize("disturbed", [False, True])
def test_table_fits_and_nothing_is_cut(width, disturbed):
    out = io.StringIO()
    wide = result(disturbed=disturbed, fps=36975.0, agreement=1.0)
    Console(file=out, width=width).print(output.table(wide, width))
    lines = out.getvalue().splitlines()
    assert max(len(line.rstrip()) for line in lines) <= width
    assert "…" not in out.getvalue()
    assert lines[-1].startswith("paper_dynamic_range")


def test_more_columns_where_there_is_room_and_none_that_are_empty():
    narrow, wide = (
        {column.header for column in output.chosen_columns(result()["results"], width)} for width in (60, 200)
    )
    assert {"model", "p50 ms", "size", "acc %"} <= narrow < wide
    assert "load ms" in wide - narrow
    assert "agree %" not in wide
    unmeasured = result(accuracy=None, macro_f1=None, peak_rss_mib=None)["results"]
    shown = {column.header for column in output.chosen_columns(unmeasured, 200)}
    assert shown.isdisjoint({"acc %", "F1 %", "MiB"})


def test_csv_has_every_figure_and_empty_cells_for_null():
    (row,) = csv.DictReader(io.StringIO(flat.as_csv(result())))
    assert row["model"] == "paper_dynamic_range"
    assert float(row["latency_p99_ms"]) == 12.3
    assert float(row["latency_p50_low_ms"]) == 0.405
    assert row["agreement"] == ""
    assert row["disturbed"] == "False"


def test_markdown():
    lines = output.markdown(result(disturbed=True)).splitlines()
    header, rule, row = (line.strip("| ").split(" | ") for line in lines[:3])
    cells = dict(zip(header, row, strict=True))
    assert len(rule) == len(header)
    assert cells["model"] == "paper_dynamic_range"
    assert cells["size"] == "2.57 MB"
    assert cells["p50 ms"] == r"0.410\*"
    assert cells["acc %"] == "69.31"
    assert cells["MiB"] == "57"
    text = "\n".join(lines[3:])
    assert "A processor, Linux, ai-edge-litert 2.3.0" in text
    assert (
        "3589 pictures (PrivateTest, protocol official): the 95 % interval of 69.3 % is 67.8 to 70.8 %"
        in text
    )
    assert "busy" in text
    assert "busy" not in output.markdown(result())


def test_page_is_one_file_and_escapes_what_it_shows():
    text = page(result(model="<b>&x"))
    assert text.count("<svg") == text.count("</svg>") == 1
    assert "<td>&lt;b&gt;&amp;x</td>" in text
    assert "<td>69.31</td>" in text
    assert not re.search(
        r"""(src|href)=["'](?!#)""", text.replace("xlink:href", "href")
    )  # nothing from elsewhere


def with_everything():
    value = result(
        macs=71_550_720,
        parts_ms={"crop": 0.05, "input": 0.003, "inference": 0.4, "output": 0.005},
        floor_ms=0.328,
        accuracy_interval=[0.678, 0.708],
        energy_mj=1.5,
        projections=[{"board": "Board", "at_peak_ms": 4.78, "at_network_ms": None}],
        profile=[
            {"op": "CONV_2D", "shape": [1, 8], "macs": 40_000_000, "ms": 0.3, "ms_low": 0.2, "ms_high": 0.4},
            {"op": "SOFTMAX", "shape": [1, 7], "macs": 0, "ms": 0.1, "ms_low": 0.0, "ms_high": 0.2},
        ],
    )
    limits = {"float32_gmacs": 52.4, "float32_by": "numpy", "int8_gmacs": 208.4, "int8_by": "LiteRT"}
    value["limits"] = {**limits, "cache_gbs": 56.4, "memory_gbs": 23.4, "boards": ["Board: a core"]}
    value["energy"] = {"meter": None, "idle_w": None, "reason": "not readable here: no meter"}
    return value


def test_sheets_say_parts_floor_and_operators():
    parts, floors, operators = sheets.all_of(with_everything())
    assert parts.rows == (("paper_dynamic_range", "1", "0.050", "0.003", "0.400", "0.005"),)
    # 0.41 / 0.328 = 1.25
    assert floors.rows == (("paper_dynamic_range", "1", "71.6", "0.328", "1.25", "4.8..-"),)
    assert "52 G multiply-accumulates" in floors.notes[0]
    assert "projections, not measurements" in floors.notes[1]
    conv, softmax = operators.rows
    assert conv == ("CONV_2D", "1x8", "40.00", "300.0", "200.0..400.0", "75", "133")  # 40 M in 0.3 ms
    assert softmax[-2:] == ("25", "")
    assert sheets.all_of(result()) == []


def test_all_forms_carry_the_sheets():
    value = with_everything()
    text = output.markdown(value)
    assert "| model | thr | M MAC | floor ms |" in text
    assert "Energy: not readable here: no meter." in text
    assert "<td>4.8..-</td>" in page(value)
    (row,) = csv.DictReader(io.StringIO(flat.as_csv(value)))
    assert (row["parts_crop_ms"], row["accuracy_low"], row["floor_ms"]) == ("0.05", "0.678", "0.328")
    assert not {"profile", "projections"} & row.keys()


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "-"), (0.41234, "0.412"), (4.1234, "4.12"), (41.234, "41.2"), (412.34, "412")],
)
def test_milliseconds_have_three_figures(value, text):
    assert sheets.ms(value) == text


def test_pareto_front_by_hand():
    points = [(1.0, 60.0), (0.5, 50.0), (2.0, 59.0), (1.0, 55.0), (3.0, 70.0), (0.5, 50.0)]
    assert pareto_front(points) == [(0.5, 50.0), (1.0, 60.0), (3.0, 70.0)]
    assert pareto_front([]) == []
