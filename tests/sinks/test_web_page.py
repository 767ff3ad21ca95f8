"""The page as a sink: what it tells, when it sleeps, in the loop and in a browser."""

import json
import subprocess
import time
import urllib.request

import cv2
import numpy as np
import pytest
from loop_fakes import LABELS, FakeCapture, ListSink, analyser, picture

from fer_edge.loop.realtime import Loop
from fer_edge.sinks import is_awake
from fer_edge.sinks.server import Access
from fer_edge.sinks.web import Rate, WebPage

WAIT_S = 20


@pytest.fixture
def page():
    page = WebPage(Access("127.0.0.1"), 0, LABELS)
    yield page
    page.close()


def get(page, path):
    return urllib.request.urlopen(page.url + path, timeout=WAIT_S)


def run(page, frames, **options):
    Loop(analyser((10, 10, 20, 20), **options), [page]).run(FakeCapture(frames))


def test_the_state_is_the_newest_frame_s(page, monkeypatch):
    monkeypatch.setattr(page, "close", lambda: None)  # the loop's end, so that there is time to ask
    run(page, [picture()])
    state = json.load(get(page, "state.json"))
    assert (state["source"], state["frame"], state["labels"]) == ("fake", 0, list(LABELS))
    assert state["faces"] == [
        {
            "track": 1,
            "label": "happy",
            "confidence": 0.8,
            "box_xywh": [10, 10, 20, 20],
            "shares": [0.8, 0.1, 0.1],
        }
    ]
    assert state["memory_mib"] is None or state["memory_mib"] > 1
    assert all(len(color) == 7 and color.startswith("#") for color in state["colors"])
    monkeypatch.undo()


def test_nothing_is_drawn_while_nobody_looks(page):
    assert page.asleep
    assert not is_awake(page)
    assert is_awake(ListSink(wants_picture=True))
    assert not is_awake(ListSink())


def test_a_viewer_sees_the_annotated_picture(page, monkeypatch):
    monkeypatch.setattr(page, "close", lambda: None)
    video = get(page, "video.mjpg")
    deadline = time.monotonic() + WAIT_S
    while page.asleep:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    run(page, [picture(90, (240, 320))] * 3)
    while not (line := video.readline()).startswith(b"Content-Length"):
        pass
    video.readline()
    seen = cv2.imdecode(np.frombuffer(video.read(int(line.split(b":")[1])), np.uint8), cv2.IMREAD_COLOR)
    assert seen.shape == (240, 320, 3)
    assert abs(int(seen[-1, -1, 0]) - 90) < 8  # the frame
    assert np.ptp(seen.astype(int)) > 60  # and the box on it
    monkeypatch.undo()


def test_wide_pictures_are_reduced_for_the_network():
    from fer_edge.sinks.web import _reduced

    assert _reduced(np.zeros((1080, 1920, 3), np.uint8)).shape == (540, 960, 3)
    assert _reduced(np.zeros((480, 640, 3), np.uint8)).shape == (480, 640, 3)


def test_the_rate_of_frames():
    rate = Rate()
    assert rate.per_second == 0
    for n in range(60):
        rate.tick(n / 20)
    assert rate.per_second == pytest.approx(20)
    for n in range(200):
        rate.tick(3 + n / 50)
    assert rate.per_second == pytest.approx(50, rel=0.02)


def test_chromium_shows_it(page, tmp_path):
    """Script and streams work under the page's own rules; what it looks like is for eyes."""
    import browser

    if browser.find() is None:
        pytest.skip("needs Chromium, which is not installed")
    page._state.put(json.dumps({"labels": [], "colors": [], "faces": [], "source": "", "frame": 0, "fps": 1}))
    command = [browser.find(), *browser._OPTIONS, f"--user-data-dir={tmp_path / 'profile'}", page.url]
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 120
        while page._server._open != {"video": 1, "events": 1}:
            assert time.monotonic() < deadline
            time.sleep(0.05)
    finally:
        child.terminate()
        child.wait()
