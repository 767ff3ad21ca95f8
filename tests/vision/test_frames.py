"""Geometry of boxes."""

import pytest

from fer_edge.vision.frames import clip_box, is_new, overlap, square_box


def test_oblong_boxes_become_squares_round_the_same_centre():
    assert square_box((10, 20, 10, 20), 0.0) == (5, 20, 20, 20)
    assert square_box((10, 20, 10, 10), 0.1) == (9, 19, 12, 12)
    assert square_box((0, 0, 10, 10), 0.08) == (-1, -1, 12, 12)  # 11.6 wide from -0.8: to the nearest pixel


@pytest.mark.parametrize(
    ("box", "clipped"),
    [
        ((-5, -5, 10, 10), (0, 0, 5, 5)),
        ((95, 45, 10, 10), (95, 45, 5, 5)),
        ((200, 0, 5, 5), (100, 0, 0, 5)),
        ((0, -9, 5, 5), (0, 0, 5, 0)),
        ((-9, 60, 5, 5), (0, 50, 0, 0)),
    ],
)
def test_clip(box, clipped):
    assert clip_box(box, 100, 50) == clipped


def test_overlap_is_intersection_over_union():
    assert overlap((0, 0, 10, 10), (5, 0, 10, 10)) == pytest.approx(50 / 150)
    assert overlap((0, 0, 10, 10), (0, 0, 10, 10)) == 1
    assert overlap((0, 0, 10, 10), (10, 10, 5, 5)) == 0


def test_new_means_overlapping_none_of_the_others():
    assert is_new((0, 0, 10, 10), [(20, 0, 10, 10)])
    assert not is_new((0, 0, 10, 10), [(50, 50, 5, 5), (2, 2, 10, 10)])
    assert is_new((0, 0, 10, 10), [(1, 1, 5, 4)])  # 20 of 100 pixels
    assert not is_new((0, 0, 10, 10), [(1, 1, 7, 3)])  # 21 of 100
