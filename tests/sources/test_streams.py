"""Streams over HTTP from a server of the test's own: live, breaking off, half open."""

import http.server
import threading
import time

import cv2
import numpy as np
import pytest
from loop_fakes import ListSink, analyser

from fer_edge.errors import SourceError
from fer_edge.loop.realtime import Loop, Pace
from fer_edge.sources.newest import Patience
from fer_edge.sources.video import Stream

QUICK = Patience(first_frame_s=8, silence_s=0.4, reconnect_waits_s=(0.01, 0.01))


def jpeg(level):
    noise = np.random.default_rng(level).integers(level - 4, level + 5, (48, 64, 3))
    return cv2.imencode(".jpg", noise.astype(np.uint8))[1].tobytes()


class Camera(http.server.ThreadingHTTPServer):
    """A network camera. connections: for each in turn (the last for all further), how many pictures it
    gives and what then: `hang up`, `say nothing`, or `refuse`."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, *connections):
        self.connections, self.seen = connections, 0
        self.over = threading.Event()
        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}/video.mjpg"


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        camera = self.server
        number, camera.seen = camera.seen, camera.seen + 1
        pictures, then = camera.connections[min(number, len(camera.connections) - 1)]
        if then == "refuse":
            self.send_error(503)
            return
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
        self.end_headers()
        try:
            for n in range(pictures):
                data = jpeg(60 + 40 * number + n % 2)
                head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(data)}\r\n\r\n"
                self.wfile.write(head.encode() + data + b"\r\n")
                time.sleep(0.02)
        except OSError:
            return  # hung up on
        if then == "say nothing":
            camera.over.wait(30)

    def log_message(self, *values):
        pass


@pytest.fixture
def serve():
    cameras = []

    def start(*connections):
        cameras.append(Camera(*connections))
        return cameras[-1]

    yield start
    for camera in cameras:
        camera.over.set()
        camera.shutdown()
        camera.server_close()


def run(camera, **pace):
    sink, stream = ListSink(), Stream(camera.url)
    stream.open()
    Loop(analyser(), [sink], patience=QUICK, pace=Pace(**pace)).run(stream, lambda: Stream(camera.url))
    return sink


def levels(sink):
    return {round((float(result.frame.bgr.mean()) - 60) / 40) for result in sink.results}


def test_a_network_camera_is_live(serve):
    sink = run(serve((1000, "hang up")), max_frames=5)
    assert len(sink.results) == 5
    assert sink.results[0].frame.bgr.shape == (48, 64, 3)
    times = [result.frame.time_s for result in sink.results]
    assert times == sorted(set(times))


@pytest.mark.parametrize("then", ["hang up", "say nothing"])
def test_a_camera_that_breaks_off_or_hangs_half_open_is_connected_to_again(serve, then):
    camera = serve((40, then), (1000, "hang up"))
    sink, stream, stop = ListSink(), Stream(camera.url), threading.Event()
    stream.open()
    loop = Loop(analyser(), [sink], patience=QUICK, stop=stop)
    threading.Thread(target=loop.run, args=(stream, lambda: Stream(camera.url)), daemon=True).start()
    deadline = time.monotonic() + 40
    while len(levels(sink)) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    stop.set()
    assert camera.seen >= 2


def test_a_camera_that_does_not_come_back_ends_the_run(serve):
    with pytest.raises(SourceError, match="did not come back after 2 attempts"):
        run(serve((40, "hang up"), (0, "refuse")))
