import numpy as np
import pytest

from fer_edge.conversion.gate import Thresholds, check_probabilities, compare
from fer_edge.errors import ModelError

LOOSE = {"agreement": 0, "max_abs_diff": 1, "mean_abs_diff": 1, "accuracy_loss": 1, "recall_loss": 1}


def saying(labels):
    """Probabilities 0.4 for the label and 0.1 for the six others."""
    p = np.full((len(labels), 7), 0.1, np.float32)
    p[np.arange(len(labels)), labels] = 0.4
    return p


def judged(now, before, true, **limits):
    return compare(saying(now), saying(before), true, Thresholds(**LOOSE | limits))


def of_labels(pictures, changed):
    """True labels of so many pictures, and others for the first `changed`."""
    true = np.arange(pictures) % 7
    now = true.copy()
    now[:changed] = (now[:changed] + 1) % 7
    return now, true


def test_figures_are_those_of_the_definition():
    now, true = of_labels(700, 14)
    found = judged(now, true, true).measured
    assert found["pictures"] == 700
    assert found["agreement"] == pytest.approx(686 / 700)
    assert found["max_abs_diff"] == pytest.approx(0.3)
    assert found["mean_abs_diff"] == pytest.approx(14 * 2 * 0.3 / (700 * 7))
    assert (found["accuracy"], found["accuracy_fp32"]) == (pytest.approx(0.98), 1.0)
    assert found["recall"]["angry"] == pytest.approx(0.98)


@pytest.mark.parametrize(
    ("limit", "said"),
    [
        ({"agreement": 0.981}, "agreement 98.00%, required at least 98.10%"),
        ({"max_abs_diff": 0.29}, "largest difference 0.3000, required at most 0.29"),
        ({"mean_abs_diff": 0.0017}, "mean difference 0.00171, required at most 0.0017"),
        ({"accuracy_loss": 0.019}, "accuracy lost 2.00%, required at most 1.90%"),
    ],
)
def test_each_limit_holds_by_itself(limit, said):
    now, true = of_labels(1400, 28)
    assert judged(now, true, true, **limit).failures == (said,)


def test_a_class_that_collapses_fails_though_the_mean_holds():
    true = np.repeat([1, 3], [20, 980])
    before, now = true.copy(), true.copy()
    before[20:40] = 1  # the float32 model is wrong on as many others
    now[:20] = 3
    found = judged(now, before, true, recall_loss=0.05)
    assert found.measured["accuracy"] == found.measured["accuracy_fp32"]
    assert found.failures == ("disgust recognised 0 of 20, required about the Keras model's 20",)


@pytest.mark.parametrize(
    ("pictures", "limit", "differing"),
    [(70, 0.999, 1), (50, 0.99, 2), (56, 0.99, 2), (56, 0.98, 3), (1000, 0.99, 10), (1000, 0.9, 100)],
)
def test_of_few_pictures_more_than_chance_must_differ(pictures, limit, differing):
    # by hand: of 50, each differing with 1 %, at most 1 differ in 91 % of cases, at most 2 in 99 %;
    # of 56, at most 1 in 89 %, at most 2 in 98 %
    for changed, passes in ((differing, True), (differing + 1, False)):
        now, true = of_labels(pictures, changed)
        assert (not judged(now, true, true, agreement=limit).failures) is passes


def test_a_loss_that_chance_explains_is_none():
    true = np.zeros(100, int)
    before, now = true.copy(), true.copy()
    before[:12], now[12:28] = 1, 1  # 28 changed sides, 4 more lost than won: sigma is 5.3
    assert not judged(now, before, true, accuracy_loss=0.02).failures
    now[12:40] = 1  # 40 changed sides, 16 more lost: over 2.5 sigma, 15.8
    lost = judged(now, before, true, accuracy_loss=0.02).failures
    assert lost == ("accuracy lost 16.00%, required at most 2.00%",)


def test_values_that_are_no_numbers_fail_and_what_proves_nothing_is_refused():
    true = np.arange(70) % 7
    broken = saying(true)
    broken[3, 3] = np.nan
    found = compare(broken, saying(true), true, Thresholds(**LOOSE)).failures
    assert found == ("values NaN or infinite, required numbers",)
    check_probabilities(saying(np.arange(7)), "m.keras")
    unfit = {"with sums of .* end the model with a softmax": [2.0] * 7, "from -1 to 2": [2, -1]}
    for said, values in unfit.items():
        with pytest.raises(ModelError, match=said):
            check_probabilities(np.array([values], np.float32), "m.keras")
