"""Target `onnx`: the model for ONNX Runtime, made with tf2onnx, with labels and card in its metadata."""

import importlib
from collections import Counter
from functools import partial
from pathlib import Path

import numpy as np

from fer_edge.errors import ModelError, first_line
from fer_edge.model.classifier import Classifier
from fer_edge.quiet import quiet_stderr
from fer_edge.targets import Artifact, OtherRuntime, Pictures, check, compare, in_child

OPSET = 17  # ONNX Runtime reads it from 1.12 (2022) on; quantisation per channel needs 13


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
    name = session.get_inputs()[0].name
    load = partial(OtherRuntime, lambda value: np.asarray(session.run(None, {name: value})[0]))
    onnx = Classifier(model, checked=True, load=load)
    np.save(Path(folder, "onnx.npy"), onnx.predict(np.load(Path(folder, "faces.npy"))))
    return dict(sorted(Counter(node.op_type for node in proto.graph.node).items()))
