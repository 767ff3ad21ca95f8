"""A .tflite file as a whole: the card that travels inside it, and whether it is fit to be run.

The card is read through the zip at the file's end, which needs no schema and takes no time; the
flatbuffer in front is read only to embed a card and to check a file that is not known.
"""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections import Counter
from pathlib import Path

from fer_edge.errors import ModelError
from fer_edge.model import graph, metadata
from fer_edge.model.graph import Builtin
from fer_edge.model.metadata import CARD_FILE, LABELS_FILE
from fer_edge.spec import ModelCard

_ZIP_ERRORS = (OSError, EOFError, NotImplementedError, RuntimeError, ValueError, struct.error, zlib.error)
"""What zipfile raises, besides BadZipFile, on archives that are damaged."""

_MEMBER_LIMIT = 1 << 20  # bytes; our cards have some thousand
_FIXED_TIME = (1980, 1, 1, 0, 0, 0)  # the earliest that zip can say: same card, same bytes
_FILE_LIMIT = 1 << 30  # bytes; a model for a small device has some millions
_VARIABLES = {Builtin.VAR_HANDLE, Builtin.READ_VARIABLE, Builtin.ASSIGN_VARIABLE}
_WEIGHTED = {Builtin.CONV_2D, Builtin.DEPTHWISE_CONV_2D, Builtin.FULLY_CONNECTED}
"""Operators whose second input is their weights."""


def read_bytes(path: Path) -> bytes:
    """The file's bytes. Raises ModelError if it cannot be read or is far too large for a model."""
    try:
        if path.stat().st_size > _FILE_LIMIT:
            raise ModelError(f"{path} is over 1 GiB: not a model for this program")
        return path.read_bytes()
    except OSError as error:
        raise ModelError(f"cannot read {path}: {error.strerror or error}") from error


def read_card(path: Path) -> ModelCard | None:
    """The card inside the .tflite file, None if it holds none.

    Raises ModelError if the file cannot be read, or if what it holds as a card is damaged.
    """
    return card_in(read_bytes(path), str(path))


def card_in(data: bytes, where: str) -> ModelCard | None:
    """As `read_card`, for the bytes of a file that errors call `where`."""
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
        if _should_hold_card(data):
            raise ModelError(f"{where}: its end, where the card is, is cut or damaged") from None
        return None
    except _ZIP_ERRORS as error:
        raise ModelError(f"{where}: the card inside is damaged: {error}") from error
    return ModelCard.from_json(text, f"{where}: {CARD_FILE} inside it")


def _should_hold_card(data: bytes) -> bool:
    try:
        return metadata.names_card(data)
    except ModelError:
        return False  # not a whole .tflite file, which `check` says better


def embed_card(flatbuffer: bytes, card: ModelCard) -> bytes:
    """The .tflite file with `card` in TFLite's own way, for any reader: metadata and an appended zip.

    flatbuffer: a .tflite file's bytes; a zip that it has already is replaced. The same input gives
    the same bytes. Raises ModelError if it is no .tflite file.
    """
    graph.read(flatbuffer)
    flatbuffer = without_zip(flatbuffer)
    model = metadata.add_to_model(flatbuffer, metadata.model_metadata(card))
    stream = io.BytesIO(model)
    # Stored, since TFLite's own readers refuse compressed members. Appended, as the file is no zip.
    with zipfile.ZipFile(stream, "a", zipfile.ZIP_STORED) as archive:
        labels = "\n".join(card.labels) + "\n"
        for name, text in ((LABELS_FILE, labels), (CARD_FILE, card.to_json(compact=True))):
            member = zipfile.ZipInfo(name, _FIXED_TIME)
            member.create_system = 3  # Unix, on whatever system it is written
            archive.writestr(member, text)
    return stream.getvalue()


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


def operators(data: bytes) -> dict[str, int]:
    """Name of operator -> how often the file uses it, by name. Raises ModelError if damaged."""
    used = Counter(operator.name for part in graph.read(data) for operator in part.operators)
    return dict(sorted(used.items()))


def check(path: Path) -> None:
    """Raises ModelError, in one line that names `path`, unless it is a whole .tflite file that can run.

    Refused: cut, foreign, empty and damaged files; files without their weights or with variables,
    which some exporters write without a word; operators that TFLite does not build in.
    """
    check_bytes(read_bytes(path), str(path))


def check_bytes(data: bytes, where: str) -> None:
    """As `check`, for the bytes of a file that errors call `where`."""
    try:
        parts = graph.read(data)
    except ModelError as error:
        raise ModelError(f"{where}: {error}") from error
    foreign = sorted({node.custom_name for part in parts for node in part.operators if node.custom_name})
    if foreign:
        raise ModelError(
            f"{where} needs operators outside TFLite ({', '.join(foreign)}): "
            "convert with builtin operators only"
        )
    for part in parts:
        _check_weights(part, where)


def _check_weights(part: graph.Graph, where: str) -> None:
    codes = {operator.code for operator in part.operators}
    if codes & _VARIABLES or any(tensor.variable for tensor in part.tensors):
        raise ModelError(f"{where} keeps its weights in variables, not in the file: convert a frozen model")
    given = set(part.inputs)
    made = given.union(*(operator.outputs for operator in part.operators))
    for operator in part.operators:
        missing = [n for n in operator.inputs if n >= 0 and n not in made and not part.tensors[n].constant]
        if operator.code in _WEIGHTED:
            missing += [n for n in operator.inputs[1:2] if n in given]
        if missing:
            raise ModelError(
                f"{where} does not hold its weights ({operator.name} has none): convert it again"
            )
