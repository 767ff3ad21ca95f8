"""The loop: frames in, results out.

A file is read frame by frame, each analysed, drawn and written in turn. A live source has three who
never wait for each other: its reader, which keeps the newest frame; the analysis; and the display, with
the saved video, which take every frame and draw the latest result on it.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fer_edge.errors import FerEdgeError
from fer_edge.loop.summary import StageTimes, Summary
from fer_edge.sinks import Sink, is_awake, wants_bars
from fer_edge.sinks.window import Screen
from fer_edge.sources import Capture
from fer_edge.sources.newest import NewestFrame, Patience
from fer_edge.vision.analysis import Analyser
from fer_edge.vision.crop import to_bgr
from fer_edge.vision.frames import Face, Frame, FrameResult
from fer_edge.vision.overlay import Overlay

POLL_S = 0.1  # how often a thread that waits looks whether it should stop
LEAST_STEP_S = 0.001  # between two frames whose source gives them the same time


@dataclass(frozen=True)
class Pace:
    """every: analyse one frame of so many. max_fps: take no more frames a second. max_frames: then end.
    own_speed: a file's frames are not taken before their time."""

    every: int = 1
    max_fps: float | None = None
    max_frames: int | None = None
    own_speed: bool = False


class Loop:
    """One run over one source. `summary` is valid at any time, also after a failure.

    sinks: get every frame analysed; on a live source the ones that want pictures get every frame shown.
    screen: the display, None without one. stop: set by whoever wants the run to end. alive: called as
    often as the loop goes round, also while it waits for a live source.
    """

    def __init__(
        self,
        analyser: Analyser,
        sinks: Sequence[Sink],
        *,
        screen: Screen | None = None,
        pace: Pace = Pace(),
        patience: Patience = Patience(),  # noqa: B008 (frozen)
        stop: threading.Event | None = None,
        alive: Callable[[], None] = lambda: None,
    ) -> None:
        self._analyser = analyser
        self._sinks = list(sinks)
        self._screen = screen
        self._pace = pace
        self._patience = patience
        self._stop = stop or threading.Event()
        self._alive = alive
        self._stages = StageTimes(("read", "draw", "write"))
        self.summary = Summary(analyser.labels, [self._stages, analyser.stages])
        self._overlay = Overlay(analyser.labels)
        self._failure: Exception | None = None
        self._faces: tuple[Face, ...] = ()  # the latest ones found
        self._source: str | None = None
        self._index = -1
        self._time_s = 0.0
        self._next_s = 0.0
        self._start_s: float | None = None  # when a frame of time 0 is due

    def run(self, capture: Capture, make: Callable[[], Capture] | None = None) -> None:
        """Until the source ends, `stop` is set, the window is closed or `max_frames` is reached.

        capture: open; closed here, as are the sinks. make: a new capture, for a live source that breaks
        off. Raises the first SourceError or OutputError once all is closed.
        """
        try:
            if capture.is_live:
                self._run_live(capture, make or (lambda: capture))
            elif self._screen is None or capture.is_still:
                self._run_recorded(capture)
            else:
                self._beside_screen(self._screen, lambda: self._run_recorded(capture))
        except FerEdgeError as error:
            self._failure = self._failure or error
        finally:
            self._stop.set()
            self._close(capture)
        if self._failure is not None:
            raise self._failure

    def _close(self, capture: Capture) -> None:
        self.summary.unreadable = capture.unreadable
        if not capture.is_live:  # a live one is its reader's to close
            capture.close()
        closing = [sink.close for sink in self._sinks] + ([self._screen.close] if self._screen else [])
        for close in closing:
            try:
                close()
            except FerEdgeError as error:
                self._failure = self._failure or error

    # --- each frame ---

    def _wants_more(self) -> bool:
        """Waits where the pace asks for it; False when the run should end."""
        enough = self._pace.max_frames is not None and self.summary.frames >= self._pace.max_frames
        if enough or self._stop.is_set():
            return False
        if self._pace.max_fps is not None:
            now_s = time.monotonic()
            if self._stop.wait(max(0.0, self._next_s - now_s)):
                return False
            self._next_s = max(self._next_s, now_s) + 1 / self._pace.max_fps
        return True

    def _analysed(self, frame: Frame) -> FrameResult:
        """The frame with its number, a time above the last one's, and its faces."""
        if frame.source != self._source:
            self._source, self._index = frame.source, -1
        self._index += 1
        if self._index:
            frame = frame._replace(time_s=max(frame.time_s, self._time_s + LEAST_STEP_S))
        self._time_s = frame.time_s
        if self._index % self._pace.every:
            return FrameResult(frame, self._index, (), analysed=False)
        self._faces = self._analyser.analyse(frame)
        return FrameResult(frame, self._index, self._faces)

    def _draw(self, frame: Frame, *, in_place: bool = False) -> NDArray[np.uint8]:
        """uint8 (H, W, 3): the frame with the latest faces drawn on it; valid until the next call."""
        with self._stages.measure("draw"):
            bars = self._screen is not None or any(map(wants_bars, self._sinks))
            return self._overlay.draw(to_bgr(frame.bgr), self._faces, in_place=in_place, bars=bars)

    def _wait_for(self, time_s: float) -> None:
        now_s = time.monotonic()
        self._start_s = now_s - time_s if self._start_s is None else self._start_s
        self._stop.wait(max(0.0, self._start_s + time_s - now_s))

    # --- a file ---

    def _run_recorded(self, capture: Capture) -> None:
        while self._wants_more():
            self._alive()
            with self._stages.measure("read"):
                frame = capture.read()
            if frame is None:
                return
            if self._pace.own_speed:
                self._wait_for(frame.time_s)
            result = self._analysed(frame)
            drawn = self._screen is not None or any(map(is_awake, self._sinks))
            # Nobody else has the frame: what is drawn on it costs neither a copy nor its memory.
            annotated = self._draw(frame, in_place=True) if drawn else None
            with self._stages.measure("write"):
                for sink in self._sinks:
                    sink.write(result, annotated)
            self.summary.add(result)
            if self._screen is not None and annotated is not None:
                self._screen.put(annotated)
                if capture.is_still:
                    self._screen.hold(self._stop)

    def _beside_screen(self, screen: Screen, work: Callable[[], None]) -> None:
        """Works in a thread while the main thread keeps the window alive."""
        worker = self._thread(work)
        while worker.is_alive() and not self._stop.is_set():
            if screen.refresh():
                self._stop.set()
        worker.join()
        screen.refresh()  # the last frame too

    # --- a live source ---

    def _run_live(self, capture: Capture, make: Callable[[], Capture]) -> None:
        newest = NewestFrame(make, self._patience)
        newest.start(capture)
        shown = [sink for sink in self._sinks if sink.wants_picture]
        try:
            if self._screen is None and not shown:
                self._analyse_newest(newest)
                return
            worker = self._thread(lambda: self._analyse_newest(newest))
            try:
                self._show_newest(newest, shown, worker)
            finally:
                self._stop.set()
                worker.join()
        finally:
            newest.stop()

    def _analyse_newest(self, newest: NewestFrame) -> None:
        logs = [sink for sink in self._sinks if not sink.wants_picture]
        last = -1
        while self._wants_more():
            self._alive()
            taken = newest.take(last, POLL_S)
            if taken is None:
                if newest.ended:
                    return
                continue
            number, frame = taken
            self.summary.dropped += number - last - 1
            last = number
            result = self._analysed(frame)
            with self._stages.measure("write"):
                for sink in logs:
                    sink.write(result, None)
            self.summary.add(result)

    def _show_newest(self, newest: NewestFrame, shown: Sequence[Sink], worker: threading.Thread) -> None:
        last = -1
        while worker.is_alive() and not self._stop.is_set():
            taken = newest.take(last, 0.02)
            if taken is not None:
                last, frame = taken
                drawn = self._screen is not None or any(map(is_awake, shown))
                annotated = self._draw(frame) if drawn else None
                for sink in shown:
                    sink.write(FrameResult(frame, last, self._faces), annotated)
                if self._screen is not None and annotated is not None:
                    self._screen.put(annotated)
            if self._screen is not None and self._screen.refresh():
                return

    def _thread(self, work: Callable[[], None]) -> threading.Thread:
        def guarded() -> None:
            try:
                work()
            except Exception as error:  # raised again by run(), in the main thread
                self._failure = self._failure or error

        thread = threading.Thread(target=guarded, daemon=True)
        thread.start()
        return thread


class Watchdog:
    """Signs of life for systemd (`Type=notify`, `WatchdogSec=`), which restarts a service that hangs.

    `ready` once the run has begun, `beat` whenever the loop goes round: a datagram each (sd_notify(3)), none
    without NOTIFY_SOCKET.
    """

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        address = environment.get("NOTIFY_SOCKET", "")
        self._address = "\0" + address[1:] if address.startswith("@") else address
        usec = environment.get("WATCHDOG_USEC", "")
        # A third of what systemd waits, so that two datagrams may be late.
        self._every_s = int(usec) / 3e6 if usec.isdecimal() else None
        self._next_s = 0.0

    def ready(self) -> None:
        """The run has begun."""
        self._send(b"READY=1")

    def beat(self) -> None:
        """The loop is alive; costs nothing more than a look at the clock most of the time."""
        if not self._address or self._every_s is None:
            return
        now_s = time.monotonic()
        if now_s >= self._next_s:
            self._next_s = now_s + self._every_s
            self._send(b"WATCHDOG=1")

    def _send(self, message: bytes) -> None:
        if not self._address:
            return
        import socket

        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as out:
            out.sendto(message, self._address)
