"""Reads a live source in a separate thread, keeping only the newest frame.

This is not a queue: a slow reader gets the newest frame, and the skipped ones are counted as dropped. A
source that disconnects, falls silent or freezes is opened again, after growing delays, a limited number of
times.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np

from fer_edge import console
from fer_edge.errors import SourceError
from fer_edge.sources import Capture
from fer_edge.vision.frames import Frame, Picture

CLOSE_WAIT_S = 0.5
NO_FRAMES = "delivers no frames"
T = TypeVar("T")


class Newest(Generic[T]):
    """The newest value, for any number of readers. The writer never waits; slow readers miss some.

    number: of the newest value, counted from 0; -1 before the first. closed: no more will come.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._value: T | None = None
        self.number = -1
        self.closed = False

    def put(self, value: T) -> None:
        """Takes the place of the last value."""
        with self._changed:
            self.number += 1
            self._value = value
            self._changed.notify_all()

    def take(self, after: int, timeout_s: float) -> tuple[int, T] | None:
        """The newest value and its number once that is above `after`; None if none came in time."""
        with self._changed:
            self._changed.wait_for(lambda: self.number > after or self.closed, timeout_s)
            return (self.number, self._value) if self.number > after and self._value is not None else None

    def close(self) -> None:
        """Lets every reader go on."""
        with self._changed:
            self.closed = True
            self._changed.notify_all()


@dataclass(frozen=True)
class Patience:
    """first_frame_s: how long to wait for the first frame. silence_s: then for each frame, before reopening
    the source. frozen_s: how long the picture may be identical before that. reconnect_waits_s: delay
    before each attempt; after the last, the source is given up."""

    first_frame_s: float = 10.0
    silence_s: float = 5.0
    frozen_s: float = 10.0
    reconnect_waits_s: Sequence[float] = (0.5, 1.0, 2.0, 4.0, 8.0)


class NewestFrame:
    """Reads the open `capture` in a thread. make: returns a new capture for each reconnection.

    Frames are numbered from 0.
    """

    def __init__(self, capture: Capture, make: Callable[[], Capture], patience: Patience) -> None:
        self._make = make
        self._patience = patience
        self._frames = Newest[Frame]()
        self._session = 0  # of the current thread; one that hangs is abandoned
        self._failure: SourceError | None = None
        self._heard_s = 0.0
        self._start_s: float | None = None
        self._picture: Picture | None = None  # the latest, and since when it has been the same
        self._same_s = 0.0
        self._tried: Picture | None = None  # the one for which the source was reopened
        self._why = NO_FRAMES
        self._thread = self._start(capture)

    def take(self, after: int, timeout_s: float) -> tuple[int, Frame] | None:
        """The newest frame and its number once that is above `after`; None if none came in time.

        Raises SourceError when the source has been given up.
        """
        taken = self._frames.take(after, timeout_s)
        if taken is None:
            if self._failure is not None:
                raise self._failure
            self._watch()
        return taken

    @property
    def ended(self) -> bool:
        """Whether the source ended by itself (a closed pipe) or was stopped."""
        return self._frames.closed and self._failure is None

    def stop(self) -> None:
        """Lets the thread close the source, without waiting long for a driver that hangs."""
        self._over(self._session)
        self._thread.join(CLOSE_WAIT_S)

    def _watch(self) -> None:
        """Detects a read that hangs; abandons its thread and reconnects in another."""
        first = self._frames.number < 0
        allowed_s = self._patience.first_frame_s if first else 2 * self._patience.silence_s
        if self._frames.closed or time.monotonic() - self._heard_s < allowed_s:
            return
        if first:
            self._over(self._session, _no_first_frame(self._make().name, allowed_s))
        else:
            self._thread = self._start(None)

    def _start(self, capture: Capture | None) -> threading.Thread:
        """None: one that is opened again in the thread."""
        self._session += 1
        self._heard_s = time.monotonic()
        thread = threading.Thread(target=self._sessions, args=(self._session, capture), daemon=True)
        thread.start()
        return thread

    def _sessions(self, session: int, capture: Capture | None) -> None:
        """Connects again and again, until a connection ends normally or the last attempt fails."""
        try:
            while session == self._session and (capture := capture or self._opened_again(session)):
                self._read(session, capture)
                capture = None
        except Exception as error:  # nobody else would notice
            self._over(session, error if isinstance(error, SourceError) else SourceError(str(error)))

    def _opened_again(self, session: int) -> Capture | None:
        """A new, open capture; None once it is no longer wanted. Raises SourceError when it gives up."""
        why, self._why = self._why, NO_FRAMES
        name, waits_s = self._make().name, self._patience.reconnect_waits_s
        for attempt, wait_s in enumerate(waits_s, 1):
            console.warn(f"{name} {why}: retrying in {wait_s:g} s ({attempt} of {len(waits_s)})")
            end_s = time.monotonic() + wait_s
            while session == self._session and time.monotonic() < end_s:
                self._heard_s = time.monotonic()  # waiting on purpose is not hanging
                time.sleep(0.02)
            if session != self._session:
                return None
            capture = self._make()
            try:
                capture.open()
                return capture
            except SourceError:
                capture.close()
        raise SourceError(f"{name} was lost and did not come back after {len(waits_s)} attempts")

    def _read(self, session: int, capture: Capture) -> None:
        """Until the source falls silent, freezes, ends, or is no longer wanted."""
        heard_s = time.monotonic()
        try:
            while session == self._session:
                frame, now_s = capture.read(), time.monotonic()
                silent_s = now_s - heard_s
                if session != self._session:
                    return
                if frame is not None:
                    heard_s = self._heard_s = now_s
                    self._start_s = self._start_s or now_s
                    self._frames.put(frame._replace(time_s=now_s - self._start_s))
                    if self._is_frozen(frame.bgr, now_s):
                        self._why = f"has delivered the same picture for {self._patience.frozen_s:g} s"
                        return
                elif capture.ended:
                    self._over(session)
                elif self._frames.number < 0 and silent_s > self._patience.first_frame_s:
                    raise _no_first_frame(capture.name, self._patience.first_frame_s)
                elif self._frames.number >= 0 and silent_s > self._patience.silence_s:
                    return
                else:
                    time.sleep(0.01)
        finally:
            capture.close()

    def _is_frozen(self, picture: Picture, now_s: float) -> bool:
        """Whether the picture has been identical for too long, as from a camera that hangs; a working one has
        noise. Reported once for each picture, because a stream's scene may be still."""
        if not _same(self._picture, picture):
            self._picture, self._same_s = picture, now_s
        if now_s - self._same_s <= self._patience.frozen_s or _same(self._tried, picture):
            return False
        self._tried = picture
        return True

    def _over(self, session: int, failure: SourceError | None = None) -> None:
        if session == self._session:
            self._session += 1
            self._failure = self._failure or failure
            self._frames.close()


def _no_first_frame(name: str, waited_s: float) -> SourceError:
    return SourceError(
        f"{name} is open but delivered no frame in {waited_s:g} s: does another program use it? A Raspberry "
        "Pi camera module needs --camera pi, or 'rpicam-vid --codec mjpeg -o - | fer-edge run -'"
    )


def _same(a: Picture | None, b: Picture) -> bool:
    """Whether both are identical; compares a few pixels first, in which live pictures usually differ."""
    return a is not None and np.array_equal(a[::16, ::16], b[::16, ::16]) and np.array_equal(a, b)
