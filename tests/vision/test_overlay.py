"""What is drawn: in sight at any size, and on the source's own frame only where it may be."""

import numpy as np
import pytest
from loop_fakes import face

from fer_edge.spec import LABELS
from fer_edge.vision.overlay import COLORS, Overlay, drawn_names, panel_place

HAPPY = (0, 0, 0, 1, 0, 0, 0)


def count(canvas, color):
    return int((canvas == np.array(color, np.uint8)).all(axis=2).sum())


@pytest.mark.parametrize("size", [(120, 160), (240, 320), (480, 640), (1080, 1920), (48, 48)])
def test_box_and_bars_are_in_sight_at_any_size(size):
    height, width = size
    frame = np.full((height, width, 3), 100, np.uint8)
    box = (width // 4, height // 3, height // 3, height // 3)
    drawn = Overlay(LABELS).draw(frame, (face("happy", HAPPY, box=box),))
    assert drawn.shape == frame.shape
    assert tuple(drawn[box[1] + box[3] - 1, box[0] + box[2] // 2]) == COLORS["happy"]
    assert count(drawn, COLORS["happy"]) > 4 * box[2]
    assert (frame == 100).all()


def test_bars_are_as_long_as_their_shares_and_an_uncertain_face_and_a_foreign_label_are_drawn():
    black = np.zeros((480, 640, 3), np.uint8)

    def drawn(label=None, sad=0.0):
        one = face(label, (0, 0, 0, 0, sad, 0, 0), box=(50, 200, 100, 100))
        return Overlay(LABELS).draw(black, (one,))

    whole, half = (count(drawn(sad=share), COLORS["sad"]) for share in (1.0, 0.5))
    assert whole == pytest.approx(2 * half, rel=0.1)
    assert count(drawn(), COLORS[None]) > 90
    assert Overlay(("contempt",)).draw(black, (face("contempt", (1,), box=(50, 50, 90, 90)),)).any()


@pytest.mark.parametrize(
    ("box", "others", "corner"),
    [
        ((10, 20, 100, 100), (), (110, 20)),  # room on the right
        ((520, 20, 110, 100), (), (370, 20)),  # on the left only
        ((10, 470, 100, 10), (), (110, 380)),  # moved up to stay inside
        ((0, 0, 570, 480), (), (490, 0)),  # nothing free: the least is covered
        ((80, 120, 190, 190), [(240, 140, 170, 170)], (80, 310)),  # another face on the right
    ],
)
def test_the_panel_lies_beside_the_face_and_inside_the_frame(box, others, corner):
    assert panel_place(box, (150, 100), (640, 480), others) == corner


def test_labels_that_opencv_s_font_lacks_are_drawn_otherwise_and_named(capsys):
    labels = ("愤怒", "tristesse", "étonné")
    assert list(drawn_names(labels).values()) == ["label 1", "tristesse", "etonne"]
    assert capsys.readouterr().out.strip().endswith(": 愤怒 as 'label 1', étonné as 'etonne'")
    frame = np.zeros((480, 640, 3), np.uint8)
    assert Overlay(labels).draw(frame, (face("愤怒", box=(50, 50, 90, 90)),)).any()
    capsys.readouterr()
    assert list(drawn_names(LABELS)) == list(LABELS)
    assert capsys.readouterr().out == ""
