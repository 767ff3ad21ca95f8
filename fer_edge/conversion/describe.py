"""The card of a converted file: what the source's card says, what the file itself says, what was measured."""

from __future__ import annotations

import dataclasses
import platform
from typing import Any

import numpy as np

from fer_edge import __version__, files
from fer_edge.conversion.calibration import Calibration
from fer_edge.conversion.recipes import Recipe
from fer_edge.conversion.reference import Reference
from fer_edge.errors import ModelError
from fer_edge.model import interpreter
from fer_edge.spec import LABELS, USE, Format, ModelCard, TensorSpec


def tensors(flatbuffer: bytes, format_: Format) -> tuple[TensorSpec, TensorSpec]:
    """Input and output of a file of ours. Raises ModelError if they are not what DESIGN promises:
    raw gray levels in, probabilities out, scale 1 and zero point 0 (full_integer: -128) where quantised.
    """
    model = interpreter.load(flatbuffer, 1, f"the {format_.value} file")
    (taken,), (given,) = model.get_input_details(), model.get_output_details()
    whole = format_ is Format.FULL_INTEGER
    ends = _spec(taken, "gray", 255.0), _spec(given, "probabilities", 1.0)
    quantised = format_ in (Format.INT8, Format.FULL_INTEGER)
    wanted = ("int8", 1.0, -128) if whole else ("uint8", 1.0 if quantised else 0.0, 0)
    found = (ends[0].dtype, round(ends[0].scale, 6), ends[0].zero_point)
    if found != wanted or ends[1].dtype != ("int8" if whole else "float32"):
        raise ModelError(
            f"the {format_.value} file takes {found} and gives {ends[1].dtype}: {wanted} (type, scale, zero "
            "point) was to come out; does the model take gray levels 0..255?"
        )
    return ends


def _spec(detail: Any, content: str, real_max: float) -> TensorSpec:
    scale, zero_point = detail["quantization"]
    shape = tuple(int(n) for n in detail["shape"])
    dtype = np.dtype(detail["dtype"]).name
    return TensorSpec(dtype, shape, float(scale), int(zero_point), real_max=real_max, content=content)


def card(
    name: str,
    format_: Format,
    flatbuffer: bytes,
    *,
    against: Reference,
    recipe: Recipe,
    calibration: Calibration | None,
    qat: bool = False,
) -> ModelCard:
    """The card without `measured`. qat: whether quantisation-aware training was done.

    Raises ModelError as `tensors` does.
    """
    # Not at the top: it imports Keras, whose backend must be settled first.
    from fer_edge.training.networks import multiply_accumulates

    taken, given = tensors(flatbuffer, format_)
    known = against.card or ModelCard(name, "keras", LABELS, taken, given)
    conversion: dict[str, Any] = {
        "name": recipe.name,
        "thresholds": dataclasses.asdict(recipe.limits(format_)),
    }
    how = {name: getattr(recipe, name) for name in ("sparsity", "clusters") if getattr(recipe, name)}
    if qat:
        how |= {name: getattr(recipe, name) for name in ("qat_steps", "qat_batch", "qat_rate")}
    conversion |= how
    if calibration is not None:
        conversion["calibration"] = {"pictures": len(calibration.ids), "rows": calibration.origin}
    return dataclasses.replace(
        known,
        name=name,
        format=format_.value,
        input=taken,
        output=given,
        architecture=known.architecture or against.model.name,
        parameters=against.model.count_params(),
        macs=multiply_accumulates(against.model),
        recipe={"training": known.recipe, "conversion": conversion},
        versions={**{f"training {k}": v for k, v in known.versions.items()}, **versions()},
        source_sha256=files.sha256(against.path),
        measured={},
        use=USE,
    )


def versions() -> dict[str, str]:
    """What converted."""
    import keras
    import tensorflow as tf

    found = {"fer-edge": __version__, "python": platform.python_version()}
    return {**found, "tensorflow": tf.__version__, "keras": keras.__version__, "numpy": np.__version__}
