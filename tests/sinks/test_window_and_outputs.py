"""Whether there is a display, and what may be written where."""

from pathlib import Path

import pytest

from fer_edge.errors import OutputError, UsageError
from fer_edge.sinks import Outputs
from fer_edge.sinks.window import why_no_window


def test_without_a_display_no_window_is_tried():
    assert "DISPLAY" in why_no_window({}, "linux")


def test_a_display_that_does_not_answer_does_not_end_the_process():
    dead = {"DISPLAY": ":987", "PATH": "", "HOME": "/"}
    assert why_no_window(dead, "linux") is not None


def test_an_output_that_exists_is_refused_without_force(tmp_path):
    path = tmp_path / "o.jsonl"
    path.write_text("x")
    with pytest.raises(OutputError, match="--force"):
        Outputs(jsonl=path).check(None, False)
    Outputs(jsonl=path).check(None, True)


def test_a_folder_may_be_saved_into(tmp_path):
    Outputs(save=tmp_path).check(None, False)


@pytest.mark.parametrize(
    ("outputs", "json"), [(Outputs(jsonl=Path("-")), "-"), (Outputs(jsonl=Path("a"), csv=Path("a")), None)]
)
def test_two_outputs_cannot_share_a_place(outputs, json):
    with pytest.raises(UsageError, match="two outputs"):
        outputs.check(json, True)
