"""The loop's benchmark: frames at other sizes, one real run."""

import io

import numpy as np
import pytest
from rich.console import Console

from fer_edge.bench import loop
from fer_edge.errors import SourceError
from fer_edge.model.shipped import find_model


@pytest.mark.parametrize(
    ("size", "inside"),
    [((160, 90), np.s_[30:210]), ((100, 200), np.s_[:, 100:220])],
    ids=["doubled, 30 rows of black above and below", "120 wide, from 100 to 220"],
)
def test_frames_keep_their_proportions_between_black_bars(size, inside):
    got = loop.framed(np.full((size[1], size[0], 3), 200, np.uint8), (320, 240))
    assert got.shape == (240, 320, 3)
    assert (got[inside] == 200).all()
    got[inside] = 0
    assert not got.any()


def test_the_middle_run_is_told_and_disturbed_if_any_was():
    got = loop._merged([{"fps": fps, "disturbed": fps == 30} for fps in (30, 10, 20)])
    assert got == {"fps": 20, "disturbed": True}


def test_a_real_run(media):
    given = {"detector": "haar", "rounds": 1, "sizes": ((320, 240),)}
    value = loop.run(media / "neutral_to_smile.mp4", find_model("tuned_int8"), **given)
    (row,) = value["loop"]["rows"]
    assert (row["width"], row["height"], row["frames"]) == (320, 240, 72)
    assert {"read", "detect", "crop", "classify", "draw", "write", "other"} == row["stages_ms"].keys()
    assert sum(row["stages_ms"].values()) == pytest.approx(1000 / row["fps"])
    assert 30 < row["peak_rss_mib"] < 300
    table = loop.table(value)
    (cells,) = table.rows
    assert cells[0] == "320x240"
    out = io.StringIO()
    Console(file=out, width=80).print(table.on_terminal(80))
    assert "…" not in out.getvalue()
    assert {"detect", "classify", "fps"} <= set(out.getvalue().split())


def test_what_is_no_video_is_refused(tmp_path):
    path = tmp_path / "no.mp4"
    path.write_text("no video")
    with pytest.raises(SourceError, match=r"no\.mp4"):
        loop.run(path, find_model("tuned_int8"))
