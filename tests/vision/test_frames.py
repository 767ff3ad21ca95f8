"""Geometry of boxes."""

import pytest

from fer_edge.vision.frames import clip_box, is_new, overlap, square_box


@pytest.mark.parametrize(
    ("box", "margin", "square"),
    [
        ((10, 20, 10, 20), 0.0, (5, 20, 20, 20)),
        ((10, 20, 10, 10), 0.1, (9, 19, 12, 12)),
        ((0, 0, 10, 10), 0.08, (-1, -1, 12, 12)),  # 11.6 wide from -0.8: to the nearest pixel
    ],
)
def test_oblong_boxes_become_squares_round_the_same_centre(box, margin, square):
    assert square_box(box, margin) == square


@pytest.mark.parametrize(
    ("box", "clipped"),
    [
        ((-5, -5, 10, 10), (0, 0, 5, 5)),
        ((95, 45, 10, 10), (95, 45, 5, 5)),
        ((200, 0, 5, 5), (100, 0, 0, 5)),
        ((-9, 60, 5, 5), (0, 50, 0, 0)),
    ],
)
def test_clip(box, clipped):
    assert clip_box(box, 100, 50) == clipped


@pytest.mark.parametrize(
    ("other", "share", "new"),
    [
        ((5, 0, 10, 10), 50 / 150, False),
        ((0, 0, 10, 10), 1, False),
        ((10, 10, 5, 5), 0, True),
        ((1, 1, 5, 4), 0.2, True),  # 20 of 100 pixels
        ((1, 1, 7, 3), 0.21, False),
    ],
)
def test_a_box_is_new_where_it_overlaps_no_other_by_more_than_a_fifth(other, share, new):
    assert overlap((0, 0, 10, 10), other) == pytest.approx(share)
    assert is_new((0, 0, 10, 10), [(50, 50, 5, 5), other]) is new
