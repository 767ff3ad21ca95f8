"""A `.tflite` file: the bytes, the card and labels that travel with it, and whether it can be run at all.

The card is read through the zip at the file's end. A file that does not ship is tried in a process of its
own first: LiteRT verifies that offsets stay inside the file, not that the graph makes sense, and of 600 files
with a few bytes changed, 4 ended in a segmentation fault.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import io
import json
import struct
import sys
import zipfile
import zlib
from pathlib import Path
from typing import Any

from fer_edge import child, files
from fer_edge.errors import FerEdgeError, MissingExtraError, ModelError
from fer_edge.model import shipped
from fer_edge.spec import ModelCard, TensorSpec, expressions

LABELS_FILE, CARD_FILE = "labels.txt", "card.json"
CONTENTS = ("probabilities", "logits")
TRIAL_MEMORY = 1 << 30
"""Bytes that one run of an unknown file, or reading its weights, may take; ours take some millions."""
_TRIAL_S = 120.0
_FILE_LIMIT = 1 << 30  # bytes; a model for a small device has some millions
_MEMBER_LIMIT = 1 << 20  # bytes; our cards have some thousand
_ZIP_ERRORS = (OSError, EOFError, NotImplementedError, RuntimeError, ValueError, struct.error, zlib.error)
"""What zipfile raises, besides BadZipFile, on archives that are damaged."""
_EXAMPLE = (
    '{"labels": ["angry", ...], "input": {"real_min": 0, "real_max": 1}, "output": {"content": "logits"}}'
)
Ends = tuple[TensorSpec, TensorSpec]
"""A model's input and output."""


def read_bytes(path: Path) -> bytes:
    """The file's bytes. Raises ModelError if it cannot be read or is far too large for a model."""
    if path.suffix == ".keras":
        raise ModelError(f"{path} is a Keras model: convert it first, with fer-edge convert {path}")
    try:
        if path.stat().st_size > _FILE_LIMIT:
            raise ModelError(f"{path} is over 1 GiB: not a model for this program")
        return path.read_bytes()
    except OSError as error:
        raise ModelError(f"cannot read {path}: {error.strerror or error}") from error


def card_in(data: bytes, where: str) -> ModelCard | None:
    """The card inside a .tflite file's bytes, which errors call `where`; None if it holds none.

    Raises ModelError if what it holds as a card is damaged, or cut off.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            if CARD_FILE not in archive.namelist():
                return None
            member = archive.getinfo(CARD_FILE)
            if max(member.file_size, member.compress_size) > _MEMBER_LIMIT:
                raise ModelError(f"{where}: the card inside is over 1 MiB, so not one of ours")
            with archive.open(member) as opened:
                text = opened.read(_MEMBER_LIMIT + 1)
    except zipfile.BadZipFile:
        if CARD_FILE.encode() in data:  # the flatbuffer's metadata names it
            raise ModelError(f"{where}: its end, where the card is, is cut or damaged") from None
        return None
    except _ZIP_ERRORS as error:
        raise ModelError(f"{where}: the card inside is damaged: {error}") from error
    return ModelCard.from_json(text, f"{where}: {CARD_FILE} inside it")


def without_zip(data: bytes) -> bytes:
    """The bytes in front of an appended zip; all of them if there is none."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            starts = [member.header_offset for member in archive.infolist()]
    except (zipfile.BadZipFile, *_ZIP_ERRORS):
        return data
    return data[: min(starts)] if starts else data


def compressed_bytes(data: bytes) -> int:
    """As a download or an archive holds it: zlib, which is gzip but for twelve bytes of header."""
    return len(zlib.compress(data, 9))


def check(data: bytes, where: str) -> None:
    """Raises ModelError, naming `where`, unless the bytes ship with fer-edge, or are whole and run.

    One run, on zeros, in a process of its own, within 120 s and 1 GiB.
    """
    if not shipped.ships(data) and (reason := _why_not(data)):
        raise ModelError(f"{where}: {reason}")


@functools.lru_cache(maxsize=16)
def _why_not(data: bytes) -> str:
    try:
        # each thread of OpenBLAS takes address space, though nothing here uses it
        threads = {"OPENBLAS_NUM_THREADS": "1"}
        reason: str = child.run(_tried, what="", data=data, timeout_s=_TRIAL_S, environment=threads)
    except child.ChildError as error:
        return f"the interpreter dies of this model, which is damaged or needs over 1 GiB:{error}"
    return reason


def _tried() -> str:
    """In the child: why the model on standard input does not run; empty if it does."""
    import numpy as np

    from fer_edge.model import graph, interpreter

    data = sys.stdin.buffer.read()
    try:
        interpreter.find()
        with contextlib.suppress(MissingExtraError):  # without a schema (tflite_runtime) the run alone tells
            graph.check(data, "")
        child.limit(memory_bytes=TRIAL_MEMORY)
        model = interpreter.load(data, 1, "")
        with interpreter.quiet_stderr():
            for tensor in model.get_input_details():
                model.set_tensor(tensor["index"], np.zeros(tensor["shape"], tensor["dtype"]))
            model.invoke()
    except (FerEdgeError, RuntimeError, ValueError) as error:
        return str(error).strip().removeprefix(": ").splitlines()[0]
    return ""


def is_raw_gray(tensor: TensorSpec) -> bool:
    """Whether the file alone says that the tensor holds gray levels 0..255 as they are."""
    return tensor.dtype == "uint8" and tensor.scale in {0.0, 1.0} and tensor.zero_point == 0


def find_card(path: Path, data: bytes, given: Path | None, ends: Ends) -> ModelCard:
    """The card that a model goes by: the one inside it, the one given, the one beside it; never a guess.

    given: the user's own card, which needs to say only what the file cannot, and must not contradict a card
    inside. ends: as the file itself states them; real range and content are not read. Labels that are other
    words for FER-2013's expressions become those. Raises ModelError if there is no card, or if it contradicts
    the file.
    """
    inside = card_in(data, str(path))
    beside = path.with_suffix(".json")
    if given is not None:
        card, where = _completed(given, read_card(given), path, data, ends), str(given)
        if inside is not None:
            _same_meaning(card, inside, given, path)
    elif inside is not None:
        card, where = inside, f"{path}: the card inside"
    elif beside.is_file() and "labels" in (raw := read_card(beside)):  # else it is another program's file
        card, where = _completed(beside, raw, path, data, ends), str(beside)
    else:
        raise ModelError(
            f"{path} says nothing of its labels: give a card with --card FILE, a JSON file such as {_EXAMPLE}"
        )
    card = dataclasses.replace(card, labels=expressions(card.labels))
    _check_card(card, ends, where)
    first, last = (
        dataclasses.replace(stated, scale=tensor.scale, zero_point=tensor.zero_point)
        for stated, tensor in zip((card.input, card.output), ends, strict=True)
    )
    return dataclasses.replace(card, input=first, output=last)


def read_card(path: Path) -> Any:
    """The value in a JSON file. Raises ModelError if it is none."""
    try:
        return files.parse_json(path.read_bytes())
    except OSError as error:
        raise ModelError(f"cannot read the card {path}: {error.strerror or error}") from error
    except ValueError as error:
        raise ModelError(f"{path} is not a model card: {error}") from error


def _completed(where: Path, raw: Any, model: Path, data: bytes, ends: Ends) -> ModelCard:
    """A user's card with what the model file states itself filled in."""
    if not isinstance(raw, dict) or not isinstance(raw.get("labels"), list):
        raise ModelError(f"{where} is not a model card: no list of labels in it, such as {_EXAMPLE}")
    whole = {"name": model.stem, "format": "", **raw}
    for key, tensor in zip(("input", "output"), ends, strict=True):
        if not isinstance(raw.get(key, {}), dict):
            raise ModelError(f"{where} is not a model card: {key!r} is no object in it")
        facts = {name: getattr(tensor, name) for name in ("dtype", "shape", "scale", "zero_point")}
        whole[key] = facts | raw.get(key, {})
    if not {"real_min", "real_max"} <= whole["input"].keys() and not is_raw_gray(ends[0]):
        raise ModelError(
            f"{where} does not say what range the {ends[0].dtype} input of {model.name} has: "
            'add "input": {"real_min": 0, "real_max": 1}, or -1 and 1, or 0 and 255'
        )
    if "content" not in whole["output"]:
        if not _surely_probabilities(data):
            raise ModelError(
                f"{where} does not say what comes out of {model.name}: "
                'add "output": {"content": "logits"}, or "probabilities"'
            )
        whole["output"]["content"] = "probabilities"
    if whole["output"]["content"] == "probabilities":
        whole["output"] = {"real_min": 0.0, "real_max": 1.0} | whole["output"]
    return ModelCard.from_json(json.dumps(whole), str(where))


def _surely_probabilities(data: bytes) -> bool:
    from fer_edge.model import graph

    try:
        return graph.ends_in_softmax(data)
    except FerEdgeError:  # no schema here
        return False


def _same_meaning(card: ModelCard, inside: ModelCard, given: Path, path: Path) -> None:
    def meant(one: ModelCard) -> dict[str, str]:
        return {
            "labels": " ".join(expressions(one.labels)),
            "input range": f"{one.input.real_min:g} to {one.input.real_max:g}",
            "output": one.output.content,
        }

    for (what, ours), theirs in zip(meant(card).items(), meant(inside).values(), strict=True):
        if ours != theirs:
            raise ModelError(
                f"{given} contradicts the card inside {path}: {what} {ours} here, {theirs} there"
            )


def _check_card(card: ModelCard, ends: Ends, where: str) -> None:
    classes = ends[1].shape[-1]
    if len(card.labels) != classes:
        raise ModelError(f"{where} names {len(card.labels)} labels, but the model gives {classes} values")
    if len(set(card.labels)) != classes:
        raise ModelError(f"{where} names a label twice: {', '.join(card.labels)}")
    if card.output.content not in CONTENTS:
        raise ModelError(f"{where}: output content {card.output.content!r} is not {' or '.join(CONTENTS)}")
    for what, stated, tensor in (("input", card.input, ends[0]), ("output", card.output, ends[1])):
        if (stated.dtype, stated.shape) != (tensor.dtype, tensor.shape):
            raise ModelError(
                f"{where} is of another model: it says {what} {stated.dtype} {stated.shape}, "
                f"the file has {tensor.dtype} {tensor.shape}"
            )
