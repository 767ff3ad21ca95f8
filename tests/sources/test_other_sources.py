"""Cameras that are not there, motion JPEG on a pipe, and what a name stands for."""

import io
import sys
import threading
import types
from pathlib import Path

import cv2
import numpy as np
import pytest
from loop_fakes import FakeCapture

from fer_edge.errors import SourceError, UsageError
from fer_edge.sources import camera, make_capture, open_unless
from fer_edge.sources.camera import Camera, PiCamera
from fer_edge.sources.mjpeg import MjpegPipe
from fer_edge.sources.pictures import Pictures
from fer_edge.sources.video import Stream, VideoFile


def jpeg(level):
    return cv2.imencode(".jpg", np.full((16, 16, 3), level, np.uint8))[1].tobytes()


def test_an_absent_camera_is_named_by_its_index():
    with pytest.raises(SourceError, match=r"camera 93 is not there|camera 93 cannot be opened"):
        Camera(93).open()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="V4L2 is Linux")
def test_a_device_that_is_no_camera_is_told_so():
    with pytest.raises(SourceError, match=r"camera /dev/null is no camera: .* gives no pictures"):
        Camera("/dev/null").open()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="V4L2 is Linux")
@pytest.mark.parametrize(
    ("has_right", "why"), [(False, "you lack the right to"), (True, "another program uses it")]
)
def test_a_camera_that_cannot_be_opened_says_why(monkeypatch, has_right, why):
    device = camera.Device(Path("/dev/null"), "", gives_pictures=None)
    monkeypatch.setattr(camera, "described", lambda path: device)
    monkeypatch.setattr("os.access", lambda path, mode: has_right)
    with pytest.raises(SourceError, match=why):
        Camera("/dev/null").open()


def test_the_pi_camera_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "picamera2", None)
    with pytest.raises(SourceError, match="apt install python3-picamera2"):
        PiCamera().open()


def test_the_pi_camera_gives_picamera2_s_arrays(monkeypatch):
    calls = []

    class Picamera2:
        def create_video_configuration(self, main):
            return main

        def configure(self, main):
            calls.append(main["format"])

        def start(self):
            calls.append("start")

        def capture_array(self, name):
            return np.full((4, 4, 3), 9, np.uint8)

        def close(self):
            calls.append("close")

    monkeypatch.setitem(sys.modules, "picamera2", types.SimpleNamespace(Picamera2=Picamera2))
    camera = PiCamera()
    camera.open()
    assert camera.read().bgr.tolist() == np.full((4, 4, 3), 9).tolist()
    camera.close()
    assert calls == ["RGB888", "start", "close"]


class Chunked(io.BytesIO):
    """Gives a few bytes at a time, as a pipe does."""

    def read1(self, size=-1):
        return self.read(7)

    def isatty(self):
        return False


def test_motion_jpeg_is_cut_at_its_pictures():
    pipe = MjpegPipe(Chunked(b"junk" + jpeg(10) + jpeg(200)))
    pipe.open()
    assert [int(pipe.read().bgr.mean()) for _ in range(2)] == [10, 200]
    assert not pipe.ended
    assert pipe.read() is None
    assert pipe.ended


def test_a_broken_jpeg_in_the_pipe_is_passed_over():
    broken = jpeg(200)
    pipe = MjpegPipe(Chunked(broken.replace(b"\xff\xc0", b"\xff\xee") + jpeg(10)))
    assert int(pipe.read().bgr.mean()) == 10
    assert pipe.unreadable == 1


def test_a_terminal_is_no_pipe():
    class Terminal(io.BytesIO):
        def isatty(self):
            return True

    with pytest.raises(SourceError, match="rpicam-vid"):
        MjpegPipe(Terminal()).open()


@pytest.mark.parametrize(
    ("source", "camera", "kind", "name"),
    [
        (None, None, Camera, "camera 0"),
        (None, "2", Camera, "camera 2"),
        ("1", None, Camera, "camera 1"),
        ("/dev/video3", None, Camera, "camera /dev/video3"),
        (None, "pi", PiCamera, "camera pi"),
        ("rtsp://host/stream", None, Stream, "rtsp://host/stream"),
        ("-", None, MjpegPipe, "standard input"),
    ],
)
def test_what_a_name_stands_for(source, camera, kind, name):
    capture = make_capture(source, camera)
    assert (type(capture), capture.name) == (kind, name)


def test_paths_are_told_apart_by_what_they_are(tmp_path):
    (tmp_path / "a.JPG").write_bytes(b"x")
    (tmp_path / "b.mkv").write_bytes(b"x")
    assert isinstance(make_capture(str(tmp_path / "a.JPG")), Pictures)
    assert isinstance(make_capture(str(tmp_path)), Pictures)
    assert isinstance(make_capture(str(tmp_path / "b.mkv")), VideoFile)
    assert isinstance(make_capture(f"file://{tmp_path}/b.mkv"), VideoFile)


def test_a_path_that_does_not_exist_and_two_sources_at_once(tmp_path):
    with pytest.raises(SourceError, match="there is no"):
        make_capture(str(tmp_path / "gone.mp4"))
    with pytest.raises(UsageError, match="not both"):
        make_capture("a.mp4", "0")
    with pytest.raises(UsageError, match="no camera 'front'"):
        make_capture(None, "front")


def test_a_stream_that_nobody_serves_is_given_up():
    with pytest.raises(SourceError, match="no stream at"):
        Stream("http://127.0.0.1:9/none").open()


class Unanswering(FakeCapture):
    """A server that takes the connection and says nothing, until `over`."""

    def __init__(self):
        super().__init__([], live=True)
        self.over = threading.Event()

    def open(self):
        self.over.wait(30)


def test_a_source_that_does_not_answer_holds_nobody_up_who_wants_to_stop():
    stop, capture = threading.Event(), Unanswering()
    threading.Timer(0.1, stop.set).start()
    assert not open_unless(stop, capture)
    capture.over.set()


@pytest.mark.parametrize("live", [True, False])
def test_a_source_is_opened_and_its_failure_reaches_the_caller(live):
    capture = FakeCapture([], live=live)
    assert open_unless(threading.Event(), capture)
    assert capture.opened == 1
    with pytest.raises(SourceError, match="fake is not there"):
        open_unless(threading.Event(), FakeCapture([], live=live, opens=False))
