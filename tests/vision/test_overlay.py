import numpy as np
import pytest
from loop_fakes import face

from fer_edge.spec import LABELS
from fer_edge.vision.overlay import COLORS, draw, drawn_names, panel_place


def count(canvas, color):
    return int((canvas == np.array(color, np.uint8)).all(axis=2).sum())


@pytest.mark.parametrize("size", [(120, 160), (240, 320), (480, 640), (1080, 1920), (48, 48)])
def test_box_and_bars_are_in_sight_at_any_size(size):
    height, width = size
    frame = np.full((height, width, 3), 100, np.uint8)
    box = (width // 4, height // 3, height // 3, height // 3)
    draw(frame, (face("happy", (0, 0, 0, 1, 0, 0, 0), box=box),), LABELS)
    assert tuple(frame[box[1] + box[3] - 1, box[0] + box[2] // 2]) == COLORS["happy"]
    assert count(frame, COLORS["happy"]) > 4 * box[2]


def test_bars_are_as_long_as_their_shares_and_an_uncertain_face_and_a_foreign_label_are_drawn():
    def drawn(label, shares, labels=LABELS):
        frame = np.zeros((480, 640, 3), np.uint8)
        draw(frame, (face(label, shares, box=(50, 200, 100, 100)),), labels)
        return frame

    whole, half = (drawn(None, (0, 0, 0, 0, sad, 0, 0)) for sad in (1.0, 0.5))
    assert count(whole, COLORS["sad"]) == pytest.approx(2 * count(half, COLORS["sad"]), rel=0.1)
    assert count(whole, COLORS[None]) > 90
    assert count(drawn("contempt", (1,), ("contempt",)), COLORS["contempt"]) > 90
    assert len({COLORS[label] for label in "abcdefgh"}) == 8


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
    draw(np.zeros((480, 640, 3), np.uint8), (face("愤怒", box=(50, 50, 90, 90)),), labels)
    assert list(drawn_names(LABELS)) == list(LABELS)
    assert capsys.readouterr().out == ""
