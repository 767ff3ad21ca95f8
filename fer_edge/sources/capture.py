"""The interface behind which every source stands, so that the loop and its tests need no OpenCV."""

from __future__ import annotations

from typing import Protocol

from fer_edge.vision.frames import Frame


class Capture(Protocol):
    """One source of frames.

    name: what messages call it. is_live: frames are lost if not taken in time (camera, stream), and
    only the newest counts; otherwise every frame counts and waits. is_still: each frame is a picture
    of its own. fps: frames a second, None where unknown; 0 is never given. unreadable: pictures skipped.
    ended: no more frames will come.
    """

    name: str
    is_live: bool
    is_still: bool
    fps: float | None
    unreadable: int
    ended: bool

    def open(self) -> None:
        """Raises SourceError, one line, within a bounded time."""

    def read(self) -> Frame | None:
        """The next frame. None: a file's end, or a live source that gave nothing this time.

        The picture of a source that is not live is valid until the next call; it may be drawn on.
        """

    def close(self) -> None:
        """Frees the device or file; may be called twice and before `open`."""
