"""TFLite's own metadata in a .tflite file: a `TFLITE_METADATA` buffer that the official tools read.

Slots are those of schema.fbs and of metadata_schema.fbs (tensorflow/tflite-support, version 1.1.0).
"""

from __future__ import annotations

from fer_edge.errors import ModelError
from fer_edge.model.flatbuffer import Buffer
from fer_edge.model.flatbuffer_writer import BLOB_ALIGNMENT, Writer
from fer_edge.spec import ModelCard, TensorSpec

LABELS_FILE = "labels.txt"
CARD_FILE = "card.json"
ENTRY = "TFLITE_METADATA"
METADATA_IDENTIFIER = b"M001"
_NORMALIZATION = 1  # ProcessUnitOptions.NormalizationOptions
_IMAGE = 2  # ContentProperties.ImageProperties
_FEATURE = 1  # ContentProperties.FeatureProperties
_COLOR_SPACE = {1: 2, 3: 1}  # channels -> ColorSpaceType: GRAYSCALE, RGB
_AXIS_LABELS, _DESCRIPTION = 2, 1  # AssociatedFileType


def model_metadata(card: ModelCard) -> bytes:
    """A ModelMetadata flatbuffer (identifier M001) that says what `card` says of input and output."""
    write = Writer()
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
    kind = f"{card.architecture or 'a network'} as {card.format}"
    root = write.table(
        (0, "offset", write.text(card.name)),
        (1, "offset", write.text(f"facial expression of a gray face; {kind}")),
        (3, "offset", write.offsets([subgraph])),
        (6, "offset", write.offsets([card_file])),
        (7, "offset", write.text("1.0.0")),
    )
    return write.finished(root, METADATA_IDENTIFIER)


def _input_metadata(write: Writer, tensor: TensorSpec) -> int:
    # Gray levels 0..255 become real_min..real_max: (gray - mean) / std.
    std = 255.0 / (tensor.real_max - tensor.real_min)
    options = write.table(
        (0, "offset", write.floats([0.0 - tensor.real_min * std])), (1, "offset", write.floats([std]))
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


def _output_metadata(write: Writer, tensor: TensorSpec, labels_file: int) -> int:
    content = write.table((0, "int8", _FEATURE), (1, "offset", write.table()))
    return write.table(
        (0, "offset", write.text(tensor.content)),
        (1, "offset", write.text(f"{tensor.content} of the expressions in {LABELS_FILE}")),
        (3, "offset", content),
        (5, "offset", _stats(write, tensor)),
        (6, "offset", write.offsets([labels_file])),
    )


def _stats(write: Writer, tensor: TensorSpec) -> int:
    greatest, least = write.floats([tensor.real_max]), write.floats([tensor.real_min])
    return write.table((0, "offset", greatest), (1, "offset", least))


def add_to_model(flatbuffer: bytes, metadata: bytes) -> bytes:
    """The model with `metadata` as its TFLITE_METADATA buffer, replacing an entry it may have.

    A new root table is written in front, which points to the parts of the old model where they are:
    no weight is moved, copied or realigned, and fields unknown to us stay.
    """
    model = Buffer(flatbuffer).root()
    buffers = model.tables(4)
    if any(buffer.scalar(1, "Q") > 1 for buffer in buffers):
        raise ModelError("a card cannot be put into a file that keeps weights outside its flatbuffer")
    write = Writer(follows=flatbuffer, alignment=BLOB_ALIGNMENT)
    entries = [write.inside(entry.position) for entry in model.tables(6) if entry.text(0) != ENTRY]
    blob = write.blob(metadata, BLOB_ALIGNMENT)
    name = write.text(ENTRY)
    entries.append(write.table((0, "offset", name), (1, "uint32", len(buffers))))
    new_buffers = [write.inside(buffer.position) for buffer in buffers] + [write.table((0, "offset", blob))]
    fields: list[tuple[int, str, int]] = [
        (4, "offset", write.offsets(new_buffers)),
        (6, "offset", write.offsets(entries)),
    ]
    for slot in range(model.slots):
        target = model.target(slot) if slot not in (0, 4, 6) else None
        if target is not None:  # all fields of Model but the version are offsets
            fields.append((slot, "offset", write.inside(target)))
    root = write.table((0, "uint32", model.scalar(0, "I")), *fields)
    return write.finished(root, flatbuffer[4:8])


def from_model(flatbuffer: bytes) -> bytes | None:
    """The ModelMetadata flatbuffer in a model, None if there is none. Raises ModelError if damaged."""
    model = Buffer(flatbuffer).root()
    buffers = model.tables(4)
    for entry in model.tables(6):
        number = entry.scalar(1, "I")
        if entry.text(0) == ENTRY and number < len(buffers):
            return buffers[number].blob(0)
    return None


def names_card(flatbuffer: bytes) -> bool:
    """Whether the model's metadata says that a card of ours goes with it. Raises ModelError if damaged."""
    held = from_model(flatbuffer)
    return held is not None and any(file.text(0) == CARD_FILE for file in Buffer(held).root().tables(6))
