import json
import zipfile

import numpy as np
import pytest
from fuzz.harness import FINDS
from processes import python

from fer_edge.errors import ModelError
from fer_edge.model import keras_files
from fer_edge.model.shipped import models_folder

with zipfile.ZipFile(FINDS / "keras/7e25bc164f28") as held:
    CIRCULAR = held.read("model.weights.h5")
PLAIN = {"config.json": b"{}", "metadata.json": b"{}", "model.weights.h5": b""}


def archive(path, members):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as written:
        for name, content in members.items():
            written.writestr(name, content)
    return path


def test_the_shipped_model_passes():
    keras_files.check(models_folder() / "tuned.keras")


@pytest.mark.parametrize(
    ("members", "said"),
    [
        *(
            (PLAIN | {name: b"x"}, "not part of a plain Keras model")
            for name in ("../escaped", "code.py", "/tmp/x", "assets/words.txt")
        ),
        *(({other: b"{}" for other in PLAIN if other != name}, f"no {name} in it") for name in PLAIN),
        (PLAIN | {"config.json": b" " * (17 << 20)}, r"config\.json in it unpacks to more than 16 MiB"),
        (PLAIN | {"config.json": b"{"}, "not a Keras model that can be read"),
        (PLAIN | {"model.weights.h5": b"not HDF5"}, r"m\.keras: its weights cannot be read: .*signature"),
        (PLAIN | {"model.weights.h5": CIRCULAR}, r"m\.keras: its weights cannot be read"),
    ],
)
def test_archives_that_are_no_plain_model(tmp_path, monkeypatch, members, said):
    monkeypatch.setattr(keras_files, "_CPU_S", 2)
    with pytest.raises(ModelError, match=said):
        keras_files.check(archive(tmp_path / "m.keras", members))


def test_a_file_of_keras_2_is_told_what_to_become(tmp_path):
    with pytest.raises(ModelError, match=r"old\.h5 is in Keras 2's format: .* save it as \.keras"):
        keras_files.load(tmp_path / "old.h5")


LAMBDA = {"class_name": "__lambda__", "config": {"code": "4wAAAAA=", "defaults": None, "closure": None}}
HOSTILE_LAYERS = (
    {"module": "keras.layers", "class_name": "Lambda", "config": {"name": "l", "function": LAMBDA}},
    {"module": "keras.layers", "class_name": "StringLookup", "config": {"vocabulary": "/etc/passwd"}},
    {"module": "keras.layers", "class_name": "TFSMLayer", "config": {"filepath": "/tmp"}},
    {"module": "keras.utils", "class_name": "get_file", "config": {"origin": "http://127.0.0.1:9/x"}},
    {"module": "os", "class_name": "system", "config": "true"},
    {"module": "keras", "class_name": "layers.Lambda", "config": {}},
    {"module": "keras.layers", "class_name": "Dense.Lambda", "config": {}},
    {"module": "keras.src.layers.core.lambda_layer", "class_name": "Lambda", "config": {}},
    {"class_name": "Lambda", "config": {}},
    {"module": "keras.src.ops.numpy", "class_name": "Save", "config": {}},
    {"module": "builtins", "class_name": "function", "config": "deserialize"},
    {"module": "keras.saving", "class_name": "function", "config": "load_model"},
    {"class_name": "__lambda__", "config": {}},
    {"class_name": ["Lambda"], "config": {}},
)


@pytest.mark.parametrize("layer", HOSTILE_LAYERS, ids=lambda layer: str(layer["class_name"]))
@pytest.mark.parametrize("where", ["layer", "deep in it"])
def test_what_runs_code_or_reads_other_files_is_refused(tmp_path, layer, where):
    config = {"config": {"layers": [layer if where == "layer" else {"config": [{"activation": layer}]}]}}
    path = archive(tmp_path / "m.keras", PLAIN | {"config.json": json.dumps(config)})
    with pytest.raises(ModelError, match="which this program does not load"):
        keras_files.check(path)


def test_layers_regularizers_and_operations_of_keras_are_loaded(tmp_path):
    keras = pytest.importorskip("keras")
    face = keras.Input((8, 8, 1))
    x = keras.layers.Conv2D(2, 3, kernel_regularizer=keras.regularizers.L2(0.1), activation="relu")(face)
    x = keras.ops.mean(x, axis=(1, 2)) * 2 + keras.layers.Flatten()(face)[:, :2]
    model = keras.Model(face, x)
    model.compile("adam", "mse")
    model.save(tmp_path / "m.keras")
    loaded = keras_files.load(tmp_path / "m.keras")
    faces = np.random.default_rng(0).random((3, 8, 8, 1)).astype("float32")
    np.testing.assert_allclose(loaded.predict(faces, verbose=0), model.predict(faces, verbose=0), rtol=1e-5)


def test_a_network_with_dropout_loads_on_pytorch(tmp_path):
    """Where the state of a dropout layer cannot be made in a device's scope."""
    pytest.importorskip("torch", reason="torch is not installed")
    code = (
        "import pathlib, numpy, keras\n"
        "from fer_edge.model import keras_files; from fer_edge.training import networks\n"
        "path = pathlib.Path('model.keras'); made = networks.build('nano', 0.1); made.save(path)\n"
        "face = numpy.full((1, 48, 48, 1), 90, 'float32')\n"
        "one, two = (m.predict(face, verbose=0) for m in (made, keras_files.load(path)))\n"
        "print(numpy.abs(one - two).max() < 1e-6)"
    )
    done = python(code, cwd=tmp_path, variables={"KERAS_BACKEND": "torch"})
    assert done.stdout.split() == ["True"], done.stderr
