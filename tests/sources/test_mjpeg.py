"""Motion JPEG from pipes and cameras over HTTP: every order of lines, thumbnails, breaking off."""

import base64
import contextlib
import http.server
import io
import os
import threading
import time
from types import SimpleNamespace
from unittest.mock import Mock

import cv2
import numpy as np
import pytest
from loop_fakes import ListSink, analyser, read_all, served, until

from fer_edge.errors import SourceError
from fer_edge.loop import Loop
from fer_edge.sources import make_capture
from fer_edge.sources.mjpeg import MjpegPipe
from fer_edge.sources.newest import Patience
from fer_edge.sources.video import Stream

QUICK = Patience(first_frame_s=8, silence_s=0.4, reconnect_waits_s=(0.01, 0.01))


def jpeg(level, *flags):
    noise = np.random.default_rng(level).integers(level - 4, level + 5, (48, 64, 3))
    return cv2.imencode(".jpg", noise.astype(np.uint8), flags)[1].tobytes()


def with_thumbnail(data, thumbnail):
    exif = b"Exif\0\0" + thumbnail
    return data[:2] + b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif + data[2:]


class Chunked(io.BytesIO):
    """Gives a few bytes at a time, as a pipe does."""

    def read1(self, size=-1):
        return self.read(7)


PROGRESSIVE = (cv2.IMWRITE_JPEG_PROGRESSIVE, 1, cv2.IMWRITE_JPEG_RST_INTERVAL, 2)
BROKEN = jpeg(200).replace(b"\xff\xc0", b"\xff\xee")  # a frame of no known kind


@pytest.mark.parametrize("kind", [Chunked, io.BytesIO])
@pytest.mark.parametrize(
    ("sent", "levels", "unreadable"),
    [
        (b"junk" + jpeg(10) + jpeg(200), [10, 200], 0),
        (with_thumbnail(jpeg(90), jpeg(10)) + with_thumbnail(jpeg(200), jpeg(10)), [90, 200], 0),
        (jpeg(90, *PROGRESSIVE) + jpeg(50, *PROGRESSIVE), [90, 50], 0),
        (BROKEN + jpeg(10), [10], 1),
        (jpeg(90)[:-300] + jpeg(10) + jpeg(20), [10, 20], 1),  # cut short
        (b"\xff\xd8 nothing \xff\xd9" + jpeg(10) + b"\xff\xd8\xff", [10], 0),
    ],
)
def test_a_pipe_is_cut_at_its_pictures(kind, sent, levels, unreadable):
    pipe = MjpegPipe(kind(sent))
    assert [round(float(frame.bgr.mean()), -1) for frame in read_all(pipe)] == levels
    assert pipe.unreadable == unreadable


def test_a_file_of_pictures_with_thumbnails_is_a_video(tmp_path):
    path = tmp_path / "camera.mjpeg"
    path.write_bytes(with_thumbnail(jpeg(90), jpeg(10)) * 12)
    frames = read_all(make_capture(str(path)))
    assert [round(float(frame.bgr.mean()), -1) for frame in frames] == [90] * 12


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        (b"", "no bytes came"),
        (b"\0\0\0\1\x67" + bytes(400), "405 bytes came, which look like H.264"),
        (b"\0\0\0\x20ftypisom" + bytes(400), "look like MP4"),
        (b"\0\0\0\x20ftypavif" + bytes(400), "look like AVIF"),
        (b"\0\0\0\x20ftypheic" + bytes(400), "look like HEIC"),
        (cv2.imencode(".png", np.zeros((4, 4), np.uint8))[1].tobytes(), "look like PNG"),
        (b"not a picture at all\n", "look like text"),
        (jpeg(9)[:-20], "bytes came"),
    ],
)
def test_what_is_no_motion_jpeg_is_told_what_it_is(sent, said):
    with pytest.raises(SourceError, match=f"standard input ended without a JPEG picture: .*{said}"):
        read_all(MjpegPipe(Chunked(sent)))


def test_a_pipe_that_pauses_is_waited_for():
    read, write = os.pipe()
    sink, pipe = ListSink(), MjpegPipe(read)

    def send():
        for level in (10, 100, 200):
            os.write(write, jpeg(level))
            time.sleep(0.8)  # twice as long as a camera may be silent
        os.close(write)

    threading.Thread(target=send, daemon=True).start()
    pipe.open()
    Loop(analyser(), [sink], patience=QUICK).run(pipe)
    assert [round(result.frame.bgr.mean(), -1) for result in sink.results] == [10, 100, 200]


def test_a_named_pipe_is_a_stream(tmp_path):
    path = tmp_path / "pipe"
    os.mkfifo(path)
    threading.Thread(target=lambda: path.write_bytes(jpeg(10)), daemon=True).start()
    assert [frame.source for frame in read_all(make_capture(str(path)))] == [str(path)]


HEAD = b"Content-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n"
ORDERS = {
    "boundary first": lambda data: b"--frame\r\n" + HEAD % len(data) + data + b"\r\n",
    "boundary after, as an ESP32": lambda data: HEAD % len(data) + data + b"\r\n--frame\r\n",
    "no length": lambda data: b"--frame\nContent-Type: image/jpeg\n\n" + data + b"\n",
    "other headers": lambda data: b"\r\n--frame\r\nX-Timestamp: 1.5\r\n" + HEAD % len(data) + data,
    "nothing": lambda data: data,
}


def test_a_connection_that_breaks_off_inside_a_chunk_is_only_lost():
    broken = SimpleNamespace(read1=Mock(side_effect=http.client.IncompleteRead(b"")))
    assert MjpegPipe(broken, ends=False).read() is None


def test_a_picture_at_an_address_is_one_frame_and_no_redirect_gets_the_password(serve):
    camera = serve((1, "hang up"))
    stream, sink = Stream(url_of(camera).replace("video.mjpg", "moved/p.jpg")), ListSink()
    stream.open()
    Loop(analyser(), [sink], patience=QUICK).run(stream)
    assert (len(sink.results), camera.passwords[1:]) == (1, [None])


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        camera = self.server
        camera.passwords.append(self.headers["Authorization"])
        if self.path == "/moved/p.jpg":
            self.send_response(302)
            self.send_header("Location", f"http://localhost:{camera.server_port}/p.jpg")
            self.end_headers()
            return
        number, camera.seen = camera.seen, camera.seen + 1
        pictures, then = camera.connections[min(number, len(camera.connections) - 1)]
        if then == "refuse":
            self.send_error(503)
            return
        self.send_response(200)
        still = self.path == "/p.jpg"
        kind = "image/jpeg" if still else "multipart/x-mixed-replace; boundary=frame"
        self.send_header("Content-Type", kind)
        if still:
            self.send_header("Content-Length", str(len(camera.order(jpeg(60)))))
        self.end_headers()
        try:
            for n in range(pictures):
                self.wfile.write(camera.order(jpeg(60 + 40 * number + n % 2)))
                time.sleep(0.02)
        except OSError:
            return  # hung up on
        if then == "say nothing":
            camera.over.wait(30)


@pytest.fixture
def serve():
    """Starts a network camera. connections: for each in turn (the last for all further), how many pictures it
    gives and what then: `hang up`, `say nothing`, or `refuse`."""
    over = threading.Event()
    with contextlib.ExitStack() as stack:

        def start(*connections, order="boundary first"):
            known = {"connections": connections, "order": ORDERS[order], "seen": 0, "passwords": []}
            return stack.enter_context(served(Handler, over=over, **known))

        yield start
        over.set()


def url_of(camera):
    return f"http://me:w%40rd@127.0.0.1:{camera.server_port}/video.mjpg"


def loop_over(camera, **options):
    sink, stream = ListSink(), Stream(url_of(camera))
    stream.open()
    loop = Loop(analyser(), [sink], patience=QUICK, **options)
    return sink, lambda: loop.run(stream, lambda: Stream(url_of(camera)))


@pytest.mark.parametrize("order", ORDERS)
def test_a_network_camera_is_live_whatever_stands_between_its_pictures(serve, order):
    camera = serve((1000, "hang up"), order=order)
    sink, run = loop_over(camera, max_frames=5)
    run()
    frames = [result.frame for result in sink.results]
    assert [frame.bgr.shape for frame in frames] == [(48, 64, 3)] * 5
    times = [frame.time_s for frame in frames]
    assert times == sorted(set(times))
    assert frames[0].source == url_of(camera).replace("w%40rd", "***")
    assert base64.b64decode(camera.passwords[0].split()[1]) == b"me:w@rd"


@pytest.mark.parametrize("then", ["hang up", "say nothing"])
def test_a_camera_that_breaks_off_or_hangs_half_open_is_connected_to_again(serve, then):
    camera, stop = serve((40, then), (1000, "hang up")), threading.Event()
    sink, run = loop_over(camera, stop=stop)
    threading.Thread(target=run, daemon=True).start()
    until(lambda: len({result.frame.bgr.mean() > 80 for result in sink.results}) == 2)
    stop.set()
    assert camera.seen >= 2


def test_a_camera_that_does_not_come_back_ends_the_run(serve, capsys):
    with pytest.raises(SourceError, match="did not come back after 2 attempts"):
        loop_over(serve((40, "hang up"), (0, "refuse")))[1]()
    assert "w%40rd" not in capsys.readouterr().err
