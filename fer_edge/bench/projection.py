"""How long a model should take on a Raspberry Pi, projected from published figures of its core.

A projection is no measurement: it bounds what to expect before there is a board. Both ends count only
multiply-accumulates: at the core's peak, and at the rate at which a published network ran on that board.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from fer_edge.bench.workload import Work

MOBILENET_V1_MACS = 569e6
"""MobileNet v1 1.0 at 224 px, multiply-accumulates (Howard et al., arXiv 1704.04861)."""

_NEGLIGIBLE = 0.05  # share of the work that may be of another kind
_A72 = "Cortex-A72 Software Optimization Guide, Arm UAN 0016A: vector FMLA and SMLAL, one a cycle each"
_A76 = "Cortex-A76 Software Optimization Guide, Arm PJDOC-466751330-7215: vector FMLA and SDOT, two a cycle"
_NCNN = "ncnn benchmark/README.md, commit a4d2ea1d4422, 1 thread, the lowest of 10"


@dataclass(frozen=True)
class Board:
    """One core of a board.

    float32_macs, int8_macs: multiply-accumulates a cycle at most; peak_source: after whom.
    mobilenet_ms: MobileNet v1 by number kind, milliseconds on one core; network_source: after whom.
    """

    name: str
    core: str
    ghz: float
    float32_macs: int
    int8_macs: int
    peak_source: str
    mobilenet_ms: dict[str, float]
    network_source: str

    def peak_gmacs(self, kind: str) -> float:
        """1e9 multiply-accumulates a second at most; kind: `float32` or `int8`."""
        return self.ghz * (self.int8_macs if kind == "int8" else self.float32_macs)

    def network_gmacs(self, kind: str) -> float:
        """The rate at which MobileNet v1 ran; the peak where no figure of this kind is published."""
        ms = self.mobilenet_ms.get(kind)
        return self.peak_gmacs(kind) if ms is None else MOBILENET_V1_MACS / (ms * 1e6)


BOARDS = (
    Board(
        "Raspberry Pi 4",
        "Cortex-A72",
        1.8,
        float32_macs=4,
        int8_macs=8,  # no dot product: SMLAL takes 8 pairs, SADALP adds them up on the other pipe
        peak_source=_A72,
        mobilenet_ms={"float32": 123.76, "int8": 84.66},
        network_source=_NCNN,
    ),
    Board(
        "Raspberry Pi 5",
        "Cortex-A76",
        2.4,
        float32_macs=8,
        int8_macs=32,
        peak_source=_A76,
        mobilenet_ms={"int8": 14.38},  # ncnn's other figure is in float16, which LiteRT does not use here
        network_source=_NCNN,
    ),
)


def of(operators: Sequence[Work]) -> list[dict[str, Any]]:
    """For each board `board`, `at_peak_ms` and `at_network_ms` on one core; the latter None if unknown."""
    return [
        {
            "board": board.name,
            "at_peak_ms": _ms(operators, board.peak_gmacs),
            "at_network_ms": _ms(operators, board.network_gmacs) if _published(operators, board) else None,
        }
        for board in BOARDS
    ]


def sources() -> list[str]:
    """A line a board: its core, the peaks that follow and who published what they follow from."""
    return [
        f"{board.name}: {board.core} at {board.ghz} GHz, at most {board.peak_gmacs('float32'):.1f} "
        f"(float32) and {board.peak_gmacs('int8'):.1f} (int8) G multiply-accumulates a second and core "
        f"({board.peak_source}); MobileNet v1 "
        + ", ".join(f"{ms} ms in {kind}" for kind, ms in board.mobilenet_ms.items())
        + f" ({board.network_source})"
        for board in BOARDS
    ]


def _published(operators: Sequence[Work], board: Board) -> bool:
    """Whether nearly all of the work is of kinds that the board's network was published for."""
    known = sum(work.macs for work in operators if _kind(work) in board.mobilenet_ms)
    return known >= (1 - _NEGLIGIBLE) * sum(work.macs for work in operators)


def _ms(operators: Sequence[Work], gmacs: Callable[[str], float]) -> float:
    return sum(work.macs / (gmacs(_kind(work)) * 1e6) for work in operators)


def _kind(work: Work) -> str:
    return "int8" if work.integer else "float32"
