import cv2
import numpy as np
import pytest

from fer_edge.errors import SourceError
from fer_edge.spec import CropPolicy
from fer_edge.vision.crop import READABLE, crop_face, quality, resize_face, to_bgr, to_gray
from fer_edge.vision.frames import clip_box, square_box


def test_oblong_boxes_become_squares_round_the_same_centre_and_boxes_are_clipped():
    assert square_box((10, 20, 10, 20), 0.0) == (5, 20, 20, 20)
    assert square_box((10, 20, 10, 10), 0.1) == (9, 19, 12, 12)
    assert square_box((0, 0, 10, 10), 0.08) == (-1, -1, 12, 12)  # 11.6 wide from -0.8: to the nearest pixel
    assert clip_box((-5, -5, 10, 10), 100, 50) == (0, 0, 5, 5)
    assert clip_box((95, 45, 10, 10), 100, 50) == (95, 45, 5, 5)
    assert clip_box((200, 0, 5, 5), 100, 50) == (100, 0, 0, 5)
    assert clip_box((-9, 60, 5, 5), 100, 50) == (0, 50, 0, 0)


BLUE_GREEN_RED = np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255]]], np.uint8)


@pytest.mark.parametrize(
    ("frame", "levels"),
    [
        (BLUE_GREEN_RED, [29, 150, 76]),  # by BT.601: 0.114, 0.587, 0.299 of 255
        (np.dstack([BLUE_GREEN_RED, np.full((1, 3), 7, np.uint8)]), [29, 150, 76]),  # alpha does not count
        (np.dstack([BLUE_GREEN_RED // 255 * np.uint16(4095), np.uint16([[65535] * 3])]), [29, 150, 76]),
        # 16 bits keep their share of white: 60,000 / 65,535 of 255 is 233.46.
        (np.array([[0, 257, 32896, 60000, 65535]], np.uint16), [0, 1, 128, 233, 255]),
    ],
)
def test_colours_and_16_bits_become_gray_levels(frame, levels):
    assert to_gray(frame).tolist() == [levels]
    bgr = to_bgr(frame)
    assert (bgr == BLUE_GREEN_RED).all() if frame.ndim == 3 else bgr[0, :, 1].tolist() == levels


@pytest.mark.parametrize("frame", [np.zeros((4, 4), np.float32), np.zeros((4, 4, 2), np.uint8)])
def test_what_cannot_be_interpreted_is_an_error(frame):
    with pytest.raises(SourceError, match="only"):
        to_gray(frame)


def test_margin_grows_the_box_on_each_side_and_over_the_border_its_pixels_are_repeated():
    gray = np.arange(100, dtype=np.uint8).reshape(10, 10)
    assert (crop_face(gray, (3, 2, 4, 4), (4, 4)) == gray[2:6, 3:7]).all()
    assert (crop_face(gray, (3, 2, 4, 4), (8, 8), CropPolicy(margin=0.5)) == gray[0:8, 1:9]).all()
    face = crop_face(gray, (0, 0, 4, 4), (8, 8), CropPolicy(margin=0.5))
    assert (face[2:, 2:] == gray[:6, :6]).all()
    assert (face[0, 2:] == gray[0, :6]).all()
    assert (face[2:, 0] == gray[:6, 0]).all()
    for x in (20, 10, -4):  # far, right of the last pixel, left of the first
        for box in ((x, 2, 4, 4), (2, x, 4, 4)):
            with pytest.raises(ValueError, match="no pixel"):
                crop_face(gray, box, (4, 4))


@pytest.mark.parametrize("roll_deg", [-40, 21, 25])
def test_a_tilted_head_is_levelled(roll_deg):
    upright = cv2.GaussianBlur(np.random.default_rng(0).integers(0, 255, (200, 200), np.uint8), (0, 0), 9)
    upright = cv2.normalize(upright, None, 0, 255, cv2.NORM_MINMAX)
    turn = cv2.getRotationMatrix2D((99.5, 99.5), -roll_deg, 1.0)  # OpenCV's angles are counter-clockwise
    tilted, box = cv2.warpAffine(upright, turn, (200, 200)), (50, 50, 100, 100)
    wanted = crop_face(upright, box).astype(int)
    assert abs(crop_face(tilted, box, roll_deg=roll_deg) - wanted).mean() < 4
    assert abs(crop_face(tilted, box, roll_deg=19.9) - wanted).mean() > 12  # too little to be touched


def test_resize_averages_areas_and_draws_a_line_between_pixels():
    face = np.array([[0, 30, 90, 9, 9, 9]] * 3, np.uint8)
    assert resize_face(face, (1, 2)).tolist() == [[40, 9]]  # every pixel counts, not the middle ones alone
    assert resize_face(face, (3, 6)) is face
    # Centres of four pixels over two: at the first, a quarter and three quarters of the way, the second.
    assert resize_face(np.array([[0, 100]] * 2, np.uint8), (4, 4)).tolist() == [[0, 25, 75, 100]] * 4


def test_quality_sinks_with_blur_size_and_turn():
    face = np.kron(np.random.default_rng(0).integers(0, 255, (8, 8)), np.ones((6, 6))).astype(np.uint8)
    assert quality(face, 100) == 1
    values = [quality(cv2.GaussianBlur(face, (0, 0), sigma), 100) for sigma in (1.5, 3, 9)]
    assert values == sorted(values, reverse=True)
    assert values[-1] < READABLE
    assert quality(face, 13) == quality(face, 100, turn=0.75) == READABLE
    assert quality(np.full((48, 48), 90, np.uint8), 100) == 0
