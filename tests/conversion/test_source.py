from __future__ import annotations

import json
import os
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from fer_edge.conversion import source
from fer_edge.data import drawn_faces, load
from fer_edge.data.dataset import Dataset
from fer_edge.errors import DataError, ModelError
from fer_edge.model import shipped

FACES, LABELS = drawn_faces(140, seed=3)


def _run(folder: Path, name: str, time: float) -> Path:
    path = folder / name / "model.keras"
    path.parent.mkdir(parents=True)
    path.touch()
    os.utime(path, (time, time))
    return path


def test_a_model_is_named_or_the_newest_run_or_what_ships(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shipped, "models_folder", lambda: tmp_path / "models")
    runs = tmp_path / "runs"
    with pytest.raises(ModelError, match="tuned"):
        source.find(None, runs)
    path = _run(tmp_path, "models", 0).rename(tmp_path / "models" / "tuned.keras")
    assert source.find(None, runs) == (path, "shipped; no training run here")
    newest = _run(runs, "a", 2000)
    _run(runs, "b", 1000)
    assert source.find(None, runs) == (newest, "newest training run here")
    named = [source.find(name)[0] for name in (str(path), str(newest.parent), "tuned")]
    assert named == [path, newest, path]
    with pytest.raises(ModelError, match="there is no file"):
        source.find(str(tmp_path / "absent.keras"))


def test_files_that_are_no_keras_models_are_refused_in_a_line(tmp_path: Path, tiny: Path) -> None:
    whole = tiny.read_bytes()
    bad = {"text": b"not a model", "empty": b"", "cut": whole[: len(whole) // 2]}
    for name, data in bad.items():
        (tmp_path / f"{name}.keras").write_bytes(data)
    with zipfile.ZipFile(tmp_path / "foreign.keras", "w") as archive:
        archive.writestr("config.json", "{}")
    for name in (*bad, "foreign"):
        with pytest.raises(ModelError, match=r"is not a Keras model that can be read") as caught:
            source.load(tmp_path / f"{name}.keras")
        assert "\n" not in str(caught.value)
    with pytest.raises(ModelError, match=r"is not a \.keras file"):
        source.load(tmp_path / "model.h5")


def test_a_model_trained_in_mixed_precision_is_float32(
    tmp_path: Path, tiny: Path, against: source.Reference
) -> None:
    keras = source.import_keras()

    def mixed(layer: object) -> object:
        return type(layer).from_config({**layer.get_config(), "dtype": "mixed_bfloat16"})

    copy = keras.models.clone_model(keras.models.load_model(tiny), clone_function=mixed)
    copy.set_weights(against.model.get_weights())
    copy.save(tmp_path / "mixed.keras")
    loaded = source.load(tmp_path / "mixed.keras")
    assert {layer.compute_dtype for layer in loaded.layers} == {"float32"}
    faces = against.pictures.dataset.images[:20, ..., None].astype(np.float32)
    assert np.abs(np.asarray(loaded(faces)) - against.probabilities[:20]).max() < 1e-6


def test_a_model_of_another_shape_is_refused(tmp_path: Path) -> None:
    keras = source.import_keras()
    for shape, classes, said in (
        ((48, 48, 3), 7, "one gray picture"),
        ((48, 48, 1), 8, "one value for each"),
    ):
        inputs = keras.Input(shape)
        model = keras.Model(inputs, keras.layers.Dense(classes)(keras.layers.Flatten()(inputs)))
        model.save(tmp_path / "other.keras")
        with pytest.raises(ModelError, match=said):
            source.load(tmp_path / "other.keras")


def _dataset(*counts: list[int]) -> Dataset:
    """counts: pictures of each label, for each split."""
    labels = np.concatenate([np.repeat(np.arange(7), of) for of in counts]).astype(np.int64)
    split = np.repeat(np.arange(len(counts)), [sum(of) for of in counts]).astype(np.uint8)
    images = np.zeros((len(labels), 48, 48), np.uint8)
    return Dataset(images, labels, split, np.arange(1, len(labels) + 1), "given.csv", "f" * 64)


@pytest.mark.parametrize(
    ("counts", "samples", "drawn"),
    [
        ([50, 20, 60, 90, 70, 40, 80], 105, [15] * 7),
        ([50, 4, 50, 50, 50, 50, 50], 100, [16, 4, *[16] * 5]),  # a small class gives all, others fill up
    ],
)
def test_each_class_gives_the_same_number(counts: list[int], samples: int, drawn: list[int]) -> None:
    dataset = _dataset(counts)
    ids = source.draw(dataset, samples, seed=0)
    assert np.bincount(dataset.labels[ids - 1]).tolist() == drawn
    assert not np.array_equal(ids, source.draw(dataset, samples, seed=1))
    split = (np.arange(len(dataset)) % 3).astype(np.uint8)
    ids = source.draw(replace(dataset, split=split), len(dataset), seed=0)
    np.testing.assert_array_equal(ids, np.flatnonzero(split == 0) + 1)  # Training alone


@pytest.mark.parametrize(
    ("images", "labels", "said"),
    [
        (FACES[:20], LABELS[:20], "20 calibration pictures: at least 70"),
        (FACES, np.full(140, 3), r"1 of 7 classes .*angry 0, disgust 0"),
        (FACES // 255, LABELS, r"span [01] gray levels \(median; brightest pixel 1\)"),
        (
            np.random.default_rng(0).integers(0, 256, (140, 48, 48), np.uint8),
            LABELS,
            r"correlate by -?0.0\d.*noise",
        ),
    ],
    ids=["too few", "one class", "scaled to 0..1", "noise"],
)
def test_unfit_pictures_are_refused_with_the_figure(
    images: np.ndarray, labels: np.ndarray, said: str
) -> None:
    source.check(FACES, LABELS)
    with pytest.raises(DataError, match=said):
        source.check(images, labels)


def test_the_input_spans_all_levels_whatever_the_pictures_are() -> None:
    dim = replace(_dataset([10] * 7), images=np.tile(FACES[:70] // 3 + 20, (1, 1, 1)))
    found, _ = source.calibration(dim, 70, seed=0)
    assert (found.min(), found.max()) == (0, 255)
    assert (found != dim.images).sum() == 2
    assert dim.images.max() < 255


def test_committed_rows_are_for_their_data_number_and_seed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = _dataset([30] * 7)
    file, drawn = tmp_path / "rows.json", source.draw(dataset, 70, seed=0).tolist()
    file.write_text(json.dumps({"data_sha256": "f" * 64, "seed": 0, "ids": drawn}))
    monkeypatch.setattr(source, "committed_file", lambda: file)
    found = source.committed("f" * 64, 70, 0)
    assert found is not None
    assert found.tolist() == drawn
    for other in (("e" * 64, 70, 0), ("f" * 64, 77, 0), ("f" * 64, 70, 1)):
        assert source.committed(*other) is None


def test_the_committed_rows_of_fer2013_are_what_is_drawn_from_it(fer2013: Path) -> None:
    dataset = load(str(fer2013))
    stored = json.loads(source.committed_file().read_text())
    assert stored["data_sha256"] == dataset.sha256
    assert stored["ids"] == source.draw(dataset, len(stored["ids"]), stored["seed"]).tolist()
    rows = dataset.rows(np.array(stored["ids"]) - 1)
    assert (rows.split == 0).all()
    assert np.bincount(rows.labels).tolist() == [70] * 7


def test_the_report_split_helps_out_below_a_thousand() -> None:
    for public, private, split in (
        ([143] * 6 + [142], [500] * 7, "PublicTest"),
        ([143] * 6 + [141], [500] * 7, "PublicTest+PrivateTest"),
        ([9] * 7, [0] * 7, "PublicTest"),
    ):
        assert source.proving_split(_dataset([9] * 7, public, private)) == split


def test_each_want_is_named_with_its_count() -> None:
    assert source.lacking(_dataset([10] * 7, [1] * 7, [7] * 6 + [1])) == []
    assert source.lacking(_dataset([4, 9, 9, 9, 9, 9, 0], [1] * 7, [6] * 7)) == [
        "49 pictures outside Training: convert proves a file on at least 50",
        "angry 4, neutral 0 in Training: int8 needs at least 5 of each expression",
        "49 pictures in Training: int8 needs at least 70",
    ]
