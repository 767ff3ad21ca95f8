"""Tiny real .tflite files whose answers are known: the class is the brightest of the first seven pixels."""

import json

import numpy as np
import pytest

from fer_edge.data.dataset import Dataset
from fer_edge.spec import LABELS


def brightest_pixel_model(order=range(7)) -> bytes:
    """uint8 (1,48,48,1) -> float32 (1,7): softmax of the first row's pixels, class i from order[i]."""
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    weights = np.zeros((7, 2304), np.float32)
    weights[range(7), list(order)] = 0.1
    model = schema.ModelT()
    model.version = 3
    model.buffers = [schema.BufferT() for _ in range(3)]
    for n, values in ((1, weights), (2, np.array([1, 2304], np.int32))):
        model.buffers[n].data = np.frombuffer(values.tobytes(), np.uint8)
    graph = schema.SubGraphT()
    types = schema.TensorType
    tensors = [
        ([1, 48, 48, 1], types.UINT8, 0),
        ([1, 48, 48, 1], types.FLOAT32, 0),
        ([2], types.INT32, 2),
        ([1, 2304], types.FLOAT32, 0),
        ([7, 2304], types.FLOAT32, 1),
        ([1, 7], types.FLOAT32, 0),
        ([1, 7], types.FLOAT32, 0),
    ]
    for n, (shape, dtype, buffer) in enumerate(tensors):
        tensor = schema.TensorT()
        tensor.name, tensor.shape, tensor.type, tensor.buffer = f"t{n}", shape, dtype, buffer
        graph.tensors = [*(graph.tensors or []), tensor]
    softmax = schema.SoftmaxOptionsT()
    softmax.beta = 1.0
    steps = [
        ("CAST", [0], [1], "CastOptions", schema.CastOptionsT()),
        ("RESHAPE", [1, 2], [3], "ReshapeOptions", schema.ReshapeOptionsT()),
        ("FULLY_CONNECTED", [3, 4, -1], [5], "FullyConnectedOptions", schema.FullyConnectedOptionsT()),
        ("SOFTMAX", [5], [6], "SoftmaxOptions", softmax),
    ]
    model.operatorCodes, graph.operators = [], []
    for n, (name, inputs, outputs, kind, options) in enumerate(steps):
        code, operator = schema.OperatorCodeT(), schema.OperatorT()
        code.builtinCode = code.deprecatedBuiltinCode = getattr(schema.BuiltinOperator, name)
        operator.opcodeIndex, operator.inputs, operator.outputs = n, inputs, outputs
        operator.builtinOptionsType = getattr(schema.BuiltinOptions, kind)
        operator.builtinOptions = options
        model.operatorCodes.append(code)
        graph.operators.append(operator)
    graph.inputs, graph.outputs, model.subgraphs = [0], [6], [graph]
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


@pytest.fixture(scope="session")
def models(tmp_path_factory):
    """Folder with right_float32.tflite, right_int8.tflite (takes happy for sad and back), with cards."""
    folder = tmp_path_factory.mktemp("models")
    card = {"labels": list(LABELS), "output": {"content": "probabilities"}}
    for name, order in (("right_float32", range(7)), ("right_int8", (0, 1, 2, 4, 3, 5, 6))):
        (folder / f"{name}.tflite").write_bytes(brightest_pixel_model(order))
        (folder / f"{name}.json").write_text(json.dumps(card))
    return folder


@pytest.fixture
def faces():
    """Eight pictures that say their label in their first row: each class once, and happy twice."""
    labels = np.array([0, 1, 2, 3, 4, 5, 6, 3])
    images = np.zeros((8, 48, 48), np.uint8)
    images[range(8), 0, labels] = 255
    images[:, 20, 20] = range(8)  # no two alike
    return Dataset(images, labels, np.full(8, 2, np.uint8), np.arange(1, 9), path="faces.csv", sha256="ab")
