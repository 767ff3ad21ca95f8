"""TFLite's own metadata in a .tflite file: a `TFLITE_METADATA` buffer that the official tools read.

Slots are those of schema.fbs and of metadata_schema.fbs (tensorflow/tflite-support, version 1.1.0).
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from typing import Any

from fer_edge.errors import MissingExtraError, ModelError
from fer_edge.flatbuffer import Buffer
from fer_edge.spec import ModelCard, TensorSpec

LABELS_FILE = "labels.txt"
CARD_FILE = "card.json"
ENTRY = "TFLITE_METADATA"
METADATA_IDENTIFIER = b"M001"
_ALIGNMENT = 16  # schema.fbs asks it of the weights
_NORMALIZATION = 1  # ProcessUnitOptions.NormalizationOptions
_IMAGE = 2  # ContentProperties.ImageProperties
_FEATURE = 1  # ContentProperties.FeatureProperties
_COLOR_SPACE = {1: 2, 3: 1}  # channels -> ColorSpaceType: GRAYSCALE, RGB
_AXIS_LABELS, _DESCRIPTION = 2, 1  # AssociatedFileType


def model_metadata(card: ModelCard) -> bytes:
    """A ModelMetadata flatbuffer (identifier M001) that says what `card` says of input and output."""
    builder = _builder(1024)
    write = _Writer(builder)
    labels_file = write.table(
        (0, "offset", write.text(LABELS_FILE)),
        (1, "offset", write.text("the classes in the order of the output")),
        (2, "int8", _AXIS_LABELS),
    )
    card_file = write.table((0, "offset", write.text(CARD_FILE)), (2, "int8", _DESCRIPTION))
    subgraph = write.table(
        (2, "offset", write.offsets([_input_metadata(write, card.input)])),
        (3, "offset", write.offsets([_output_metadata(write, card.output, labels_file)])),
    )
    root = write.table(
        (0, "offset", write.text(card.name)),
        (1, "offset", write.text(f"facial expression of a gray face; {card.architecture} as {card.format}")),
        (3, "offset", write.offsets([subgraph])),
        (6, "offset", write.offsets([card_file])),
        (7, "offset", write.text("1.0.0")),
    )
    builder.Finish(root, METADATA_IDENTIFIER)
    return bytes(builder.Output())


def _input_metadata(write: _Writer, tensor: TensorSpec) -> int:
    # Gray levels 0..255 become real_min..real_max: (gray - mean) / std.
    std = 255.0 / (tensor.real_max - tensor.real_min)
    options = write.table(
        (0, "offset", write.floats([-tensor.real_min * std])), (1, "offset", write.floats([std]))
    )
    unit = write.table((0, "int8", _NORMALIZATION), (1, "offset", options))
    image = write.table((0, "int8", _COLOR_SPACE.get(tensor.shape[-1], 0)))
    return write.table(
        (0, "offset", write.text("face")),
        (1, "offset", write.text("a face, upright, cropped square, as gray levels")),
        (3, "offset", write.table((0, "int8", _IMAGE), (1, "offset", image))),
        (4, "offset", write.offsets([unit])),
        (5, "offset", _stats(write, tensor)),
    )


def _output_metadata(write: _Writer, tensor: TensorSpec, labels_file: int) -> int:
    content = write.table((0, "int8", _FEATURE), (1, "offset", write.table()))
    return write.table(
        (0, "offset", write.text(tensor.content)),
        (1, "offset", write.text(f"{tensor.content} of the expressions in {LABELS_FILE}")),
        (3, "offset", content),
        (5, "offset", _stats(write, tensor)),
        (6, "offset", write.offsets([labels_file])),
    )


def _stats(write: _Writer, tensor: TensorSpec) -> int:
    greatest, least = write.floats([tensor.real_max]), write.floats([tensor.real_min])
    return write.table((0, "offset", greatest), (1, "offset", least))


def add_to_model(flatbuffer: bytes, metadata: bytes) -> bytes:
    """The model with `metadata` as its TFLITE_METADATA buffer, replacing an entry it may have.

    A new root table is written in front, which points to the parts of the old model where they are:
    no weight is moved, copied or realigned, and fields unknown to us stay.
    """
    padded = flatbuffer + bytes(-len(flatbuffer) % _ALIGNMENT)
    model = Buffer(flatbuffer).root()
    buffers = model.tables(4)
    if any(buffer.scalar(1, "Q") > 1 for buffer in buffers):
        raise ModelError("a card cannot be put into a file that keeps weights outside its flatbuffer")
    builder = _builder(len(metadata) + 1024)
    # What the builder takes for its latest output is the old model; offsets count from the end.
    room = len(builder.Bytes)
    builder.Bytes = builder.Bytes + bytearray(padded)
    builder.head = room
    builder.minalign = _ALIGNMENT
    write = _Writer(builder)

    def old(position: int) -> int:
        return len(padded) - position

    entries = [old(entry.position) for entry in model.tables(6) if entry.text(0) != ENTRY]
    blob = write.blob(metadata, _ALIGNMENT)
    name = write.text(ENTRY)
    entries.append(write.table((0, "offset", name), (1, "uint32", len(buffers))))
    new_buffers = [old(buffer.position) for buffer in buffers] + [write.table((0, "offset", blob))]
    fields: list[tuple[int, str, int]] = [
        (4, "offset", write.offsets(new_buffers)),
        (6, "offset", write.offsets(entries)),
    ]
    for slot in range(model.slots):
        target = model.target(slot) if slot not in (0, 4, 6) else None
        if target is not None:  # all fields of Model but the version are offsets
            fields.append((slot, "offset", old(target)))
    root = write.table((0, "uint32", model.scalar(0, "I")), *fields)
    builder.Finish(root, flatbuffer[4:8])
    return bytes(builder.Output())


def from_model(flatbuffer: bytes) -> bytes | None:
    """The ModelMetadata flatbuffer in a model, None if there is none. Raises ModelError if damaged."""
    model = Buffer(flatbuffer).root()
    buffers = model.tables(4)
    for entry in model.tables(6):
        number = entry.scalar(1, "I")
        if entry.text(0) == ENTRY and number < len(buffers):
            return buffers[number].blob(0)
    return None


class _Writer:
    """Short names for the builder's calls. Children are written before the tables that point to them."""

    def __init__(self, builder: Any) -> None:
        self._builder = builder
        self._prepend: dict[str, Callable[[int, int, int], None]] = {
            "offset": builder.PrependUOffsetTRelativeSlot,
            "int8": builder.PrependInt8Slot,
            "uint32": builder.PrependUint32Slot,
        }

    def text(self, value: str) -> int:
        return int(self._builder.CreateString(value))

    def table(self, *fields: tuple[int, str, int]) -> int:
        """Fields are (slot, kind, value); a value of 0 is the schema's default and is left out."""
        self._builder.StartObject(max((slot for slot, _, _ in fields), default=-1) + 1)
        for slot, kind, value in fields:
            self._prepend[kind](slot, value, 0)
        return int(self._builder.EndObject())

    def offsets(self, items: Sequence[int]) -> int:
        self._builder.StartVector(4, len(items), 4)
        for item in reversed(items):
            self._builder.PrependUOffsetTRelative(item)
        return int(self._builder.EndVector())

    def floats(self, values: Sequence[float]) -> int:
        self._builder.StartVector(4, len(values), 4)
        for value in reversed(values):
            self._builder.PrependFloat32(value)
        return int(self._builder.EndVector())

    def blob(self, data: bytes, alignment: int) -> int:
        self._builder.StartVector(1, len(data), alignment)
        self._builder.head -= len(data)
        self._builder.Bytes[self._builder.head : self._builder.head + len(data)] = data
        return int(self._builder.EndVector())


def _builder(size: int) -> Any:
    try:
        return importlib.import_module("flatbuffers").Builder(size)
    except ModuleNotFoundError as error:
        raise MissingExtraError("flatbuffers", "train", "putting a card into a model") from error
