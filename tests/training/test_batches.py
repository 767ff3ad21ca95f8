"""What a batch holds: pictures changed and blended, classes weighed, what teachers say of the pictures."""

import dataclasses

import numpy as np
import pytest
from known_rows import rows_of
from tiny_network import dataset

from fer_edge.data import ferplus
from fer_edge.errors import ModelError
from fer_edge.evaluation import Predictor
from fer_edge.spec import LABELS
from fer_edge.training.augmentation import augment, warped
from fer_edge.training.batches import Teacher, TrainingBatches, class_weights
from fer_edge.training.recipes import Augmentation, Recipe

TAUGHT = Recipe("r", network="tiny", epochs=1, batch_size=8, dropout=0.0, teacher_weight=0.75)


def test_a_blend_is_of_two_pictures_by_the_parts_that_its_target_names():
    levels = np.array([0, 40, 80, 120, 160, 200, 240])
    batches = TrainingBatches(rows_of(levels, np.arange(7), 0), Recipe("r", batch_size=7, mixup=0.4), 3)
    faces, targets, weights = batches[0]
    np.testing.assert_allclose(targets.sum(1), 1, atol=1e-6)
    assert (np.count_nonzero(targets, axis=1) == 2).all()
    assert 0.5 <= targets.max(1).min() < 0.99  # some were blended
    np.testing.assert_array_equal(targets.argmax(1), batches.order)  # each row's own label is on top
    np.testing.assert_allclose(faces[:, 0, 0, 0], targets @ levels, atol=0.51)  # rounded to gray levels
    np.testing.assert_allclose(weights, 1, atol=1e-6)


def test_class_weights_even_out_the_classes():
    labels = np.array([0] * 6 + [1] * 3 + [3] * 1)
    weights = class_weights(labels, 7)
    np.testing.assert_allclose(weights, [10 / 18, 10 / 9, 0, 10 / 3, 0, 0, 0], rtol=1e-6)
    assert weights[labels].mean() == pytest.approx(1)
    half = class_weights(labels, 7, 0.5)  # sqrt(6) times as much for a class with a sixth of the pictures
    assert half[3] / half[0] == pytest.approx(6**0.5)
    assert half[labels].mean() == pytest.approx(1)
    np.testing.assert_allclose(class_weights(labels, 7, 0)[[0, 1, 3]], 1, rtol=1e-6)


def knows(index, labels=LABELS, name="always the same"):
    """A model that names one class, and what it was asked."""

    def predict(faces):
        seen.append(faces)
        return np.eye(len(labels), dtype=np.float32)[np.full(len(faces), index)]

    seen = []
    return Predictor(name, labels, (48, 48), predict), seen


@pytest.fixture
def data():
    return dataset().rows(np.arange(16))


def test_mean_of_teachers_takes_its_part_of_the_labels(data):
    (one, seen), (two, _) = knows(2), knows(5)
    recipe = dataclasses.replace(TAUGHT, augmentation=Augmentation(flip=True, rotation_deg=10))
    batches = TrainingBatches(data, recipe, 0, Teacher(models=(one, two)))
    faces, targets, _ = batches[0]
    rows = batches.order[:8]
    wanted = 0.25 * np.eye(7)[data.labels[rows]] + 0.375 * np.eye(7)[[2, 5]].sum(0)
    np.testing.assert_allclose(targets, wanted, atol=1e-6)
    np.testing.assert_array_equal(seen, [faces[..., 0]])
    assert (batches.targets[rows].max(1) == 1).all()  # the labels themselves stay as they are


def test_a_teacher_of_the_votes_teaches_the_head_of_the_votes_and_no_other(data):
    voted = dataclasses.replace(data, votes=np.full((16, 10), 1, np.uint8))
    recipe = dataclasses.replace(TAUGHT, votes_weight=1.0)
    eight = knows(7, ferplus.LABELS, "eight")[0]
    batches = TrainingBatches(voted, recipe, 0, Teacher(models=(knows(2)[0], eight)))
    wanted = 0.25 * batches.targets[batches.order[:8]]
    wanted[:, [2, 7 + 7]] += 0.75
    np.testing.assert_allclose(batches[0][1], wanted, atol=1e-6)
    said = r"teacher eight has the labels neutral, .*contempt; this training learns angry"
    with pytest.raises(ModelError, match=said):
        TrainingBatches(data, TAUGHT, 0, Teacher(models=(eight,)))


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
        ((90, (0, 0), 1), (43.5, 23.5), (23.5, 3.5)),  # counter-clockwise as seen: from the right to above
        ((0, (3, -2), 2), (23.5, 23.5), (26.5, 21.5)),
        ((0, (0, 0), 2), (33.5, 23.5), (43.5, 23.5)),
    ],
)
def test_turn_shift_and_zoom_are_about_the_centre(how, point, goes_to):
    down, right = np.indices((48, 48))
    spot = (255 * (np.hypot(right - point[0], down - point[1]) < 1)).astype(np.uint8)  # four pixels
    changed = warped(spot, *how, False)
    found = np.average(right, weights=changed), np.average(down, weights=changed)
    np.testing.assert_allclose(found, goes_to, atol=0.01)


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
