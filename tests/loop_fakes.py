"""Stand-ins for camera, detector, classifier and sink, behind the loop's own interfaces, and data."""

import contextlib
import http.server
import threading
import time
import types

import cv2
import numpy as np

from fer_edge.sinks import PictureSink, Sink
from fer_edge.sinks.saved import opencv_name
from fer_edge.sources import Capture
from fer_edge.spec import CropPolicy
from fer_edge.vision.analysis import Analyser
from fer_edge.vision.frames import Detection, Face, Frame, FrameResult

LABELS = ("happy", "sad", "neutral")
WAIT_S = 20


def picture(value=0, size=(60, 80)):
    """uint8 (H, W, 3), all of one gray level; the level is how tests know a frame again."""
    return np.full((*size, 3), value, np.uint8)


def face(label="happy", shares=(0.8, 0.1, 0.1), *, box=(0, 0, 5, 5), track=1, confidence=0.5, quality=1.0):
    """shares: the frame's own and the smoothed ones."""
    own = np.array(shares, np.float32)
    return Face(box, track, label, confidence, own, own.astype(float), quality)


def result(*faces, time_s=0.0, source="x", index=0, analysed=True, level=0):
    return FrameResult(Frame(picture(level), time_s, source), index, faces, analysed)


def read_all(capture):
    """Opens and closes it; its frames, with pictures of their own."""
    capture.open()
    frames = [frame._replace(bgr=frame.bgr.copy()) for frame in iter(capture.read, None)]
    capture.close()
    assert capture.ended or not capture.is_live
    return frames


def read_back(path):
    """Of a saved video: frames a second, and the frames, by OpenCV alone."""
    with opencv_name(path) as name:
        capture = cv2.VideoCapture(name)
    frames = []
    while (read := capture.read())[0]:
        frames.append(read[1])
    return capture.get(cv2.CAP_PROP_FPS), frames


def write_clip(path, frames=20, fps=10.0, codec="mp4v", size=(64, 48)):
    """A video: the left half bright, the right half dark, and noise, so that every frame has its size."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*codec), fps, size)
    random = np.random.default_rng(0)
    for _ in range(frames):
        frame = random.integers(0, 40, (size[1], size[0], 3), np.uint8)
        frame[:, : size[0] // 2] += 200
        writer.write(frame)
    writer.release()
    return path


def until(condition):
    deadline = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@contextlib.contextmanager
def served(handler, **attributes):
    """A server on loopback that answers by that handler; the attributes are the server's."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads, server.block_on_close = True, False
    vars(server).update(attributes)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


class FakeCapture(Capture):
    """frames: pictures, or None for a failed read. A live one that has no more reads None for ever,
    unless `ends`."""

    def __init__(self, frames, *, live=False, fps=10.0, interval_s=0.0, ends=False, name="fake"):
        self.name, self.is_live, self.fps = name, live, fps
        self.opened = self.closed = 0
        self._frames, self._next = list(frames), 0
        self._interval_s, self._ends = interval_s, ends

    def open(self):
        self.opened += 1

    def read(self):
        time.sleep(self._interval_s)
        if self._next >= len(self._frames):
            self.ended = self._ends
            return None
        frame = self._frames[self._next]
        self._next += 1
        return None if frame is None else Frame(frame, (self._next - 1) / (self.fps or 1), self.name)

    def close(self):
        self.closed += 1


class FakeDetector:
    margin = 0.0

    def __init__(self, *boxes):
        self.faces = [Detection(box) for box in boxes]

    def detect(self, frame_bgr):
        return list(self.faces)

    detect_still = detect


class FakeClassifier:
    """Gives `answers` one after the other, the last one again and again; keeps the faces it saw."""

    labels = LABELS
    input_size = (4, 4)

    def __init__(self, *answers, seconds=0.0, margin=0.0):
        self.card = types.SimpleNamespace(crop=CropPolicy(margin))
        self.answers = list(answers) or [(0.8, 0.1, 0.1)]
        self.seconds = seconds
        self.seen = []

    def predict(self, faces):
        time.sleep(self.seconds)
        answer = self.answers[min(len(self.seen), len(self.answers) - 1)]
        self.seen.append(faces.copy())
        return np.array([answer] * len(faces), np.float32)


class ListSink(Sink):
    def __init__(self, fails_with=None):
        self.results, self.closed = [], 0
        self._fails_with = fails_with

    def write(self, result):
        if self._fails_with:
            raise self._fails_with
        self.results.append(result)

    def close(self):
        self.closed += 1


class Album(ListSink, PictureSink):
    def __init__(self):
        super().__init__()
        self.pictures = []

    def show(self, frame, annotated):
        self.pictures.append(annotated.copy())


def analyser(*boxes, classifier=None, min_quality=0.0, **options):
    """An Analyser over a FakeDetector; what it sees is plain, so no quality is asked for."""
    return Analyser(FakeDetector(*boxes), classifier or FakeClassifier(), min_quality=min_quality, **options)
