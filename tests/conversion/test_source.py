import json
import os
from dataclasses import replace

import keras
import numpy as np
import pytest

from fer_edge.conversion import source
from fer_edge.data import drawn_faces, load
from fer_edge.data.dataset import Dataset
from fer_edge.errors import DataError, ModelError
from fer_edge.model import keras_files, shipped

FACES, LABELS = drawn_faces(140, seed=3)


def test_the_newest_run_goes_before_what_ships(tmp_path, monkeypatch):
    monkeypatch.setattr(shipped, "models_folder", lambda: tmp_path / "models")
    for name, time in (("models/tuned", 0), ("runs/a/model", 2000), ("runs/b/model", 1000)):
        path = tmp_path / f"{name}.keras"
        path.parent.mkdir(parents=True)
        path.touch()
        os.utime(path, (time, time))
    assert source.find(None, tmp_path / "none") == tmp_path / "models/tuned.keras"
    assert source.find(None, tmp_path / "runs") == tmp_path / "runs/a/model.keras"


def test_a_model_trained_in_mixed_precision_is_float32(tmp_path, tiny, against):
    def mixed(layer):
        return type(layer).from_config({**layer.get_config(), "dtype": "mixed_bfloat16"})

    copy = keras.models.clone_model(keras.models.load_model(tiny), clone_function=mixed)
    copy.set_weights(against.model.get_weights())
    face = keras.Input((48, 48, 1))
    keras.Model([face], {"named": copy(face)}).save(tmp_path / "mixed.keras")
    loaded = source.load(tmp_path / "mixed.keras")
    assert {layer.compute_dtype for layer in keras_files.layers_of(loaded)} == {"float32"}
    faces = against.pictures.dataset.images[:20, ..., None].astype(np.float32)
    assert np.abs(np.asarray(loaded(faces)) - against.probabilities[:20]).max() < 1e-6


@pytest.mark.parametrize(
    ("shape", "classes", "said"),
    [((48, 48, 3), 7, "one gray picture"), ((48, 48, 1), 8, "one value for each")],
)
def test_a_model_of_another_shape_is_refused(tmp_path, faces, shape, classes, said):
    inputs = keras.Input(shape)
    model = keras.Model(inputs, keras.layers.Dense(classes)(keras.layers.Flatten()(inputs)))
    model.save(tmp_path / "other.keras")
    with pytest.raises(ModelError, match=said):
        source.measure(tmp_path / "other.keras", faces, 300, seed=0)


def test_too_few_pictures_prove_nothing(tiny, faces):
    with pytest.raises(DataError, match="49 pictures to check files on"):
        source.measure(tiny, faces, 49, seed=0)


def dataset(*counts):
    """counts: pictures of each label, for each split."""
    labels = np.concatenate([np.repeat(np.arange(7), of) for of in counts]).astype(np.int64)
    split = np.repeat(np.arange(len(counts)), [sum(of) for of in counts]).astype(np.uint8)
    images = np.zeros((len(labels), 48, 48), np.uint8)
    return Dataset(images, labels, split, np.arange(1, len(labels) + 1), "given.csv", "f" * 64)


def of_training(images, labels):
    return replace(dataset(np.bincount(labels, minlength=7)), images=images, labels=labels)


@pytest.mark.parametrize(
    ("counts", "samples", "drawn"),
    [
        ([50, 20, 60, 90, 70, 40, 80], 105, [15] * 7),
        ([50, 4, 50, 50, 50, 50, 50], 100, [16, 4, *[16] * 5]),  # a small class gives all, others fill up
    ],
)
def test_each_class_gives_the_same_number(counts, samples, drawn):
    data = dataset(counts)
    ids = source.draw(data, samples, seed=0)
    assert np.bincount(data.labels[ids - 1]).tolist() == drawn
    assert not np.array_equal(ids, source.draw(data, samples, seed=1))
    split = (np.arange(len(data)) % 3).astype(np.uint8)
    ids = source.draw(replace(data, split=split), len(data), seed=0)
    np.testing.assert_array_equal(ids, np.flatnonzero(split == 0) + 1)  # Training alone


@pytest.mark.parametrize(
    ("images", "labels", "said"),
    [
        (FACES[:69], LABELS[:69], "calibration: 69 in Training.*at least 70 are needed"),
        (FACES, np.full(140, 3), r"140 in Training, angry 0, disgust 0.*and 5 of each"),
        (FACES // 255, LABELS, r"span [01] gray levels \(median; brightest pixel 1\)"),
    ],
    ids=["too few", "one class", "scaled to 0..1"],
)
def test_unfit_pictures_are_refused_with_the_figure(images, labels, said):
    with pytest.raises(DataError, match=said):
        source.calibration(of_training(images, labels), 140, seed=0)


def test_the_input_spans_all_levels_whatever_the_pictures_are():
    dim = of_training(FACES[:70] // 3 + 20, np.sort(LABELS[:70]))
    found, _ = source.calibration(dim, 70, seed=0)
    assert (found.min(), found.max()) == (0, 255)
    assert (found != dim.images).sum() == 2
    assert dim.images.max() < 255


def test_committed_rows_are_for_their_data_number_and_seed(tmp_path, monkeypatch):
    data = of_training(FACES, LABELS)
    rows = list(range(71, 141))
    (tmp_path / "rows.json").write_text(json.dumps({"data_sha256": "f" * 64, "seed": 0, "ids": rows}))
    monkeypatch.setattr(source, "COMMITTED", tmp_path / "rows.json")
    chosen, origin = source.calibration(data, 70, 0)
    assert origin == "committed rows of given.csv"
    np.testing.assert_array_equal(chosen[1:], FACES[71:])
    others = replace(data, sha256="e" * 64), replace(data, label_names=tuple("abcdefg"))
    for other in ((others[0], 70, 0), (others[1], 70, 0), (data, 77, 0), (data, 70, 1)):
        assert source.calibration(*other)[1].startswith("drawn with seed")


def test_the_committed_rows_of_fer2013_are_what_is_drawn_from_it(fer2013):
    data = load(str(fer2013))
    stored = json.loads(source.COMMITTED.read_text())
    assert stored["data_sha256"] == data.sha256
    assert stored["ids"] == source.draw(data, len(stored["ids"]), stored["seed"]).tolist()
    rows = data.rows(np.array(stored["ids"]) - 1)
    assert (rows.split == 0).all()
    assert np.bincount(rows.labels).tolist() == [70] * 7


@pytest.mark.parametrize(
    ("public", "private", "split"),
    [
        ([143] * 6 + [142], [500] * 7, "PublicTest"),
        ([143] * 6 + [141], [500] * 7, "PublicTest+PrivateTest"),
        ([9] * 7, [0] * 7, "PublicTest"),
    ],
)
def test_the_report_split_helps_out_below_a_thousand(public, private, split):
    assert source.proving_split(dataset([9] * 7, public, private)) == split
