"""The loop: frames in, results out.

A file is read frame by frame, each analysed, drawn and written in turn. A live source has three who
never wait for each other: its reader, which keeps the newest frame; the analysis; and the display, with
the saved video, which take every frame and draw the latest result on it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from fer_edge.errors import FerEdgeError
from fer_edge.loop.steps import Pace, Steps
from fer_edge.sinks.screen import Screen
from fer_edge.sinks.sink import Sink, is_awake
from fer_edge.sources.capture import Capture
from fer_edge.sources.newest import NewestFrame
from fer_edge.sources.reconnect import Patience
from fer_edge.vision.analysis import Analyser
from fer_edge.vision.frames import FrameResult

POLL_S = 0.1  # how often a thread that waits looks whether it should stop


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
        pace: Pace = Pace(),  # noqa: B008 (frozen)
        patience: Patience = Patience(),  # noqa: B008 (frozen)
        stop: threading.Event | None = None,
        alive: Callable[[], None] = lambda: None,
    ) -> None:
        self._sinks = list(sinks)
        self._screen = screen
        self._patience = patience
        self._stop = stop or threading.Event()
        self._alive = alive
        self._steps = Steps(analyser, pace, self._stop)
        self.summary = self._steps.summary
        self._failure: Exception | None = None

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
                self._beside_screen(lambda: self._run_recorded(capture))
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

    # --- a file ---

    def _run_recorded(self, capture: Capture) -> None:
        while self._steps.wants_more():
            self._alive()
            with self._steps.stages.measure("read"):
                frame = capture.read()
            if frame is None:
                return
            result = self._steps.analysed(frame)
            drawn = self._screen is not None or any(map(is_awake, self._sinks))
            # Nobody else has the frame: what is drawn on it costs neither a copy nor its memory.
            annotated = self._steps.draw(frame, in_place=True) if drawn else None
            with self._steps.stages.measure("write"):
                for sink in self._sinks:
                    sink.write(result, annotated)
            self.summary.add(result)
            if self._screen is not None and annotated is not None:
                self._screen.put(annotated)
                if capture.is_still:
                    self._screen.hold(self._stop)

    def _beside_screen(self, work: Callable[[], None]) -> None:
        """Works in a thread while the main thread keeps the window alive."""
        assert self._screen is not None, "called with a screen only"
        worker = self._thread(work)
        while worker.is_alive() and not self._stop.is_set():
            if self._screen.refresh():
                self._stop.set()
        worker.join()
        self._screen.refresh()  # the last frame too

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
        while self._steps.wants_more():
            self._alive()
            taken = newest.take(last, POLL_S)
            if taken is None:
                if newest.ended:
                    return
                continue
            number, frame = taken
            self.summary.dropped += number - last - 1
            last = number
            result = self._steps.analysed(frame)
            with self._steps.stages.measure("write"):
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
                annotated = self._steps.draw(frame) if drawn else None
                for sink in shown:
                    sink.write(FrameResult(frame, last, self._steps.faces), annotated)
                if self._screen is not None and annotated is not None:
                    self._screen.put(annotated)
            if self._screen is not None and self._screen.refresh():
                return

    # --- both ---

    def _thread(self, work: Callable[[], None]) -> threading.Thread:
        def guarded() -> None:
            try:
                work()
            except Exception as error:  # raised again by run(), in the main thread
                self._failure = self._failure or error

        thread = threading.Thread(target=guarded, daemon=True)
        thread.start()
        return thread
