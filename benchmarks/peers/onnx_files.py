"""Our weights as ONNX files: float32 from the .tflite file, int8 by ONNX Runtime's own quantisation."""

from __future__ import annotations

from pathlib import Path

import numpy as np

CALIBRATION = 200


def write(tflite: Path, folder: Path, faces: np.ndarray) -> None:
    """Writes float32.onnx and int8.onnx. faces: uint8 (N, 48, 48) to calibrate on, of Training."""
    import tf2onnx
    from onnxruntime import quantization

    float32 = folder / "float32.onnx"
    tf2onnx.convert.from_tflite(str(tflite), opset=17, output_path=str(float32))
    prepared = folder / "prepared.onnx"
    quantization.shape_inference.quant_pre_process(str(float32), str(prepared), skip_symbolic_shape=True)
    quantization.quantize_static(
        str(prepared),
        str(folder / "int8.onnx"),
        _Reader(_input_name(prepared), faces[:: max(1, len(faces) // CALIBRATION)][:CALIBRATION]),
        quant_format=quantization.QuantFormat.QDQ,
        per_channel=True,
    )


def _input_name(path: Path) -> str:
    import onnxruntime

    return onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"]).get_inputs()[0].name


class _Reader:
    """What ONNX Runtime's calibration asks for pictures."""

    def __init__(self, name: str, faces: np.ndarray) -> None:
        self._rows = iter([{name: face.reshape(1, 48, 48, 1)} for face in faces])

    def get_next(self) -> dict[str, np.ndarray] | None:
        return next(self._rows, None)
