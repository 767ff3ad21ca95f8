"""A `.tflite` file: its bytes, the card and labels inside it, and whether it can be run at all.

The card is read from the zip at the file's end. A file that is not included in fer-edge is first run in a
separate process: LiteRT checks that offsets stay inside the file, but not that the graph makes sense. Of 600
files with a few changed bytes, 4 caused a segmentation fault.
"""

import contextlib
import dataclasses
import functools
import importlib
import io
import json
import struct
import sys
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from fer_edge import child, files
from fer_edge.errors import FerEdgeError, MissingExtraError, ModelError, first_line
from fer_edge.model import shipped
from fer_edge.quiet import quiet_stderr
from fer_edge.spec import ModelCard, TensorSpec, expressions

LABELS_FILE, CARD_FILE = "labels.txt", "card.json"
METADATA = b"TFLITE_METADATA"
_FIXED_TIME = (1980, 1, 1, 0, 0, 0)  # the earliest date of a zip: same card, same bytes
CONTENTS = ("probabilities", "logits")
CHILD_MEMORY = 1 << 30
"""Memory limit in bytes to run an unknown file or read its weights; ours need some millions."""
_CHILD_S = 120.0
_FILE_LIMIT = 1 << 30  # bytes; a model for a small device has some millions
_MEMBER_LIMIT = 1 << 20  # bytes; our cards have some thousand
_ZIP_ERRORS = (zipfile.BadZipFile, OSError, EOFError, RuntimeError, ValueError, struct.error, zlib.error)
"""Raised by zipfile on damaged archives."""
_SAMPLE = '{"labels": ["sad", ...], "input": {"real_min": 0, "real_max": 1}, "output": {"content": "logits"}}'
Ends = tuple[TensorSpec, TensorSpec]  # a model's input and output


def read_bytes(path: Path) -> bytes:
    """The file's bytes. Raises ModelError if it cannot be read or is too large for a model."""
    if path.suffix == ".keras":
        raise ModelError(f"{path} is a Keras model: convert it first, with fer-edge convert {path}")
    try:
        if path.stat().st_size > _FILE_LIMIT:
            raise ModelError(f"{path} is over 1 GiB: not a model for this program")
        return path.read_bytes()
    except OSError as error:
        raise ModelError(f"cannot read {path}: {error.strerror or error}") from error


def card_in(data: bytes, where: str) -> ModelCard | None:
    """The card inside a .tflite file's bytes, named `where` in errors; None if there is none.

    Raises ModelError if the card is damaged or cut off.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive, archive.open(CARD_FILE) as opened:
            text = opened.read(_MEMBER_LIMIT + 1)
    except KeyError:  # another zip
        return None
    except zipfile.BadZipFile:
        if CARD_FILE.encode() in data:  # the flatbuffer's metadata names it
            raise ModelError(f"{where}: its end, where the card is, is cut or damaged") from None
        return None
    except _ZIP_ERRORS as error:
        raise ModelError(f"{where}: the card inside is damaged: {error}") from error
    if len(text) > _MEMBER_LIMIT:
        raise ModelError(f"{where}: the card inside is over 1 MiB, so not one of ours")
    return ModelCard.from_json(text, f"{where}: {CARD_FILE} inside it")


def without_zip(data: bytes) -> bytes:
    """The bytes in front of an appended zip; all of them if there is none, or if it is damaged."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return data[: min((member.header_offset for member in archive.infolist()), default=len(data))]
    except _ZIP_ERRORS:
        return data


def compressed_bytes(data: bytes) -> int:
    """Size in a download or an archive: zlib, which is gzip except for twelve bytes of header."""
    return len(zlib.compress(data, 9))


def embed_card(flatbuffer: bytes, card: ModelCard) -> bytes:
    """The .tflite file with `card` stored TFLite's way, for any reader: metadata and an appended zip.

    flatbuffer: a .tflite file's bytes; existing metadata and zip are replaced. The same input gives the same
    bytes. Raises ModelError if it is not a .tflite file.
    """
    from fer_edge.model import graph  # included models do not need it

    model = graph.unpacked(without_zip(flatbuffer))
    model.metadata = model.metadata or []
    note = next((note for note in model.metadata if note.name == METADATA), None)
    if note is None:
        note = graph.schema().MetadataT()
        note.name, note.buffer = METADATA, len(model.buffers)
        model.metadata.append(note)
        model.buffers.append(graph.schema().BufferT())
    model.buffers[note.buffer].data = np.frombuffer(model_metadata(card), np.uint8)
    stream = io.BytesIO(graph.packed(model))
    # Stored, since TFLite's own readers refuse compressed members. Appended, as the file is no zip.
    with zipfile.ZipFile(stream, "a", zipfile.ZIP_STORED) as archive:
        labels = "\n".join(card.labels) + "\n"
        for name, text in ((LABELS_FILE, labels), (CARD_FILE, card.to_json(compact=True))):
            member = zipfile.ZipInfo(name, _FIXED_TIME)
            member.create_system = 3  # Unix, whatever system writes it
            archive.writestr(member, text)
    return stream.getvalue()


def model_metadata(card: ModelCard) -> bytes:
    """TFLite's ModelMetadata (metadata_schema.fbs 1.1.0): input and output, from `card`.

    No maintained package includes that schema, so fields are given by their index in it.
    """
    grayscale, rgb = 2, 1
    color_space = rgb if 3 in card.input.shape[1:] else grayscale
    image, feature, value_labels = {0: 2, 1: {0: color_space}}, {0: 1, 1: {}}, 2
    std = 255.0 / (card.input.real_max - card.input.real_min)  # the input is (gray - mean) / std
    normalisation = {0: 1, 1: {0: [0.0 - card.input.real_min * std], 1: [std]}}
    ranges = [{0: [float(end.real_max)], 1: [float(end.real_min)]} for end in (card.input, card.output)]
    gray = "gray levels 0 to 255 of an upright face that fills the picture"
    face = {0: "face", 1: gray, 3: image, 4: [normalisation], 5: ranges[0]}
    labels = {0: LABELS_FILE, 1: "the expressions in the order of the values", 2: value_labels}
    content = card.output.content
    given = {0: content, 1: f"{content} of the expressions", 3: feature, 5: ranges[1], 6: [labels]}
    root = {
        0: card.name,
        1: f"facial expression of a gray face; {card.architecture or 'a network'} as {card.format}",
        3: [{2: [face], 3: [given]}],
        6: [{0: CARD_FILE, 2: 1}],
        7: "1.0.0",
    }
    builder = importlib.import_module("flatbuffers").Builder(1024)
    builder.Finish(_written(builder, root), b"M001")
    return bytes(builder.Output())


def _written(builder: Any, value: Any) -> int:
    """The offset of a string, a vector of floats or tables, or a table: field -> value, int8 where an int."""
    if isinstance(value, str):
        return int(builder.CreateString(value))
    if isinstance(value, list):
        items = [item if isinstance(item, float) else _written(builder, item) for item in value]
        builder.StartVector(4, len(items), 4)
        for item in reversed(items):
            (builder.PrependFloat32 if isinstance(item, float) else builder.PrependUOffsetTRelative)(item)
        return int(builder.EndVector())
    offsets = {n: _written(builder, held) for n, held in value.items() if not isinstance(held, int)}
    builder.StartObject(max(value, default=-1) + 1)
    for n, held in value.items():
        if n in offsets:
            builder.PrependUOffsetTRelativeSlot(n, offsets[n], 0)
        else:
            builder.PrependInt8Slot(n, held, 0)
    return int(builder.EndObject())


def check(data: bytes, where: str) -> None:
    """Raises ModelError, naming `where`, unless the file is included in fer-edge, or is intact and runs.

    It is run once, on zeros, in a separate process, within 120 s and 1 GiB.
    """
    if not shipped.ships(data) and (reason := _why_not(data)):
        raise ModelError(f"{where}: {reason}")


@functools.lru_cache(maxsize=16)
def _why_not(data: bytes) -> str:
    threads = {"OPENBLAS_NUM_THREADS": "1"}  # each takes address space, although they are not used
    try:
        return str(child.run(_tried, what="", data=data, timeout_s=_CHILD_S, environment=threads))
    except child.ChildError as error:
        return f"the interpreter crashes on this model, which is damaged or needs over 1 GiB:{error}"


def _tried() -> str:
    """In the child: the reason why the model on standard input does not run; empty if it does."""
    from fer_edge.model import classifier, graph

    data = sys.stdin.buffer.read()
    try:
        classifier.find_interpreter()
        child.limit(memory_bytes=CHILD_MEMORY)
        with contextlib.suppress(MissingExtraError):  # tflite_runtime has no schema: the run shows it
            graph.check(data, "")
        model = classifier.load_interpreter(data, 1, "")
        with quiet_stderr():
            for tensor in model.get_input_details():
                model.set_tensor(tensor["index"], np.zeros(tensor["shape"], tensor["dtype"]))
            model.invoke()
    except (FerEdgeError, RuntimeError, ValueError) as error:
        return first_line(error).removeprefix(": ")
    return ""


def find_card(path: Path, data: bytes, given: str | Path | None, ends: Ends) -> ModelCard:
    """The card of a model: the one inside it, else the one given, else the one beside it; never a guess.

    given: the user's card, which only needs what the file lacks. ends: input and output according to the
    file; their real range and content are not read. Synonyms of FER-2013's labels are replaced by those.
    Raises ModelError if there is no card, if it contradicts the file, or if one is given beside one inside.
    """
    card, where = card_in(data, str(path)), f"{path}: the card inside"
    if card is not None and given is not None:
        raise ModelError(f"{path} has its card and labels inside: leave out --card {given}")
    outside = Path(given or path.with_suffix(".json"))
    if card is None and (given or outside.is_file()):
        where, raw = str(outside), _read_card(outside)
        if given or (isinstance(raw, dict) and "labels" in raw):  # else another program's
            card = _completed(where, raw, path, ends)
    if card is None:
        raise ModelError(f"{path} has no labels inside: give --card FILE, a JSON file such as {_SAMPLE}")
    return _checked(dataclasses.replace(card, labels=expressions(card.labels)), ends, where)


def _read_card(path: Path) -> Any:
    try:
        return files.parse_json(path.read_bytes())
    except OSError as error:
        raise ModelError(f"cannot read the card {path}: {error.strerror or error}") from error
    except ValueError as error:
        raise ModelError(f"{path} is not a model card: {error}") from error


def _completed(where: str, raw: Any, model: Path, ends: Ends) -> ModelCard:
    """A user's card, completed from the model file."""
    if not isinstance(raw, dict) or not isinstance(raw.get("labels"), list):
        raise ModelError(f"{where} is not a model card: no list of labels in it, such as {_SAMPLE}")
    whole = {"name": model.stem, "format": "", **raw}
    for key, tensor in zip(("input", "output"), ends, strict=True):
        if not isinstance(raw.get(key, {}), dict):
            raise ModelError(f"{where} is not a model card: {key!r} is not an object")
        facts = {name: getattr(tensor, name) for name in ("dtype", "shape", "scale", "zero_point")}
        whole[key] = facts | raw.get(key, {})
    taken = ends[0]
    raw_gray = taken.dtype == "uint8" and taken.scale in {0.0, 1.0} and taken.zero_point == 0
    lacking = []
    if not raw_gray and not {"real_min", "real_max"} <= whole["input"].keys():
        lacking.append('"input": {"real_min": 0, "real_max": 1} (or -1 and 1, or 0 and 255)')
    if "content" not in whole["output"]:
        lacking.append('"output": {"content": "logits"} (or "probabilities")')
    if lacking:
        raise ModelError(f"{where} does not say what {model.name} takes and gives: add {', '.join(lacking)}")
    if whole["output"]["content"] == "probabilities":
        whole["output"] = {"real_min": 0.0, "real_max": 1.0} | whole["output"]
    return ModelCard.from_json(json.dumps(whole), where)


def _checked(card: ModelCard, ends: Ends, where: str) -> ModelCard:
    """With the file's quantisation. Raises ModelError if the card contradicts the file, or itself."""
    classes = ends[1].shape[-1]
    if len(card.labels) != classes:
        raise ModelError(f"{where} names {len(card.labels)} labels, but the model gives {classes} values")
    if len(set(card.labels)) != classes:
        raise ModelError(f"{where} names a label twice: {', '.join(card.labels)}")
    if card.output.content not in CONTENTS:
        raise ModelError(f"{where}: output content {card.output.content!r} is not {' or '.join(CONTENTS)}")
    for what, tensor in zip(("input", "output"), ends, strict=True):
        stated: TensorSpec = getattr(card, what)
        if (stated.dtype, stated.shape) != (tensor.dtype, tensor.shape):
            raise ModelError(
                f"{where} belongs to another model: it says {what} {stated.dtype} {stated.shape}, "
                f"the file has {tensor.dtype} {tensor.shape}"
            )
        own = dataclasses.replace(stated, scale=tensor.scale, zero_point=tensor.zero_point)
        card = dataclasses.replace(card, **{what: own})  # type: ignore[arg-type]
    return card
