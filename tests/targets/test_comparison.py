"""The table over files and targets."""

import numpy as np
import pytest
from tiny_models import shipped_style

from fer_edge.data import ferplus
from fer_edge.errors import GateError, MissingExtraError
from fer_edge.model import file
from fer_edge.model.classifier import Classifier
from fer_edge.spec import LABELS, Format
from fer_edge.targets import Agreement, Made, Pictures, Target, compare, comparison

FACES = np.random.default_rng(1).integers(120, 136, (20, 8, 8), dtype=np.uint8)


def target(name, make, require=lambda: None):
    return Target(name, (Format.INT8,), ("{stem}.x",), require, make)


def family(tiny, tmp_path):
    """The same model twice: as float32 and as int8 of one family."""
    card = file.card_in(tiny.read_bytes(), str(tiny))
    paths = [tmp_path / f"t_{format_}.tflite" for format_ in ("float32", "int8")]
    for path in paths:
        path.write_bytes(file.embed_card(shipped_style(side=8), card))
    return paths


def test_rows_of_files_and_of_what_targets_take_and_refuse(tiny, tmp_path):
    reference, other = family(tiny, tmp_path)
    wrong = np.zeros((20, 3), np.float32)
    wrong[:, 1] = 1

    def refuses(classifier, pictures, card):
        path = classifier.path
        raise GateError(f"{path}: SOFTMAX of {path} stays on the CPU: not written; convert with --x")

    def takes(classifier, pictures, card):
        return Made((b"abc",), {"arena_bytes": 2048}, probabilities=wrong)

    targets = [target("microcontroller", takes), target("ethos-u55-128", refuses)]
    found = comparison.rows([reference, other], targets, Pictures(FACES, None, "noise"), runs=3)
    assert [(row["model"], row["target"]) for row in found[:3]] == [
        ("t_float32", "litert"),
        ("t_float32", "microcontroller"),
        ("t_float32", "ethos-u55-128"),
    ]
    litert, micro, npu = found[3:]
    assert (litert["agreement"], litert["max_abs_diff"], litert["accuracy"]) == (1.0, 0.0, None)
    assert (litert["ops"], litert["macs"], litert["memory_bytes"]) == (4, 192, 128)
    assert litert["bytes"] == other.stat().st_size
    assert litert["ms"] > 0
    shares = FACES.reshape(20, -1)[:, :3].argmax(axis=1)
    assert micro["agreement"] == float((shares == 1).mean())
    assert (micro["bytes"], micro["memory_bytes"], micro["macs"]) == (3, 2048, 192)
    assert npu["refused"] == "SOFTMAX of it stays on the CPU"  # no path, so that equal refusals share a line
    text = comparison.table(found, "noise", "machine").markdown()
    assert [line[:10].rstrip() for line in text.splitlines()[2:6]] == [
        "| t_float3",
        "| - microc",
        "| t_int8 |",
        "| - microc",
    ]
    assert "refused: t_float32, t_int8 on ethos-u55-128: SOFTMAX" in text


def test_a_tool_that_is_absent_is_told_once_where_all_are_asked_for(tiny, tmp_path):
    paths = family(tiny, tmp_path)

    def absent():
        raise MissingExtraError("tf2onnx", "onnx", "the target onnx")

    onnx, pictures = target("onnx", None, absent), Pictures(FACES, None, "noise")
    found = comparison.rows(paths, [onnx], pictures, runs=0, lenient=True)
    assert [row["target"] for row in found] == ["litert", "litert", "onnx"]
    (_, line) = comparison.table(found, "noise", "here").notes
    assert line.startswith("refused: onnx: ")
    assert "fer-edge[onnx]" in line
    with pytest.raises(MissingExtraError):
        comparison.rows(paths, [onnx], pictures, runs=0)


def test_models_are_judged_by_labels_of_their_own_expressions_in_whatever_order():
    names = (*ferplus.LABELS[1:], ferplus.LABELS[0])
    pictures = Pictures(FACES[:2], np.array([7, 0]), "", ferplus.LABELS)
    p = np.eye(8, dtype=np.float32)[[names.index("contempt"), names.index("sad")]]
    assert pictures.accuracy(p, names) == 0.5
    assert pictures.accuracy(np.eye(7, dtype=np.float32)[:2], LABELS) is None


def test_agreement_of_two_runtimes(tiny):
    classifier, pictures = Classifier(tiny), Pictures(np.zeros((2, 8, 8), np.uint8), None, "")
    pictures.images[:, 0, :3] = [[10, 10, 11], [10, 12, 10]]
    p = classifier.predict(pictures.images) + np.float32([[0, 0, 0], [0.75, -0.75, 0]])
    found = compare(classifier, p, pictures)
    assert found == Agreement(2, 0.5, pytest.approx(0.75, rel=1e-6), None)
