"""Which card a model goes by: the one inside it, the one given, the one beside it; never a guess.

A given card needs to hold only what the model file cannot say itself.
"""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path
from typing import Any

from fer_edge import files
from fer_edge.errors import ModelError
from fer_edge.model import graph, modelfile
from fer_edge.spec import ModelCard, TensorSpec

CONTENTS = ("probabilities", "logits")
_EXAMPLE = (
    '{"labels": ["angry", ...], "input": {"real_min": 0, "real_max": 1}, "output": {"content": "logits"}}'
)
_FILE_FACTS = ("dtype", "shape", "scale", "zero_point")


def is_raw_gray(tensor: TensorSpec) -> bool:
    """Whether the file alone says that the tensor holds gray levels 0..255 as they are."""
    return tensor.dtype == "uint8" and tensor.scale in {0.0, 1.0} and tensor.zero_point == 0


def find(path: Path, data: bytes, given: Path | None, ends: tuple[TensorSpec, TensorSpec]) -> ModelCard:
    """The card of the model file `path` with the bytes `data`.

    given: the user's own card, which must not contradict one inside the file.
    ends: input and output as the file itself states them; real range and content are not read.
    Raises ModelError if there is no card, or if it contradicts the file.
    """
    inside = modelfile.card_in(data, str(path))
    if given is not None:
        card = _complete(given, _read_json(given), path, data, ends)
        if inside is not None:
            _same_meaning(card, inside, given, path)
        where = str(given)
    elif inside is not None:
        card, where = inside, f"{path}: the card inside"
    else:
        card, where = _beside(path, data, ends)
    _check(card, ends, where)
    return card


def _beside(path: Path, data: bytes, ends: tuple[TensorSpec, TensorSpec]) -> tuple[ModelCard, str]:
    beside = path.with_suffix(".json")
    if beside.is_file():
        raw = _read_json(beside)
        if isinstance(raw, dict) and "labels" in raw:  # else it is another program's file
            return _complete(beside, raw, path, data, ends), str(beside)
    raise ModelError(
        f"{path} says nothing of its labels: give a card with --card FILE, a JSON file such as {_EXAMPLE}"
    )


def _read_json(path: Path) -> Any:
    try:
        return files.parse_json(path.read_bytes())
    except OSError as error:
        raise ModelError(f"cannot read the card {path}: {error.strerror or error}") from error
    except ValueError as error:
        raise ModelError(f"{path} is not a model card: {error}") from error


def _complete(
    where: Path, raw: Any, model: Path, data: bytes, ends: tuple[TensorSpec, TensorSpec]
) -> ModelCard:
    """A user's card with what the model file states itself filled in."""
    if not isinstance(raw, dict) or not isinstance(raw.get("labels"), list):
        raise ModelError(f"{where} is not a model card: no list of labels in it, such as {_EXAMPLE}")
    whole = {"name": model.stem, "format": "", **raw}
    for key, tensor in zip(("input", "output"), ends, strict=True):
        part = raw.get(key, {})
        if not isinstance(part, dict):
            raise ModelError(f"{where} is not a model card: {key!r} is no object in it")
        whole[key] = {name: getattr(tensor, name) for name in _FILE_FACTS} | part
    if not {"real_min", "real_max"} <= whole["input"].keys() and not is_raw_gray(ends[0]):
        raise ModelError(
            f"{where} does not say what range the {ends[0].dtype} input of {model.name} has: "
            'add "input": {"real_min": 0, "real_max": 1}, or -1 and 1, or 0 and 255'
        )
    if "content" not in whole["output"]:
        if not graph.ends_in_softmax(data):
            raise ModelError(
                f"{where} does not say what comes out of {model.name}: "
                'add "output": {"content": "logits"}, or "probabilities"'
            )
        whole["output"]["content"] = "probabilities"
    if whole["output"]["content"] == "probabilities":
        whole["output"] = {"real_min": 0.0, "real_max": 1.0} | whole["output"]
    return ModelCard.from_json(json.dumps(whole), str(where))


def _same_meaning(card: ModelCard, inside: ModelCard, given: Path, path: Path) -> None:
    pairs = {
        "labels": (card.labels, inside.labels),
        "input range": _ranges(card, inside),
        "output": (card.output.content, inside.output.content),
    }
    for what, (ours, theirs) in pairs.items():
        if ours != theirs:
            raise ModelError(
                f"{given} contradicts the card inside {path}: {what} {_plain(ours)} here, "
                f"{_plain(theirs)} there"
            )


def _ranges(*cards: ModelCard) -> tuple[tuple[float, float], ...]:
    return tuple((card.input.real_min, card.input.real_max) for card in cards)


def _plain(value: Any) -> str:
    return " ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _check(card: ModelCard, ends: tuple[TensorSpec, TensorSpec], where: str) -> None:
    classes = ends[1].shape[-1]
    if len(card.labels) != classes:
        raise ModelError(f"{where} names {len(card.labels)} labels, but the model gives {classes} values")
    if len(set(card.labels)) != classes:
        raise ModelError(f"{where} names a label twice: {', '.join(card.labels)}")
    if card.output.content not in CONTENTS:
        raise ModelError(f"{where}: output content {card.output.content!r} is not {' or '.join(CONTENTS)}")
    for number in (card.input.real_min, card.input.real_max, card.crop.margin):
        if not isinstance(number, int | float) or not abs(number) < math.inf:
            raise ModelError(f"{where} is not a model card: {number!r} is no number")
    if not card.input.real_min < card.input.real_max:
        raise ModelError(f"{where}: input range {card.input.real_min} to {card.input.real_max} is empty")
    for what, stated, tensor in (("input", card.input, ends[0]), ("output", card.output, ends[1])):
        if (stated.dtype, stated.shape) != (tensor.dtype, tensor.shape):
            raise ModelError(
                f"{where} is of another model: it says {what} {stated.dtype} {stated.shape}, "
                f"the file has {tensor.dtype} {tensor.shape}"
            )


def merged(card: ModelCard, ends: tuple[TensorSpec, TensorSpec]) -> tuple[TensorSpec, TensorSpec]:
    """Input and output with scale and zero point from the file, range and content from the card."""
    first, last = (
        dataclasses.replace(stated, scale=tensor.scale, zero_point=tensor.zero_point)
        for stated, tensor in zip((card.input, card.output), ends, strict=True)
    )
    return first, last
