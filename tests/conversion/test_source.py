from __future__ import annotations

import os
import zipfile
from pathlib import Path

import numpy as np
import pytest

from fer_edge.conversion import reference, source
from fer_edge.errors import ModelError
from fer_edge.model import shipped


def _run(folder: Path, name: str, time: float) -> Path:
    path = folder / name / "model.keras"
    path.parent.mkdir(parents=True)
    path.touch()
    os.utime(path, (time, time))
    return path


def test_the_newest_run_is_the_default_then_the_shipped_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shipped, "models_folder", lambda: tmp_path / "models")
    with pytest.raises(ModelError, match=r"name a \.keras file, or train one first"):
        source.find(None, tmp_path / "runs")
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "tuned.keras").touch()
    found, why = source.find(None, tmp_path / "runs")
    assert (found, why) == (tmp_path / "models" / "tuned.keras", "shipped; no training run here")
    newest = _run(tmp_path / "runs", "a", 2000)
    _run(tmp_path / "runs", "b", 1000)
    assert source.find(None, tmp_path / "runs") == (newest, "newest training run here")


def test_a_model_is_named_by_file_run_folder_or_shipped_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shipped, "models_folder", lambda: tmp_path / "models")
    path = _run(tmp_path, "models", 0).rename(tmp_path / "models" / "tuned.keras")
    run = _run(tmp_path, "a", 0)
    assert [source.find(name)[0] for name in (str(path), str(run.parent), "tuned")] == [path, run, path]
    with pytest.raises(ModelError, match="does not exist"):
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


def test_code_inside_a_model_is_not_run(tmp_path: Path) -> None:
    keras = source.import_keras()
    inputs = keras.Input((48, 48, 1))
    path = tmp_path / "lambda.keras"
    keras.Model(inputs, keras.layers.Lambda(lambda x: x[:, 0, :7, 0])(inputs)).save(path)
    with pytest.raises(ModelError, match=r"needs keras\.layers\.Lambda"):
        source.load(path)


def test_a_model_trained_in_mixed_precision_is_float32(
    tmp_path: Path, tiny: Path, against: reference.Reference
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
