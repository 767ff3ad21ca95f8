"""Each change of a picture, against its meaning."""

import numpy as np
import pytest

from fer_edge.training.augmentation import affine, augment
from fer_edge.training.recipes import Augmentation

NOISY = np.random.default_rng(3).integers(0, 256, (400, 48, 48), dtype=np.uint8)
WARPED = {"rotation_deg": 90, "shift_px": 10, "zoom_min": 0.7, "zoom_max": 1.3}


def changed(faces, seed=0, **how):
    return augment(faces, Augmentation(**how), np.random.default_rng(seed))


def level(gray, count=200):
    return np.full((count, 48, 48), gray, np.uint8)


def test_nothing_asked_changes_nothing_and_what_a_warp_uncovers_is_the_borders():
    out = changed(NOISY[:64])
    np.testing.assert_array_equal(out, NOISY[:64], strict=True)
    assert not np.shares_memory(out, NOISY)
    assert (changed(level(7), **WARPED) == 7).all()


@pytest.mark.parametrize(
    ("how", "point", "goes_to"),
    [
        ((90, (0, 0), 1), (47, 23.5), (23.5, 0)),  # counter-clockwise as seen: from the right to above
        ((0, (3, -2), 2), (23.5, 23.5), (26.5, 21.5)),
        ((0, (0, 0), 2), (33.5, 23.5), (43.5, 23.5)),
    ],
)
def test_turn_shift_and_zoom_are_about_the_centre(how, point, goes_to):
    np.testing.assert_allclose(affine(48, *how, False) @ [*point, 1], goes_to, atol=1e-9)


@pytest.mark.parametrize(("one_change", "least", "most"), [(False, 160, 240), (True, 50, 110)])
def test_flip_is_exact_and_takes_about_half_or_one_change_in_five(one_change, least, most):
    out = changed(NOISY, flip=True, one_change=one_change)
    flipped = (out == NOISY[:, :, ::-1]).all((1, 2))
    assert (flipped ^ (out == NOISY).all((1, 2))).all()
    assert least < flipped.sum() < most


def test_one_change_a_picture_leaves_none_as_it_was():
    one, two = (changed(NOISY, 5, one_change=True, flip=True, **WARPED) for _ in range(2))
    np.testing.assert_array_equal(one, two)  # of the same seed
    assert (one == NOISY).all((1, 2)).sum() < 4  # by a change of nothing


def test_brightness_and_contrast_are_one_level_table():
    out = changed(level(200, 50), seed=1, brightness=20, contrast=0.2)
    assert (out == out[:, :1, :1]).all()
    levels = out[:, 0, 0]
    assert 165 <= levels.min() < levels.max() <= 235  # 127.5 + 72.5 * (0.8 .. 1.2) + (-20 .. 20)
    assert len(set(levels)) > 20


def test_erasing_touches_one_small_square():
    spoilt = (changed(level(7), seed=2, erase_probability=0.5, erase_px=12) != 7).sum((1, 2))
    assert 70 < (spoilt > 0).sum() < 130
    assert spoilt.max() <= 144


def test_gamma_keeps_black_and_white_and_moves_the_middle_either_way():
    given = np.tile(np.array([0, 128, 255], np.uint8).repeat(16), (400, 48, 1))
    out = changed(given, gamma_probability=1, gamma_max=2.0)
    assert ((out[:, :, :16] == 0) & (out[:, :, 32:] == 255)).all()
    middle = out[:, 0, 24]
    assert round(255 * (128 / 255) ** 2) <= middle.min() < middle.max() <= round(255 * (128 / 255) ** 0.5)
    assert 0.4 < (middle < 128).mean() < 0.6


def test_noise_has_the_asked_spread():
    spread = (out := changed(level(128, 400), noise_probability=1, noise_sigma=20)).std((1, 2))
    assert 19 < spread.max() < 21
    assert spread.mean() == pytest.approx(10, abs=1)  # sigma is even over 0..20
    assert out.mean() == pytest.approx(128, abs=0.5)
