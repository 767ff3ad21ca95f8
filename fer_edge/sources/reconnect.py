"""How long a live source is waited for, and how it is opened again."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from fer_edge import console
from fer_edge.errors import SourceError
from fer_edge.sources.capture import Capture


@dataclass(frozen=True)
class Patience:
    """first_frame_s: wait for the first frame. silence_s: then between two frames, before opening the
    source anew. frozen_s: for how long the very same picture may come before that. reconnect_waits_s: pauses
    before each attempt; after the last the source is given up."""

    first_frame_s: float = 10.0
    silence_s: float = 5.0
    frozen_s: float = 10.0
    reconnect_waits_s: Sequence[float] = (0.5, 1.0, 2.0, 4.0, 8.0)


def no_first_frame(name: str, waited_s: float) -> str:
    """The line for a source that opens and gives nothing."""
    return (
        f"{name} is open but gave no frame in {waited_s:g} s: does another program use it? A Raspberry Pi "
        "camera module needs --camera pi, or 'rpicam-vid --codec mjpeg -o - | fer-edge run -'"
    )


def opened_again(
    make: Callable[[], Capture], waits_s: Sequence[float], wanted: Callable[[], bool], why: str
) -> Capture | None:
    """A new capture that is open; None once it is no longer `wanted`. why: what is wrong, for the warnings.

    Raises SourceError after the last attempt.
    """
    name = make().name
    for attempt, wait_s in enumerate(waits_s, 1):
        console.warn(f"{name} {why}: opening it again in {wait_s:g} s ({attempt} of {len(waits_s)})")
        end_s = time.monotonic() + wait_s
        while wanted() and time.monotonic() < end_s:
            time.sleep(0.02)
        if not wanted():
            return None
        capture = make()
        try:
            capture.open()
            return capture
        except SourceError:
            capture.close()
    raise SourceError(f"{name} broke off and did not come back after {len(waits_s)} attempts")
