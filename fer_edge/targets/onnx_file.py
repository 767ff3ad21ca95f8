"""Target `onnx`: the model for ONNX Runtime, made with tf2onnx, with labels and card in its metadata."""

from __future__ import annotations

import importlib
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fer_edge.errors import ModelError, first_line
from fer_edge.model.classifier import Classifier, load_interpreter
from fer_edge.quiet import quiet_stderr
from fer_edge.targets import Artifact, Pictures, check, compare, in_child

OPSET = 17
"""ONNX Runtime reads it from 1.12 (2022) on; quantisation per channel needs 13."""


def make(classifier: Classifier, pictures: Pictures) -> Artifact:
    """The ONNX file, run in ONNX Runtime on the pictures. Report: `ops` {name: count}, `opset`.

    Raises GateError if it does not agree with LiteRT, ModelError if tf2onnx cannot convert the model.
    """
    with in_child(convert_here, classifier, pictures) as (folder, ops):
        data = (folder / "model.onnx").read_bytes()
        given = np.load(folder / "onnx.npy")
    check(compare(classifier, given, pictures), classifier, "onnx")
    return Artifact((data,), {"ops": ops, "opset": OPSET}, f"opset {OPSET}", given)


def convert_here(folder: str, model: str) -> dict[str, int]:
    """In the child, since tf2onnx loads TensorFlow: the operators by name.

    Writes model.onnx, and onnx.npy for faces.npy.
    """
    subject, plain = Classifier(model, checked=True), str(Path(folder, "model.tflite"))
    tf2onnx, onnxruntime = map(importlib.import_module, ("tf2onnx", "onnxruntime"))
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    notes = {"labels": "\n".join(subject.labels), "card": subject.card.to_json(), "source": subject.path.name}
    try:
        with quiet_stderr():
            proto, _ = tf2onnx.convert.from_tflite(plain, opset=OPSET)
        for key, value in notes.items():
            proto.metadata_props.add(key=key, value=value)
        data = proto.SerializeToString()
        session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # the handlers of operators fail in different ways
        raise ModelError(f"tf2onnx or ONNX Runtime cannot take it: {first_line(error)}") from error
    Path(folder, "model.onnx").write_bytes(data)

    def load(tflite: bytes, num_threads: int, name: str) -> OnnxInterpreter:
        return OnnxInterpreter(session, load_interpreter(tflite, num_threads, name))

    onnx = Classifier(model, checked=True, load=load)
    np.save(Path(folder, "onnx.npy"), onnx.predict(np.load(Path(folder, "faces.npy"))))
    return dict(sorted(Counter(node.op_type for node in proto.graph.node).items()))


class OnnxInterpreter:
    """A session of ONNX Runtime with the interface of LiteRT's interpreter, whose input and output these are:
    ONNX does not give an output's scale."""

    def __init__(self, session: Any, tflite: Any) -> None:
        self._session, self._name = session, session.get_inputs()[0].name
        self.get_input_details, self.get_output_details = tflite.get_input_details, tflite.get_output_details

    def set_tensor(self, index: int, value: NDArray[Any]) -> None:
        self._feed = {self._name: value}

    def invoke(self) -> None:
        (self._result,) = self._session.run(None, self._feed)

    def get_tensor(self, index: int) -> NDArray[Any]:
        return np.asarray(self._result)
