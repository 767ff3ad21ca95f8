"""Each corruption against values worked out by hand."""

import numpy as np
import pytest

from fer_edge.evaluation import robustness as corruptions


def flat(level, count=1):
    return np.full((count, 48, 48), level, np.uint8)


@pytest.mark.parametrize("name", list(corruptions.CONDITIONS))
def test_shape_and_dtype_stay_and_the_input_is_left_alone(name):
    faces = np.random.default_rng(1).integers(0, 256, (3, 48, 48), np.uint8)
    before = faces.copy()
    out = corruptions.CONDITIONS[name](faces, np.random.default_rng(0))
    assert (out.shape, out.dtype) == (faces.shape, np.uint8)
    np.testing.assert_array_equal(faces, before)


def test_the_table_has_the_eight_conditions_clean_first_noise_last():
    names = list(corruptions.CONDITIONS)
    assert len(names) == 8
    assert (names[0], names[-1]) == ("clean", "noise sigma 15")


def test_tight_cuts_five_pixels_and_no_more():
    ring = flat(0)
    ring[:, :5], ring[:, -5:], ring[:, :, :5], ring[:, :, -5:] = 255, 255, 255, 255
    assert corruptions.tight(ring).max() == 0
    ring[:, 5] = 255
    assert corruptions.tight(ring)[0, 0].min() == 255


def test_small_repeats_the_border_around_the_face():
    out = corruptions.small(np.where(np.arange(48)[:, None] < 24, 255, 0).astype(np.uint8)[None] * 1)
    assert out[0, :23].min() == 255  # 5 px of border and the upper half of 38
    assert out[0, 25:].max() == 0
    edge = flat(0)
    edge[:, :, :2] = 240
    shrunk = corruptions.small(edge)[0, 24]
    assert (shrunk[:6] == shrunk[0]).all()
    assert shrunk[0] == 240
    assert shrunk[8:].max() == 0


def test_dark_and_gamma_round_down():
    assert [int(corruptions.dark(flat(v))[0, 0, 0]) for v in (0, 254, 255)] == [0, 101, 102]
    assert [int(corruptions.gamma(flat(v))[0, 0, 0]) for v in (0, 128, 255)] == [0, 55, 255]  # 255 x 0.2195


def test_turned_is_counter_clockwise_about_the_centre():
    spot = flat(0)
    spot[0, 22:26, 38:42] = 255  # its centre (23.5, 39.5), 16 px right of the picture's
    out = corruptions.turned(spot)[0].astype(float)
    row = (out.sum(axis=1) * np.arange(48)).sum() / out.sum()
    column = (out.sum(axis=0) * np.arange(48)).sum() / out.sum()
    assert row == pytest.approx(23.5 - 16 * np.sin(np.radians(15)), abs=0.1)
    assert column == pytest.approx(23.5 + 16 * np.cos(np.radians(15)), abs=0.1)


def test_blur_spreads_a_point_as_a_gaussian_of_one_and_a_half_pixels():
    point = flat(0)
    point[0, 24, 24] = 255
    out = corruptions.blurred(point)[0]
    assert int(out[24, 24]) == pytest.approx(255 / (2 * np.pi * 1.5**2), abs=1)
    assert int(out[24, 26]) == pytest.approx(255 / (2 * np.pi * 1.5**2) * np.exp(-4 / 4.5), abs=1)


def test_noise_has_its_strength_and_follows_the_seed():
    out = corruptions.noisy(flat(128, 20), np.random.default_rng(3))
    assert out.std() == pytest.approx(15, abs=0.3)
    assert out.mean() == pytest.approx(128, abs=0.3)
    np.testing.assert_array_equal(out, corruptions.noisy(flat(128, 20), np.random.default_rng(3)))
    assert (out != corruptions.noisy(flat(128, 20), np.random.default_rng(4))).any()
    assert corruptions.noisy(flat(255), np.random.default_rng(0)).max() == 255  # cut, not wrapped
