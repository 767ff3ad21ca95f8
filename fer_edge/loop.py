"""The loop that runs on the device: frames in, results out, and a count of what was seen.

A file is read frame by frame; each is analysed, drawn and written while a thread decodes the next. A live
source has three parts that never wait for each other: the reader keeps the newest frame; the analysis takes
the newest; the display and the saved video take every frame and draw the latest result on it.
"""

import contextlib
import math
import os
import queue
import threading
import time
from collections import Counter
from collections.abc import Callable, Generator, Sequence
from dataclasses import KW_ONLY, dataclass, field
from typing import Any

from fer_edge.sinks import PictureSink, Sink
from fer_edge.sinks.window import QUIT_KEYS, Screen
from fer_edge.sources import Capture
from fer_edge.sources.newest import NewestFrame, Patience
from fer_edge.vision import overlay
from fer_edge.vision.analysis import Analyser, StageTimes
from fer_edge.vision.crop import to_bgr
from fer_edge.vision.frames import Face, Frame, FrameResult

POLL_S = 0.1  # how often a waiting thread checks whether it should stop
REMEMBERED = 64  # tracks whose last label is kept; older ones have left the picture


@dataclass(eq=False)
class Loop:
    """One run over one source. `summary` is valid at any time, even after a failure.

    sinks: get the results of every frame that is taken; those for pictures also get every frame, even those
    of a live source that come during an analysis. screen: one more of these, whose keys are read. every:
    analyse one in N frames. max_fps: frames per second, at most. max_frames, stop: end the run. own_speed: a
    video plays no faster than its times say. alive: called on every round of the loop, also while it waits.
    """

    analyser: Analyser
    sinks: Sequence[Sink]
    _: KW_ONLY
    screen: Screen | None = None
    every: int = 1
    max_fps: float | None = None
    max_frames: int | None = None
    own_speed: bool = False
    patience: Patience = field(default_factory=Patience)
    stop: threading.Event = field(default_factory=threading.Event)
    alive: Callable[[], None] = lambda: None

    def __post_init__(self) -> None:
        self._stages = self.analyser.stages
        self.summary = Summary(self._stages)
        self._sinks = [*self.sinks, *([self.screen] if self.screen else []), self.summary]
        self._pictures = [sink for sink in self._sinks if isinstance(sink, PictureSink)]
        self._faces: tuple[Face, ...] = ()  # the latest ones found
        self._source: str | None = None
        self._index = self._shown = -1
        self._next_s, self._begun_s = 0.0, -math.inf

    def run(self, capture: Capture, make: Callable[[], Capture] | None = None) -> None:
        """Runs until the source ends, `stop` is set, the window is closed or `max_frames` is reached.

        capture: open; closed here, as are the sinks. make: returns a new capture, to reconnect to a
        live source. Raises SourceError or OutputError once everything is closed.
        """
        with contextlib.ExitStack() as closing:
            for sink in self._sinks:
                closing.callback(sink.close)
            if not capture.is_live:  # its reader closes a live one
                closing.callback(capture.close)
            try:
                if capture.is_live:
                    self._run_live(capture, make or (lambda: capture))
                elif self.screen is None or capture.is_still:
                    self._run_recorded(capture)
                else:
                    self._beside(lambda: self._run_recorded(capture), self._refresh)
                    self._refresh()  # the last frame too
            finally:
                self.stop.set()
                self.summary.unreadable = capture.unreadable

    def _beside(self, work: Callable[[], None], look: Callable[[], None]) -> None:
        """Works in a thread, while the main thread, the only one that may have a window, polls it."""
        from concurrent.futures import ThreadPoolExecutor  # a run without a window needs none of it

        with ThreadPoolExecutor(1) as worker:
            done = worker.submit(work)
            try:
                while not done.done() and not self.stop.is_set():
                    look()
            finally:
                self.stop.set()
        done.result()

    def _refresh(self) -> None:
        if self.screen is not None and self.screen.refresh() in QUIT_KEYS:
            self.stop.set()

    # --- each frame ---

    def _wants_more(self) -> bool:
        """Waits as the pace demands; False when the run should end."""
        enough = self.max_frames is not None and self.summary.frames >= self.max_frames
        if enough or self.stop.is_set():
            return False
        if self.max_fps is not None:
            now_s = time.monotonic()
            if not self._waited(self._next_s):
                return False
            self._next_s = max(self._next_s, now_s) + 1 / self.max_fps
        self.alive()
        return True

    def _waited(self, until_s: float) -> bool:
        """False if the run should end before that time."""
        while (left_s := until_s - time.monotonic()) > 0:
            self.alive()
            if self.stop.wait(min(left_s, 1.0)):
                return False
        return True

    def _analyse(self, frame: Frame) -> None:
        """Numbers the frame and finds its faces; both go to every sink."""
        if frame.source != self._source:
            self._source, self._index = frame.source, -1
        self._index += 1
        analysed = self._index % self.every == 0
        if analysed:
            self._faces = self.analyser.analyse(frame)
        result = FrameResult(frame, self._index, self._faces if analysed else (), analysed)
        with self._stages.measure("write"):
            for sink in self._sinks:
                sink.write(result)

    def _show(self, frame: Frame, *, in_place: bool) -> None:
        """Draws the latest faces on the frame, or on a copy, if anyone is watching."""
        awake = [sink for sink in self._pictures if not sink.asleep]
        if not awake:
            return
        with self._stages.measure("draw"):
            bars = not all(sink.has_bars for sink in awake)
            canvas = to_bgr(frame.bgr) if in_place else to_bgr(frame.bgr).copy()
            overlay.draw(canvas, self._faces, self.analyser.labels, bars=bars)
        with self._stages.measure("save"):
            for sink in awake:
                sink.show(frame, canvas)

    # --- a file ---

    def _run_recorded(self, capture: Capture) -> None:
        with contextlib.closing(_frames(capture)) as frames:
            while self._wants_more():
                with self._stages.measure("read"):
                    frame = next(frames, None)
                if frame is None:
                    return
                due_s = min(self._begun_s + frame.time_s, time.monotonic() + 10)  # if a clock jumped
                if self.own_speed and not self._waited(due_s):
                    return
                self._begun_s = time.monotonic() - frame.time_s
                self._analyse(frame)
                # Nobody else uses the frame: drawing on it saves a copy and its memory.
                self._show(frame, in_place=True)
                if self.screen is not None and capture.is_still:
                    self.screen.hold(self.stop)

    # --- a live source ---

    def _run_live(self, capture: Capture, make: Callable[[], Capture]) -> None:
        with contextlib.closing(NewestFrame(capture, make, self.patience)) as newest:
            if self._pictures:
                self._beside(lambda: self._analyse_newest(newest), lambda: self._show_newest(newest))
                self._show_newest(newest)  # the last frame too
            else:
                self._analyse_newest(newest)

    def _analyse_newest(self, newest: NewestFrame) -> None:
        last = -1
        while self._wants_more():
            taken = newest.take(last, POLL_S)
            if taken is not None:
                self.summary.dropped += taken[0] - last - 1
                last, frame = taken
                self._analyse(frame)
            elif newest.ended:
                return
            else:
                self._next_s = 0.0  # nothing came: the pace is that of frames

    def _show_newest(self, newest: NewestFrame) -> None:
        taken = newest.take(self._shown, 0.02)
        if taken is not None:
            self._shown, frame = taken
            self._show(frame, in_place=False)
        elif newest.ended:
            self.stop.wait(POLL_S)  # for the last frame's analysis: `take` waits no more
        self._refresh()


def _frames(capture: Capture) -> Generator[Frame]:
    """Reads each in a thread while the previous one is processed; not for pictures, which may be huge."""
    if capture.is_still:
        yield from iter(capture.read, None)
        return
    wanted: queue.SimpleQueue[bool] = queue.SimpleQueue()
    given: queue.SimpleQueue[Frame | Exception | None] = queue.SimpleQueue()

    def read() -> None:  # two queues: an executor's locks cost a tenth of the frames a second at 1280x720
        while wanted.get():
            try:
                given.put(capture.read())
            except Exception as error:  # raised below
                given.put(error)

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    wanted.put(True)
    try:
        while (frame := given.get()) is not None:
            if isinstance(frame, Exception):
                raise frame
            wanted.put(True)
            yield frame
    finally:
        wanted.put(False)
        reader.join()


class Summary(Sink):
    """What a run has seen, counted frame by frame, and how long its stages took. The run starts when this is
    created; memory does not grow."""

    def __init__(self, stages: StageTimes) -> None:
        self.frames = self.dropped = self.unreadable = 0
        self._stages = stages
        self._analysed = self._frames_with_face = 0
        self._shares: Counter[str] = Counter()
        self._last: dict[int, tuple[str | None, int]] = {}  # each track's label and its own best
        self._changes = [0, 0]  # of those two
        self._tracks = 0
        self._seconds = 0.0
        self._first_s = math.inf
        self._begun_s = time.monotonic()

    def write(self, result: FrameResult) -> None:
        self.frames += 1
        self._first_s = min(self._first_s, result.frame.time_s)
        self._seconds = max(self._seconds, result.frame.time_s - self._first_s)
        self._analysed += result.analysed
        self._frames_with_face += bool(result.faces)
        for face in result.faces:
            self._shares[face.label or "uncertain"] += 1
            now = face.label, int(face.probabilities.argmax())
            if before := self._last.pop(face.track, None):
                self._changes = [n + (a != b) for n, a, b in zip(self._changes, before, now, strict=True)]
            else:
                self._tracks += 1
            self._last[face.track] = now
        while len(self._last) > max(REMEMBERED, len(result.faces)):
            self._last.pop(next(iter(self._last)))

    def as_dict(self, still: bool = False) -> dict[str, Any]:
        """Plain types, for `--json`; tracks and label changes are left out for pictures."""
        faces = sum(self._shares.values())
        value: dict[str, Any] = {
            "frames": self.frames,
            "dropped": self.dropped,
            "unreadable": self.unreadable,
            "frames_with_face": self._frames_with_face,
            "faces": faces,
            "shares": {name: n / faces for name, n in self._shares.most_common()},
            "stages": self._stages.table(),
            "took_s": round(time.monotonic() - self._begun_s, 3),
        }
        if not still:
            shown, own = (60 * n / self._seconds if self._seconds else 0.0 for n in self._changes)
            value |= {"tracks": self._tracks, "seconds": round(self._seconds, 3)}
            value |= {"label_changes_per_minute": shown, "unsmoothed_label_changes_per_minute": own}
        return value

    def lines(self, still: bool = False) -> list[str]:
        """The same as a few lines of text."""
        value = self.as_dict(still)
        shares = ", ".join(f"{name} {share:.0%}" for name, share in value["shares"].items()) or "none"
        if still:
            return [
                f"{self.frames} pictures, {self.unreadable} unreadable, {value['faces']} faces",
                f"expressions: {shares}",
            ]
        stages = value["stages"].items()
        times = ", ".join(f"{name} {row['p50_ms']:.1f} ({row['p95_ms']:.1f})" for name, row in stages)
        of = f" of {self._analysed} analysed" if self._analysed < self.frames else ""
        return [
            f"{self.frames} frames of {value['seconds']:.1f} s, in {value['took_s']:.1f} s, {self.dropped} "
            f"dropped; a face in {self._frames_with_face}{of}, {value['tracks']} different",
            f"expressions: {shares}",
            f"label changes a minute: {value['label_changes_per_minute']:.0f} "
            f"(unsmoothed {value['unsmoothed_label_changes_per_minute']:.0f})",
            f"ms a frame, p50 (p95): {times or 'none'}",
        ]


class Watchdog:
    """Notifies systemd (`Type=notify`, `WatchdogSec=`), which restarts a service that hangs, with datagrams
    (sd_notify(3)); does nothing without NOTIFY_SOCKET."""

    def __init__(self) -> None:
        address = os.environ.get("NOTIFY_SOCKET", "")
        self._address = "\0" + address[1:] if address.startswith("@") else address
        usec = os.environ.get("WATCHDOG_USEC", "")
        # A third of what systemd waits, so that two datagrams may be late.
        self._every_s = int(usec) / 3e6 if usec.isdecimal() else math.inf
        self._next_s = -math.inf

    def beat(self) -> None:
        """Call on every round; the first call reports that the run has started."""
        now_s = time.monotonic()
        if not self._address or now_s < self._next_s:
            return
        message = b"WATCHDOG=1" if self._next_s > 0 else b"READY=1"
        self._next_s = now_s + self._every_s
        import socket

        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as out:
            out.sendto(message, self._address)
