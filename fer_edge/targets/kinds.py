"""The targets by name, and which of our formats each is made from."""

from __future__ import annotations

import difflib
import enum
from dataclasses import dataclass

from fer_edge.errors import UsageError
from fer_edge.spec import Format


class Kind(enum.StrEnum):
    """What a target is made with; also the name of the extra that brings it, but for `web`."""

    MICROCONTROLLER = "microcontroller"
    ETHOS_U = "ethos-u"
    ONNX = "onnx"
    WEB = "web"


ACCELERATORS = (
    *("ethos-u55-32", "ethos-u55-64", "ethos-u55-128", "ethos-u55-256"),
    *("ethos-u65-256", "ethos-u65-512"),
    *("ethos-u85-128", "ethos-u85-256", "ethos-u85-512", "ethos-u85-1024", "ethos-u85-2048"),
)
"""Arm's NPUs as Vela's --accelerator-config names them: family and multiply-accumulates a cycle."""

DEFAULT_ACCELERATOR = "ethos-u55-128"

_FORMATS = {
    Kind.MICROCONTROLLER: (Format.FULL_INTEGER,),
    Kind.ETHOS_U: (Format.FULL_INTEGER,),
    Kind.ONNX: (Format.FLOAT32, Format.INT8),
    Kind.WEB: (Format.INT8,),
}


@dataclass(frozen=True)
class Target:
    """One target. accelerator: the NPU of an ethos-u target, else empty."""

    kind: Kind
    accelerator: str = ""

    @property
    def name(self) -> str:
        """As it is given on the command line."""
        return self.accelerator or self.kind.value

    @property
    def formats(self) -> tuple[Format, ...]:
        """What is made for it where a Keras model is converted."""
        return _FORMATS[self.kind]


def parse(name: str) -> Target:
    """The target of that name; `ethos-u` is `ethos-u55-128`. Raises UsageError, with the nearest names."""
    if name in ACCELERATORS:
        return Target(Kind.ETHOS_U, name)
    if name == Kind.ETHOS_U:
        return Target(Kind.ETHOS_U, DEFAULT_ACCELERATOR)
    if name in set(Kind):
        return Target(Kind(name))
    known = names()
    near = difflib.get_close_matches(name, known, n=2, cutoff=0.5)
    hint = f"did you mean {' or '.join(near)}?" if near else f"choose from {', '.join(known)}"
    raise UsageError(f"there is no target {name!r}: {hint}")


def names() -> tuple[str, ...]:
    """All that `parse` takes."""
    return (*Kind, *ACCELERATORS)


def all_targets() -> tuple[Target, ...]:
    """One of each kind."""
    return tuple(parse(kind.value) for kind in Kind)
