from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from fer_edge.conversion import calibration
from fer_edge.data import drawn_faces, load
from fer_edge.data.dataset import Dataset
from fer_edge.errors import DataError

FACES, LABELS = drawn_faces(140, seed=3)


def _dataset(counts: list[int]) -> Dataset:
    labels = np.repeat(np.arange(7), counts)
    n = len(labels)
    images = np.zeros((n, 48, 48), np.uint8)
    return Dataset(images, labels, np.zeros(n, np.uint8), np.arange(n) + 1, "given.csv", "f" * 64)


def test_each_class_gives_the_same_number() -> None:
    dataset = _dataset([50, 20, 60, 90, 70, 40, 80])
    ids = calibration.draw(dataset, 105, seed=0)
    assert np.bincount(dataset.labels[ids - 1]).tolist() == [15] * 7
    assert not np.array_equal(ids, calibration.draw(dataset, 105, seed=1))


def test_a_small_class_gives_all_and_the_others_fill_up() -> None:
    dataset = _dataset([50, 4, 50, 50, 50, 50, 50])
    counts = np.bincount(dataset.labels[calibration.draw(dataset, 100, seed=0) - 1])
    assert counts.tolist() == [16, 4, 16, 16, 16, 16, 16]


def test_only_training_rows_are_drawn() -> None:
    dataset = _dataset([30] * 7)
    split = (np.arange(210) % 3).astype(np.uint8)
    ids = calibration.draw(replace(dataset, split=split), 210, seed=0)
    assert len(ids) == 70
    assert (split[ids - 1] == 0).all()


def test_faces_pass() -> None:
    calibration.check(FACES, LABELS)


@pytest.mark.parametrize(
    ("images", "labels", "said"),
    [
        (FACES[:20], LABELS[:20], "20 calibration pictures: at least 70"),
        (FACES, np.full(140, 3), r"1 of 7 classes .*angry 0, disgust 0"),
        (FACES // 255, LABELS, r"span [01] gray levels \(median; brightest pixel 1\)"),
        (FACES.astype(np.float32) / 255, LABELS, "are float32: gray levels 0..255 as uint8"),
        (
            np.random.default_rng(0).integers(0, 256, (140, 48, 48), np.uint8),
            LABELS,
            r"correlate by -?0.0\d.*noise",
        ),
    ],
    ids=["too few", "one class", "scaled to 0..1", "floats", "noise"],
)
def test_unfit_pictures_are_refused_with_the_figure(
    images: np.ndarray, labels: np.ndarray, said: str
) -> None:
    with pytest.raises(DataError, match=said):
        calibration.check(images, labels)


def test_the_input_spans_all_levels_whatever_the_pictures_are() -> None:
    dim = np.full((3, 48, 48), 100, np.uint8)
    pinned = calibration.pinned(dim)
    assert (pinned.min(), pinned.max(), (pinned != dim).sum()) == (0, 255, 2)
    assert (dim == 100).all()


def test_committed_rows_are_for_their_data_number_and_seed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = _dataset([30] * 7)
    file = tmp_path / "rows.json"
    calibration.write_ids(dataset, 70, 0, file)
    monkeypatch.setattr(calibration, "committed_file", lambda: file)
    found = calibration.committed("f" * 64, 70, 0)
    assert found is not None
    assert found.tolist() == calibration.draw(dataset, 70, 0).tolist()
    for other in (("e" * 64, 70, 0), ("f" * 64, 77, 0), ("f" * 64, 70, 1)):
        assert calibration.committed(*other) is None


def test_the_committed_rows_of_fer2013_are_what_is_drawn_from_it(fer2013: Path) -> None:
    dataset = load(str(fer2013), progress=False)
    stored = json.loads(calibration.committed_file().read_text())
    assert stored["data_sha256"] == dataset.sha256
    assert stored["ids"] == calibration.draw(dataset, len(stored["ids"]), stored["seed"]).tolist()
    rows = dataset.rows(np.array(stored["ids"]) - 1)
    assert (rows.split == 0).all()
    assert np.bincount(rows.labels).tolist() == [70] * 7
