"""A live source read by a thread of its own: only the newest frame counts.

A slot and not a queue: who is slow gets the newest frame, and the ones between are counted as
dropped. A source that breaks off, goes silent or freezes is opened anew, with growing waits and an end
to them.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from fer_edge.errors import SourceError
from fer_edge.sources.capture import Capture
from fer_edge.sources.frozen import Stillness
from fer_edge.sources.reconnect import Patience, no_first_frame, opened_again
from fer_edge.vision.frames import Frame

CLOSE_WAIT_S = 0.5
NO_FRAMES = "gives no frames"


class NewestFrame:
    """make: gives a new capture for each connection. Frames are numbered from 0 as they come."""

    def __init__(self, make: Callable[[], Capture], patience: Patience) -> None:
        self._make = make
        self._patience = patience
        self._changed = threading.Condition()
        self._frame: Frame | None = None
        self._number = -1
        self._session = 0
        self._failure: SourceError | None = None
        self._ended = False
        self._heard_s = 0.0
        self._start_s: float | None = None
        self._thread: threading.Thread | None = None
        self._stillness = Stillness(patience.frozen_s)
        self._why = NO_FRAMES

    def start(self, capture: Capture) -> None:
        """Reads the capture, which is open already, in a thread."""
        self._read_in_thread(capture)

    def take(self, after: int, timeout_s: float) -> tuple[int, Frame] | None:
        """The newest frame and its number once that is above `after`; None if none came in time.

        Raises SourceError when the source has been given up.
        """
        with self._changed:
            self._changed.wait_for(
                lambda: self._number > after or self._failure is not None or self._ended, timeout_s
            )
            if self._number > after and self._frame is not None:
                return self._number, self._frame
            if self._failure is not None:
                raise self._failure
        self._watch()
        return None

    @property
    def ended(self) -> bool:
        """Whether the source is over by itself (a pipe that closed)."""
        return self._ended

    def stop(self) -> None:
        """Lets the thread close the source; does not wait long for a driver that hangs."""
        with self._changed:
            self._session += 1
            self._ended = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join(CLOSE_WAIT_S)

    def _watch(self) -> None:
        """Finds out a read that hangs: its thread is left behind and another one reconnects."""
        first = self._number < 0
        allowed = self._patience.first_frame_s if first else 2 * self._patience.silence_s
        if self._ended or time.monotonic() - self._heard_s < allowed:
            return
        if first:
            self._fail(no_first_frame(self._make().name, allowed))
        else:
            self._read_in_thread(None)

    def _read_in_thread(self, capture: Capture | None) -> None:
        with self._changed:
            self._session += 1
            session = self._session
            self._heard_s = time.monotonic()
        self._thread = threading.Thread(target=self._sessions, args=(session, capture), daemon=True)
        self._thread.start()

    def _sessions(self, session: int, capture: Capture | None) -> None:
        """Connection after connection, until one ends well or the last attempt has failed."""
        try:
            while session == self._session:
                capture = capture or self._opened_again(session)
                if capture is None:
                    return
                self._read(session, capture)
                capture = None
        except Exception as error:  # nobody else would hear of it
            if session == self._session:
                self._fail(error if isinstance(error, SourceError) else str(error))

    def _opened_again(self, session: int) -> Capture | None:
        def wanted() -> bool:
            self._heard_s = time.monotonic()  # waiting on purpose is not hanging
            return session == self._session

        why, self._why = self._why, NO_FRAMES
        return opened_again(self._make, self._patience.reconnect_waits_s, wanted, why)

    def _read(self, session: int, capture: Capture) -> None:
        """Until the source falls silent, freezes, ends, or is no longer wanted."""
        heard_s = time.monotonic()
        try:
            while session == self._session:
                frame = capture.read()
                now_s = time.monotonic()
                if frame is not None:
                    heard_s = now_s
                    self._publish(session, frame)
                    if self._stillness.is_suspicious(frame.bgr, now_s):
                        self._why = f"has given the same picture for {self._patience.frozen_s:g} s"
                        return
                elif capture.ended:
                    self._finish(session)
                elif self._number < 0 and now_s - heard_s > self._patience.first_frame_s:
                    raise SourceError(no_first_frame(capture.name, self._patience.first_frame_s))
                elif self._number >= 0 and now_s - heard_s > self._patience.silence_s:
                    return
                else:
                    time.sleep(0.01)
        finally:
            capture.close()

    def _publish(self, session: int, frame: Frame) -> None:
        now_s = time.monotonic()
        with self._changed:
            if session == self._session:
                self._start_s = self._start_s or now_s
                self._frame = frame._replace(time_s=now_s - self._start_s)
                self._number += 1
                self._heard_s = now_s
                self._changed.notify_all()

    def _finish(self, session: int) -> None:
        with self._changed:
            if session == self._session:
                self._session += 1
                self._ended = True
                self._changed.notify_all()

    def _fail(self, error: SourceError | str) -> None:
        with self._changed:
            self._session += 1
            self._failure = error if isinstance(error, SourceError) else SourceError(error)
            self._changed.notify_all()
