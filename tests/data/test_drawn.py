from __future__ import annotations

import numpy as np
import pytest

from fer_edge import data
from fer_edge.errors import DataError
from fer_edge.spec import LABELS


def test_reproducible_from_the_seed_and_each_its_own():
    images, labels = data.drawn_faces(70, seed=5)
    again, same = data.drawn_faces(70, seed=5)
    np.testing.assert_array_equal(images, again)
    np.testing.assert_array_equal(labels, same)
    assert (images != data.drawn_faces(70, seed=6)[0]).mean() > 0.9
    assert (images.dtype, images.shape) == (np.uint8, (70, 48, 48))
    assert np.bincount(labels).tolist() == [10] * 7
    assert len({image.tobytes() for image in images}) == 70


def test_as_a_data_set():
    read = data.load("drawn:84", seed=3)
    parts = data.protocol_splits(read, "official")
    for part, count in ((parts.train, 8), (parts.validation, 2), (parts.report, 2)):
        assert np.bincount(part.labels, minlength=7).tolist() == [count] * 7
    assert not data.seen_in_training(parts.report, parts.train).any()
    assert read.sha256 == data.load("drawn:84", seed=3).sha256 != data.load("drawn:84", seed=4).sha256
    for silly in ("3", "x", "-50", "99999999", "9" * 5000):
        with pytest.raises(DataError, match="N from 42"):
            data.load(f"drawn:{silly}")


def test_expressions_differ_in_mouth_and_brows():
    """Means over many faces: surprise's open mouth is dark, angry brows come down between the eyes."""
    images, labels = data.drawn_faces(700, seed=0)
    mean = {name: images[labels == index].mean(0) for index, name in enumerate(LABELS)}
    mouth = {name: face[33:40, 21:27].mean() for name, face in mean.items()}
    assert min(mouth, key=mouth.get) == "surprise"
    between = {name: face[17:20, 19:29].mean() for name, face in mean.items()}
    assert min(between, key=between.get) in ("angry", "disgust")
