"""Each change of a picture, against its meaning."""

import numpy as np
import pytest

from fer_edge.training.augmentation import affine, augment
from fer_edge.training.recipes import Augmentation


def faces(count=64):
    return np.random.default_rng(3).integers(0, 256, (count, 48, 48), dtype=np.uint8)


def test_nothing_asked_changes_nothing():
    given = faces()
    out = augment(given, Augmentation(), np.random.default_rng(0))
    assert out.dtype == np.uint8
    np.testing.assert_array_equal(out, given)
    assert out is not given


def test_a_quarter_turn_moves_the_right_edge_to_the_top():
    # Counter-clockwise as seen: the point right of the centre goes above it.
    point = affine(48, 90, (0, 0), 1, False) @ [47, 23.5, 1]
    np.testing.assert_allclose(point, [23.5, 0], atol=1e-9)


def test_zoom_and_shift_about_the_centre():
    np.testing.assert_allclose(affine(48, 0, (3, -2), 2, False) @ [23.5, 23.5, 1], [26.5, 21.5])
    np.testing.assert_allclose(affine(48, 0, (0, 0), 2, False) @ [33.5, 23.5, 1], [43.5, 23.5])


def test_flip_is_exact_and_takes_about_half():
    given = faces(400)
    out = augment(given, Augmentation(flip=True), np.random.default_rng(0))
    flipped = (out == given[:, :, ::-1]).all((1, 2))
    same = (out == given).all((1, 2))
    assert (flipped ^ same).all()
    assert 160 < flipped.sum() < 240


def test_whole_pixel_shifts_replicate_the_border():
    matrix = affine(48, 0, (2, 0), 1, False)
    import cv2

    face = faces(1)[0]
    out = cv2.warpAffine(face, matrix, (48, 48), borderMode=cv2.BORDER_REPLICATE)
    np.testing.assert_array_equal(out[:, 2:], face[:, :-2])
    np.testing.assert_array_equal(out[:, 0], face[:, 0])


def test_brightness_and_contrast_are_one_level_table():
    given = np.full((50, 48, 48), 200, np.uint8)
    out = augment(given, Augmentation(brightness=20, contrast=0.2), np.random.default_rng(1))
    assert (out == out[:, :1, :1]).all()
    levels = out[:, 0, 0].astype(int)
    # 127.5 + 72.5 * (0.8 .. 1.2) + (-20 .. 20)
    assert levels.min() >= 165
    assert levels.max() <= 235
    assert len(set(levels)) > 20


def test_erasing_touches_one_small_square():
    given = np.full((200, 48, 48), 7, np.uint8)
    out = augment(given, Augmentation(erase_probability=0.5, erase_px=12), np.random.default_rng(2))
    changed = (out != 7).sum((1, 2))
    assert 70 < (changed > 0).sum() < 130
    assert changed.max() <= 144


@pytest.mark.parametrize("seed", [0, 5])
def test_the_same_seed_gives_the_same_pictures(seed):
    how = Augmentation(rotation_deg=90, shift_px=10, zoom_min=0.7, zoom_max=1.3, flip=True)
    one, two = (augment(faces(), how, np.random.default_rng(seed)) for _ in range(2))
    np.testing.assert_array_equal(one, two)
    assert (one != faces()).any()


def test_darkness_multiplies_every_level():
    given = faces(200)
    out = augment(given, Augmentation(dark_probability=0.5, dark_min=0.4), np.random.default_rng(0))
    changed = (out != given).any((1, 2))
    assert 70 < changed.sum() < 130
    ratio = out[changed].mean((1, 2)) / given[changed].mean((1, 2))
    assert 0.39 < ratio.min() < 0.5
    assert 0.9 < ratio.max() < 1


def test_gamma_keeps_black_and_white_and_moves_the_middle_either_way():
    given = np.tile(np.array([0, 128, 255], np.uint8).repeat(16), (400, 48, 1))
    out = augment(given, Augmentation(gamma_probability=1, gamma_max=2.0), np.random.default_rng(0))
    assert (out[:, :, :16] == 0).all()
    assert (out[:, :, 32:] == 255).all()
    middle = out[:, 0, 24].astype(float)
    # 128 to the power of 2 and of 1/2
    assert middle.min() >= round(255 * (128 / 255) ** 2) == 64
    assert middle.max() <= round(255 * (128 / 255) ** 0.5) == 181
    assert 0.4 < (middle < 128).mean() < 0.6


def test_blur_keeps_the_mean_and_takes_detail():
    given = faces(100)
    out = augment(given, Augmentation(blur_probability=1, blur_sigma=1.5), np.random.default_rng(0))
    np.testing.assert_allclose(out.mean((1, 2)), given.mean((1, 2)), atol=2)
    assert out.std((1, 2)).min() < 0.25 * given.std()  # white noise under sigma 1.5: 1 / (2 sqrt(pi) 1.5)


def test_noise_has_the_asked_spread():
    given = np.full((400, 48, 48), 128, np.uint8)
    out = augment(given, Augmentation(noise_probability=1, noise_sigma=20), np.random.default_rng(0))
    spread = out.std((1, 2))
    assert 19 < spread.max() < 21
    assert spread.mean() == pytest.approx(10, abs=1)  # sigma is even over 0..20
    assert out.mean() == pytest.approx(128, abs=0.5)
