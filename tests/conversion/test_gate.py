from __future__ import annotations

import numpy as np
import pytest

from fer_edge.conversion.gate import Parity, Thresholds, _loss, check_probabilities, compare
from fer_edge.errors import DataError, ModelError

LOOSE = Thresholds(agreement=0, max_abs_diff=1, mean_abs_diff=1, accuracy_loss=1, recall_loss=1)


def _saying(labels: np.ndarray) -> np.ndarray:
    """Probabilities 0.4 for the label and 0.1 for the six others."""
    p = np.full((len(labels), 7), 0.1, np.float32)
    p[np.arange(len(labels)), labels] = 0.4
    return p


def _compare(now: np.ndarray, before: np.ndarray, true: np.ndarray, limits: Thresholds) -> Parity:
    return compare(_saying(now), _saying(before), true, limits)


def test_figures_are_those_of_the_definition() -> None:
    true = np.arange(700) % 7
    now = true.copy()
    now[:14] = (now[:14] + 1) % 7
    found = _compare(now, true, true, LOOSE)
    assert found.passed
    assert found.agreement == pytest.approx(686 / 700)
    assert found.max_abs_diff == pytest.approx(0.3)
    assert found.mean_abs_diff == pytest.approx(14 * 2 * 0.3 / (700 * 7))
    assert (found.accuracy, found.accuracy_fp32) == (pytest.approx(0.98), 1.0)
    assert found.recall["angry"] == pytest.approx(0.98)


@pytest.mark.parametrize(
    ("limits", "said"),
    [
        ({"agreement": 0.981}, "agreement on 1400 pictures 98.00%, at least 98.10% wanted"),
        ({"max_abs_diff": 0.29}, "largest difference 0.3000, at most 0.29 wanted"),
        ({"mean_abs_diff": 0.0017}, "mean difference 0.00171, at most 0.0017 wanted"),
        ({"accuracy_loss": 0.019}, "accuracy lost 2.00%, at most 1.90% wanted"),
    ],
)
def test_each_limit_holds_by_itself(limits: dict[str, float], said: str) -> None:
    true = np.arange(1400) % 7
    now = true.copy()
    now[:28] = (now[:28] + 1) % 7
    found = _compare(now, true, true, Thresholds(**{**vars(LOOSE), **limits}))
    assert [str(failure) for failure in found.failures] == [said]


def test_a_class_that_collapses_fails_though_the_mean_holds() -> None:
    true = np.repeat([1, 3], [20, 980])
    before = true.copy()
    before[20:40] = 1  # the float32 model is wrong on as many others
    now = true.copy()
    now[:20] = 3
    found = _compare(now, before, true, Thresholds(**{**vars(LOOSE), "recall_loss": 0.05}))
    assert found.accuracy == found.accuracy_fp32
    assert [str(f) for f in found.failures] == ["disgust named 0 of 20, about the Keras model's 20 wanted"]


@pytest.mark.parametrize(
    ("pictures", "limit", "differing"),
    [(70, 0.999, 1), (50, 0.99, 2), (56, 0.99, 2), (56, 0.98, 3), (1000, 0.99, 10), (1000, 0.9, 100)],
)
def test_of_few_pictures_more_than_chance_must_differ(pictures: int, limit: float, differing: int) -> None:
    # by hand: of 50, each differing with 1 %, at most 1 differ in 91 % of cases, at most 2 in 99 %;
    # of 56, at most 1 in 89 %, at most 2 in 98 %
    true = np.arange(pictures) % 7
    limits = Thresholds(**{**vars(LOOSE), "agreement": limit})
    for changed, passes in ((differing, True), (differing + 1, False)):
        now = true.copy()
        now[:changed] = (now[:changed] + 1) % 7
        assert _compare(now, true, true, limits).passed is passes


def test_pictures_of_training_count_for_agreement_alone() -> None:
    true = np.arange(1000) % 7
    limits = Thresholds(**{**vars(LOOSE), "agreement": 0.99})

    def judged(changed: list[int]) -> Parity:
        now = true.copy()
        now[changed] = (now[changed] + 1) % 7
        return compare(_saying(now), _saying(true), true[:56], limits)

    found = judged([0, 1, 100])
    assert found.passed
    assert (found.pictures, found.compared) == (56, 1000)
    assert found.agreement == pytest.approx(0.997)
    assert found.accuracy == pytest.approx(54 / 56)
    assert found.measured()["compared"] == 1000
    # what the network was not trained on cannot be hidden behind what it was
    (failure,) = judged([0, 1, 2]).failures
    assert str(failure) == "agreement on the 56 pictures outside Training 94.64%, at least 99.00% wanted"
    (failure,) = judged(list(range(100, 111))).failures
    assert str(failure) == "agreement on 1000 pictures 98.90%, at least 99.00% wanted"


def test_a_loss_that_chance_explains_is_none() -> None:
    true = np.zeros(100, int)
    limits = Thresholds(**{**vars(LOOSE), "accuracy_loss": 0.02})
    before, now = true.copy(), true.copy()
    before[:12], now[12:28] = 1, 1  # 28 changed sides, 4 more lost than won: sigma is 5.3
    assert _compare(now, before, true, limits).passed
    now[12:39] = 1  # 39 changed sides, 15 more lost: over two sigma, 12.5
    (failure,) = _compare(now, before, true, limits).failures
    assert str(failure) == "accuracy lost 15.00%, at most 2.00% wanted"


def test_what_is_lost_may_be_as_much_as_allowed_and_as_chance_and_no_more() -> None:
    right = np.ones(1000, bool)
    for lost, counted in ((10, 0), (11, 11)):  # 1 % of 1000 allowed; two sigma of 11 are 6.6
        assert _loss(np.arange(1000) >= lost, right, 0.01) == counted
    for lost, counted in ((12, 0), (13, 13 - 4)):  # with 4 won: 16 changed sides, two sigma are exactly 8
        now, before = np.arange(1000) >= lost, np.arange(1000) < 996
        assert _loss(now, before, 0.001) == counted


def test_values_that_are_no_numbers_fail() -> None:
    true = np.arange(70) % 7
    broken = _saying(true)
    broken[3, 3] = np.nan
    (failure,) = compare(broken, _saying(true), true, LOOSE).failures
    assert str(failure) == "values NaN or infinite, numbers wanted"


def test_what_proves_nothing_is_refused() -> None:
    with pytest.raises(DataError, match="49 pictures to verify on"):
        _compare(np.zeros(49, int), np.zeros(49, int), np.zeros(49, int), LOOSE)
    check_probabilities(_saying(np.arange(7)), "m.keras")
    for values, said in (
        ([2.0] * 7, "sum up to .* end the model with a softmax"),
        ([2.0, -1.0], "from -1 to 2"),
    ):
        with pytest.raises(ModelError, match=said):
            check_probabilities(np.array([values], np.float32), "m.keras")
