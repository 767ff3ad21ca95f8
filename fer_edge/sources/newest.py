"""Reads a live source in a separate thread. This is not a queue: a slow reader gets the newest frame."""

import contextlib
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
    """How long a live source is waited for."""

    first_frame_s: float = 10.0
    silence_s: float = 5.0  # without a new picture, before it is opened again; as long may its opening take
    reconnect_waits_s: Sequence[float] = (0.5, 1.0, 2.0, 4.0, 8.0)  # after the last it is given up


class NewestFrame:
    """Reads the open `capture`, and a new one from `make` whenever it disconnects, falls silent or freezes.

    Each connection has its own thread, since a read may hang: whoever waits for a frame in vain abandons it
    and starts the next.
    """

    def __init__(self, capture: Capture, make: Callable[[], Capture], patience: Patience) -> None:
        self._first = capture  # it has the name, and counts what all connections could not read
        self._make = make
        self._patience = patience
        self._frames = Newest[Frame]()
        self._connection = 0  # the current one; threads of others end
        self._failure: SourceError | None = None
        self._heard_s, self._attempts = 0.0, 0  # attempts to reconnect since the latest new picture
        self._start_s: float | None = None
        self._picture: Picture | None = None  # the latest
        self._tried: Picture | None = None  # the one for which the source was reopened
        self._judged = threading.Lock()  # analysis and display both wait: one of them reconnects
        self._connect(capture)

    def take(self, after: int, timeout_s: float) -> tuple[int, Frame] | None:
        """As `Newest.take`, frames numbered from 0. Raises SourceError when the source has been given up: it
        gave no first frame, or did not come back after being silent or frozen for too long."""
        taken = self._frames.take(after, timeout_s)
        if taken is None and self._failure is not None:
            raise self._failure
        with self._judged:
            self._judge_silence()
        return taken

    @property
    def ended(self) -> bool:
        """Whether the source ended by itself (a closed pipe) or was stopped."""
        return self._frames.closed and self._failure is None

    def close(self) -> None:
        """Lets the thread close the source, without waiting long for a driver that hangs."""
        self._over(self._connection)
        self._thread.join(CLOSE_WAIT_S)

    def _judge_silence(self) -> None:
        """Gives up a source without a first frame; opens one again that has been silent for too long."""
        first = self._frames.number < 0
        allowed_s = self._patience.first_frame_s if first else self._patience.silence_s
        if self._frames.closed or time.monotonic() - self._heard_s < allowed_s:
            return
        if first:
            said = f"{self._first.name} is open but delivered no frame in {allowed_s:g} s"
            if self._first.reopens:
                said += ": does another program use it? A Raspberry Pi camera module needs --camera pi, or "
                said += "'rpicam-vid --codec mjpeg -o - | fer-edge run -'"
            self._over(self._connection, SourceError(said))
        elif self._first.reopens:
            self._tried = self._picture
            self._connect(None, f"has delivered no new picture for {allowed_s:g} s")

    def _connect(self, capture: Capture | None, why: str = "") -> None:
        """Starts the thread of a new connection. capture: None to open the source again, and why."""
        self._connection += 1
        self._heard_s = time.monotonic()
        self._thread = threading.Thread(target=self._run, args=(self._connection, capture, why), daemon=True)
        self._thread.start()

    def _run(self, connection: int, capture: Capture | None, why: str) -> None:
        try:
            if capture := capture or self._opened_again(connection, why):
                self._read(connection, capture)
        except Exception as error:  # nobody else would notice
            self._over(connection, error if isinstance(error, SourceError) else SourceError(str(error)))

    def _opened_again(self, connection: int, why: str) -> Capture | None:
        """A new, open capture; None once it is no longer wanted. Raises SourceError when it gives up."""
        waits_s = self._patience.reconnect_waits_s
        for wait_s in waits_s[self._attempts :]:
            self._attempts += 1
            attempt = f"{self._attempts} of {len(waits_s)}"
            console.warn(f"{self._first.name} {why}: retrying in {wait_s:g} s ({attempt})")
            # The wait is no silence, and opening may take as long as one.
            self._heard_s = time.monotonic() + wait_s + self._patience.silence_s
            self._frames.take(self._frames.number, wait_s)  # which `close` ends
            if connection != self._connection:
                return None
            with contextlib.suppress(SourceError), contextlib.ExitStack() as closing:
                capture = self._make()
                closing.callback(capture.close)
                capture.open()
                closing.pop_all()
                return capture
        raise SourceError(f"{self._first.name} was lost and did not come back after {len(waits_s)} attempts")

    def _read(self, connection: int, capture: Capture) -> None:
        """Until the source freezes, ends, or is no longer wanted."""
        try:
            while connection == self._connection:
                frame, now_s = capture.read(), time.monotonic()
                if connection != self._connection:
                    return
                if frame is not None:
                    # An identical picture is no new one: a working camera has noise, one that hangs has none.
                    # But a scene may be still, so the one for which the source was reopened counts.
                    if not _same(self._picture, frame.bgr) or _same(self._tried, frame.bgr):
                        self._heard_s, self._attempts = now_s, 0
                    self._picture = frame.bgr
                    self._start_s = self._start_s or now_s
                    self._frames.put(frame._replace(time_s=now_s - self._start_s))
                elif capture.ended:
                    self._over(connection)
                else:
                    time.sleep(0.01)
        finally:
            capture.close()
            if capture is not self._first:
                self._first.unreadable += capture.unreadable

    def _over(self, connection: int, failure: SourceError | None = None) -> None:
        if connection == self._connection:
            self._connection += 1
            self._failure = self._failure or failure
            self._frames.close()


def _same(a: Picture | None, b: Picture) -> bool:
    """Whether both are identical; compares a few pixels first, in which live pictures usually differ."""
    return a is not None and np.array_equal(a[::16, ::16], b[::16, ::16]) and np.array_equal(a, b)
