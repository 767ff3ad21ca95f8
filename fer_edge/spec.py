"""Facts that every part shares: labels, input shape, formats, crop policy, the model card."""

import dataclasses
import enum
import json
from dataclasses import dataclass, field
from typing import Annotated, Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fer_edge import files
from fer_edge.errors import ModelError, UsageError
from fer_edge.files import Share

LABELS = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
"""The seven expressions of FER-2013 in the order of its `emotion` column, 0 to 6."""

INPUT_SHAPE = (48, 48, 1)  # height, width, channels of the networks that we train
LARGEST_SIDE = 1024  # pixels, of a model's input: a face has some hundred

SPELLINGS = {
    "angry": ("angry", "anger"),
    "disgust": ("disgust", "disgusted"),
    "fear": ("fear", "fearful", "afraid", "scared"),
    "happy": ("happy", "happiness", "joy"),
    "sad": ("sad", "sadness"),
    "surprise": ("surprise", "surprised"),
    "neutral": ("neutral", "neutrality"),
    "contempt": ("contempt", "contemptuous"),
}
"""Names in folders and cards for the expressions of FER-2013 and FER+'s eighth, in lower case."""


def expressions(words: tuple[str, ...]) -> tuple[str, ...]:
    """FER-2013's or FER+'s names for the usual spellings of them (`Anger`); other words unchanged."""
    names = {word: name for name, usual in SPELLINGS.items() for word in usual}
    found = tuple(names.get(word.strip().lower(), word) for word in words)
    return found if len(set(found)) == len(set(words)) else words


class Format(enum.StrEnum):
    """Number formats of a converted model; full_integer takes and returns int8, others uint8 and float32."""

    FLOAT32 = "float32"
    FLOAT16 = "float16"
    DYNAMIC_RANGE = "dynamic_range"
    INT8 = "int8"
    FULL_INTEGER = "full_integer"
    INT16X8 = "int16x8"


MIRROR = "_mirror"  # suffix of a network with two views, which counts as a separate network
MIRROR_NOTE = "NAME_mirror: two views in one file, a picture and its mirror image; all others see it once."


def split_name(stem: str) -> tuple[str, Format | None]:
    """`tuned_int8` as its network and format: ("tuned", Format.INT8); a name without one of ours has None."""
    for known in Format:
        if stem.endswith(f"_{known}"):
            return stem.removesuffix(f"_{known}"), known
    return stem, None


USE = (
    "For naming what a face shows, on frontal faces as in FER-2013. Not for telling what a person feels, "
    "thinks or is, nor for decisions about people: an expression is not an emotion. Error rates differ much "
    "between expressions (recall); other ages, groups of people, lighting and cameras were not measured."
)
"""Intended use of our models, for the card."""

Real = Annotated[float, (-1e6, 1e6)]  # larger numbers in a card are mistakes


@dataclass(frozen=True)
class CropPolicy:
    """How a detected box becomes the square picture that a model sees.

    margin: fraction of the box's side added on each side. 0 for Haar boxes, whose width is 0.98 of
    a FER-2013 picture's (median over 970 pictures; DESIGN, "Known of the parts").
    """

    margin: Share = 0.0


@dataclass(frozen=True)
class TensorSpec:
    """A model's input or output: real value = scale * (stored - zero_point); scale 0 if unquantised.

    real_min, real_max: the real range that the tensor's values stand for (gray levels 0..255 for our
    inputs). content: `gray` for an input, `probabilities` or `logits` for an output.
    """

    dtype: str
    shape: tuple[int, ...]
    scale: Real = 0.0
    zero_point: Annotated[int, (-1e6, 1e6)] = 0
    real_min: Real = 0.0
    real_max: Real = 255.0
    content: str = "gray"

    def quantize(self, real: ArrayLike) -> NDArray[Any]:
        """Real values of any shape -> stored values of `dtype`, same shape.

        Rounded to the nearest step (ties to even, as in TFLite's converter) and clipped to the range of
        `dtype`, so that nothing wraps around. An unquantised integer tensor has steps of 1.
        """
        values, dtype = np.asarray(real, np.float64), np.dtype(self.dtype)
        if dtype.kind == "f":
            return values.astype(dtype)
        if self.scale:
            values = values / self.scale + self.zero_point
        limits = np.iinfo(dtype)
        return np.clip(np.rint(values), limits.min, limits.max).astype(dtype)

    def dequantize(self, stored: NDArray[Any]) -> NDArray[np.float32]:
        """Stored values of any shape -> real values, float32, same shape; a view of unquantised float32."""
        real = stored.astype(np.float32, copy=False)
        if not self.scale:
            return real
        # The subtraction is exact: 8 and 16 bit values fit float32.
        return (real - np.float32(self.zero_point)) * np.float32(self.scale)


@dataclass(frozen=True)
class ModelCard:
    """The description of a model, inside its file and beside it as NAME_FORMAT.json. use: `USE` in ours.

    views: per picture in the network, 2 with its mirror image (`convert --mirror`).
    """

    name: str
    format: str
    labels: tuple[str, ...]
    input: TensorSpec
    output: TensorSpec
    crop: CropPolicy = CropPolicy()
    architecture: str = ""
    parameters: int = 0
    macs: int = 0
    recipe: dict[str, Any] = field(default_factory=dict)
    data: dict[str, Any] = field(default_factory=dict)
    seed: int | None = None
    versions: dict[str, str] = field(default_factory=dict)
    source_sha256: str = ""
    measured: dict[str, Any] = field(default_factory=dict)
    use: str = ""
    views: Annotated[int, (1, 2)] = 1

    def to_json(self, *, compact: bool = False) -> str:
        """JSON with a newline at the end, indented unless `compact`; the same card gives the same text."""
        values = dataclasses.asdict(self)
        if self.views == 1:
            del values["views"]
        layout: dict[str, Any] = {"separators": (",", ":")} if compact else {"indent": 2}
        return json.dumps(values, ensure_ascii=False, **layout) + "\n"

    @classmethod
    def from_json(cls, text: str | bytes, where: str) -> Self:
        """Raises ModelError, naming `where`, for other text, and for numbers that would take much memory."""
        try:
            raw = files.parse_json(text)
            raw["labels"] = tuple(str(label) for label in raw["labels"])
            raw["crop"] = CropPolicy(**files.checked(CropPolicy, raw.get("crop", {}), "crop"))
            for end in ("input", "output"):
                shape = tuple(raw[end].pop("shape"))
                if not all(side in range(1, LARGEST_SIDE + 1) for side in shape):
                    raise ValueError(f"{end} {shape} is not within 1 and {LARGEST_SIDE} pixels")
                raw[end] = TensorSpec(shape=shape, **files.checked(TensorSpec, raw[end], end))
            if not isinstance(raw.get("measured", {}).get("accuracy"), float | int | None):
                raise ValueError("its accuracy is not a number")
            counts = ("parameters", "macs", "views")
            files.checked(cls, {name: raw[name] for name in counts if name in raw}, "card")
            card = cls(**raw)
            least, most = card.input.real_min, card.input.real_max
            if least >= most:
                raise ValueError(f"input range {least:g} to {most:g} is empty")
            return card
        except (ValueError, TypeError, KeyError, AttributeError, OverflowError, UsageError) as error:
            reason = f"no {error} in it" if isinstance(error, KeyError) else str(error)
            raise ModelError(f"{where} is not a model card: {reason}") from error
