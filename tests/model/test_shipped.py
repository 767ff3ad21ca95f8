import hashlib
import json
from functools import partial

import pytest

from fer_edge.errors import FerEdgeError, ModelError
from fer_edge.model import shipped


def touched(*paths):
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(path.name.encode())


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Models of an installed wheel, with recipes beside; the working folder is another."""
    models, recipes = tmp_path / "_models", tmp_path / "_recipes" / "train"
    touched(*(models / f"tuned{end}" for end in ("_int8.tflite", "_float32.tflite", ".keras")))
    touched(*(recipes / f"{name}.toml" for name in ("paper", "tuned")))
    (tmp_path / "here").mkdir()
    monkeypatch.setattr(shipped, "_PACKAGE", tmp_path)
    monkeypatch.chdir(tmp_path / "here")
    return models


@pytest.mark.parametrize(
    ("find", "name", "file"),
    [
        (shipped.find_model, "tuned_int8", "tuned_int8.tflite"),
        (shipped.find_network, "tuned", "tuned.keras"),
        (shipped.find_either, "tuned", "tuned.keras"),
        (shipped.find_either, "tuned_int8", "tuned_int8.tflite"),
    ],
)
def test_models_and_networks_by_name_or_path(folder, find, name, file):
    assert find(name) == find(str(folder / file)) == folder / file
    both = ["tuned_float32", "tuned_int8"]
    assert [path.stem for path in shipped.models()] == both
    assert [path.stem for path in shipped.find_models("tuned")] == both
    assert shipped.find_models("tuned_int8") == [folder / "tuned_int8.tflite"]


def test_a_runs_folder_stands_for_what_is_in_it(folder, tmp_path):
    run = tmp_path / "runs" / "demo"
    run.mkdir(parents=True)
    with pytest.raises(ModelError, match="demo is a folder with 0 models"):
        shipped.find_model(str(run))
    with pytest.raises(ModelError, match=r"no \.tflite file in .*demo"):
        shipped.find_models(str(run))
    touched(run / "model.keras", run / "demo_int8.tflite")
    assert shipped.find_model(str(run)) == run / "demo_int8.tflite"
    assert shipped.find_network(str(run)) == shipped.find_either(str(run)) == run / "model.keras"
    touched(run / "demo_float32.tflite", run / "converted/a.tflite", run / "demo_ethos-u55-128.tflite")
    with pytest.raises(ModelError, match="demo is a folder with 3 models"):
        shipped.find_model(str(run))
    found = [path.name for path in shipped.find_models(str(run))]
    assert found == ["a.tflite", "demo_float32.tflite", "demo_int8.tflite"]


@pytest.mark.parametrize(
    ("find", "name", "said"),
    [
        (shipped.find_model, "tuned_int9", "no model 'tuned_int9': choose from tuned_float32, tuned_int8"),
        (shipped.find_network, "tuner", "no trained network 'tuner': choose from tuned, or"),
        (shipped.find_network, "../_models/tuned_int8.tflite", r"tuned_int8\.tflite is a converted model"),
        (partial(shipped.recipe, "train"), "papper", "no train recipe 'papper': choose from paper, tuned"),
    ],
)
def test_what_is_not_there_gets_the_names_that_are(folder, find, name, said):
    with pytest.raises(FerEdgeError, match=said):
        find(name)


@pytest.mark.parametrize("missing", ["tuned_int8.tflite", "runs/tuned_int8", "./tuned_int8", "../t.keras"])
@pytest.mark.parametrize("find", [shipped.find_model, shipped.find_network, shipped.find_either])
def test_a_missing_local_file_never_turns_into_a_shipped_one(folder, missing, find):
    with pytest.raises(ModelError, match=f"^there is no file {missing}$"):
        find(missing)


def test_only_files_named_in_sha256sums_are_trusted(folder):
    data = (folder / "tuned_int8.tflite").read_bytes()
    assert not shipped.ships(data)
    (folder / "SHA256SUMS").write_text(f"{hashlib.sha256(data).hexdigest()}  tuned_int8.tflite\n")
    assert shipped.ships(data)
    assert not shipped.ships(b"changed")


@pytest.mark.parametrize(
    ("processor", "network", "name"),
    [("kind", "edge", "edge_dynamic_range"), ("kind", "nano", "nano_int8"), ("riscv64", "edge", "edge_int8")],
    ids=["measured", "another network", "never measured"],
)
def test_best_file_for_this_kind_of_processor(processor, network, name, monkeypatch, tmp_path):
    best = {"kind": {"edge": "edge_dynamic_range"}}
    (tmp_path / "best.json").write_text(json.dumps(best))
    monkeypatch.setattr(shipped, "BEST", tmp_path / "best.json")
    monkeypatch.setattr("platform.machine", lambda: processor)
    assert shipped.best_here(network) == name


def test_best_files_ship():
    for networks in json.loads(shipped.BEST.read_text()).values():
        for network, name in networks.items():
            assert shipped.find_model(name).stem.startswith(f"{network}_")
