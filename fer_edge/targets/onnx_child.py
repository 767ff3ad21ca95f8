"""In a process of its own, since tf2onnx brings TensorFlow: a .tflite file as ONNX, run in ONNX Runtime."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fer_edge.errors import ModelError
from fer_edge.model import file, interpreter
from fer_edge.model.classifier import Classifier

OPSET = 17
"""ONNX Runtime reads it from 1.12 (2022) on; quantisation a channel needs 13."""
RESULT, FACES, PROBABILITIES = "model.onnx", "faces.npy", "onnx.npy"


def convert(folder: str, model: str, card: str) -> dict[str, Any]:
    """Writes model.onnx and, of faces.npy, onnx.npy. Gives `{"ops": {name: count}, "opset"}`."""
    return _converted(Path(folder), Path(model), Path(card) if card else None)


def _converted(folder: Path, model: Path, card: Path | None) -> dict[str, Any]:
    plain = folder / "model.tflite"
    plain.write_bytes(file.without_zip(file.read_bytes(model)))
    subject = Classifier(model, card=card, checked=True)
    proto = _by_tf2onnx(plain)
    _name_output(proto, subject.output.content)
    notes = {"labels": "\n".join(subject.labels), "card": subject.card.to_json(), "source": model.name}
    for key, value in notes.items():
        proto.metadata_props.add(key=key, value=value)
    data = proto.SerializeToString()
    (folder / RESULT).write_bytes(data)

    def load(tflite: bytes, num_threads: int, name: str) -> OnnxInterpreter:
        return OnnxInterpreter(data, interpreter.load(tflite, num_threads, name))

    faces = np.load(folder / FACES)
    np.save(folder / PROBABILITIES, Classifier(model, card=card, checked=True, load=load).predict(faces))
    return {"ops": _operators(proto), "opset": OPSET}


def _by_tf2onnx(path: Path) -> Any:
    import tf2onnx

    try:
        with interpreter.quiet_stderr():
            proto, _ = tf2onnx.convert.from_tflite(str(path), opset=OPSET)
    except Exception as error:  # its operators' handlers fail each in their own way
        lines = str(error).strip().splitlines()
        raise ModelError(
            f"tf2onnx cannot convert it: {lines[0] if lines else type(error).__name__}"
        ) from error
    return proto


def _name_output(proto: Any, name: str) -> None:
    (end,) = proto.graph.output
    for node in proto.graph.node:
        for names in (node.input, node.output):
            for n, held in enumerate(names):
                if held == end.name:
                    names[n] = name
    end.name = name


def _operators(proto: Any) -> dict[str, int]:
    names = [node.op_type for node in proto.graph.node]
    return {name: names.count(name) for name in sorted(set(names))}


class OnnxInterpreter:
    """ONNX Runtime, one thread, behind the interface of LiteRT's interpreter; ends as the .tflite has them,
    since ONNX says nothing of an output's scale."""

    def __init__(self, model: bytes, tflite: Any) -> None:
        """Raises ModelError if ONNX Runtime refuses the model, or if its ends are other ones."""
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        try:
            self._session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        except Exception as error:
            raise ModelError(f"ONNX Runtime refuses it: {str(error).splitlines()[0]}") from error
        self._ends = tflite.get_input_details(), tflite.get_output_details()
        given = self._session.get_inputs()[0]
        if list(given.shape) != list(self._ends[0][0]["shape"]):
            raise ModelError(f"the ONNX file takes {given.shape}, another shape than the .tflite file's")
        self._input = given.name
        self._result: NDArray[Any] | None = None

    def get_input_details(self) -> list[dict[str, Any]]:
        return list(self._ends[0])

    def get_output_details(self) -> list[dict[str, Any]]:
        return list(self._ends[1])

    def set_tensor(self, index: int, value: NDArray[Any]) -> None:
        self._feed = {self._input: value}

    def invoke(self) -> None:
        self._result = self._session.run(None, self._feed)[0]

    def get_tensor(self, index: int) -> NDArray[Any]:
        return np.asarray(self._result)
