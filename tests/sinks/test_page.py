import contextlib
import http.client
import json
import socket
import threading
import time

import browser
import cv2
import numpy as np
import pytest
from loop_fakes import LABELS, WAIT_S, Album, FakeCapture, analyser, picture, until

from fer_edge.errors import OutputError, UsageError
from fer_edge.loop import Loop
from fer_edge.sinks import web
from fer_edge.sinks.web import PageServer, WebPage, token_for

TOKEN = "abcdefgh12345678"


def ask(page, path, method="GET", **headers):
    """The response; its body is read where it has an end."""
    connection = http.client.HTTPConnection("127.0.0.1", page.server_address[1], timeout=WAIT_S)
    connection.request(method, path, headers=headers)
    return connection.getresponse()


@pytest.fixture
def serve(request):
    def start(token=None):
        page = PageServer("127.0.0.1", 0, token)
        request.addfinalizer(page.stop)
        return page

    return start


def test_without_a_token_only_local_names_are_served(serve):
    page = serve()
    for host in ("localhost:8000", "[::1]:8000", "LOCALHOST"):
        assert page.allows(host, "", None)
    for host in ("evil.example:8000", "localhost.evil.example", "192.168.1.5:8000", ""):
        assert not page.allows(host, "", None)


def test_loopback_needs_no_token_all_else_gets_one_and_one_that_is_easily_guessed_is_refused():
    assert token_for("0.0.0.0", None) != token_for("0.0.0.0", None)
    assert token_for("127.0.0.1", TOKEN) == TOKEN
    hosts = ("127.0.0.1", "127.0.0.2", "::1", "0.0.0.0", "::")
    assert [token_for(host, None) is None for host in hosts] == [True, True, True, False, False]
    for token in ("short", "semi;colon=1", "schlüssel1"):
        with pytest.raises(UsageError, match="letters and digits"):
            token_for("127.0.0.1", token)


def test_an_address_of_nowhere_or_taken_is_refused_and_no_name_is_looked_up(serve, monkeypatch):
    with pytest.raises(UsageError, match="no such address"):
        token_for("no such host", None)
    monkeypatch.delattr(socket, "getfqdn")
    monkeypatch.delattr(socket, "gethostbyaddr")
    page = serve()
    assert ask(page, "/").status == 200
    port = page.server_address[1]
    with pytest.raises(OutputError, match=f"127.0.0.1:{port}.*choose another port"):
        PageServer("127.0.0.1", port)


def test_the_token_is_needed_and_becomes_a_cookie(serve):
    page = serve(TOKEN)
    for path, cookie in (("/", ""), (f"/video.mjpg?token={TOKEN[:-1]}", ""), ("/", "\x00=;fer_edge_token=x")):
        assert ask(page, path, Cookie=cookie).status == 403
    entry = ask(page, f"/?token={TOKEN}")
    assert (entry.status, entry.headers["Location"]) == (303, "/")
    cookie = entry.headers["Set-Cookie"]
    assert {"HttpOnly", "SameSite=Strict"} < set(cookie.split("; "))
    assert cookie.startswith(f"fer_edge_token_{page.server_address[1]}=")  # cookies know no ports
    assert ask(page, "/", Host="any.example", Cookie="other=1; " + cookie.split(";")[0]).status == 200
    assert page.url.endswith(f"/?token={TOKEN}")
    assert ask(serve(), "/?token=a%0d%0aX-Evil:%201").headers["X-Evil"] is None


@pytest.mark.parametrize(
    ("path", "kind", "part"),
    [
        ("/", "text/html", b"/page.js"),
        ("/page.js", "text/javascript", b"EventSource"),
        ("/page.css", "text/css", b"grid"),
        ("/state", "application/json", b"{}"),
    ],
)
def test_the_page_and_its_parts(serve, path, kind, part):
    page = serve()
    response = ask(page, path)
    assert response.status == 200
    assert response.headers["Content-Type"].startswith(kind)
    assert "default-src 'none'" in response.headers["Content-Security-Policy"]
    body = response.read()
    assert part in body
    head = ask(page, path, "HEAD")
    assert (head.status, head.read(), head.headers["Content-Length"]) == (200, b"", str(len(body)))


def test_nothing_else_is_served_and_nothing_can_be_sent(serve):
    page = serve()
    for path in ("/../server.py", "/page/index.html", "/page.js/", "//etc/passwd", "/%2e%2e/server.py"):
        assert ask(page, path).status == 404
    assert {ask(page, "/", method).status for method in ("POST", "PUT", "DELETE", "OPTIONS")} == {501}
    assert ask(page, "/state", Host="evil.example").status == 403
    assert ask(page, "/video.mjpg", "HEAD").read() == b""


def test_pictures_and_states_arrive_as_they_come_and_the_end_is_told(serve):
    page = serve()
    page.jpeg.put(b"first")
    page.state.put('{"frame": 1}')
    video, events = ask(page, "/video.mjpg"), ask(page, "/events")
    lines = [video.readline().strip() for _ in range(5)]
    assert lines == [b"--frame", b"Content-Type: image/jpeg", b"Content-Length: 5", b"", b"first"]
    assert [events.readline(), events.readline()] == [b'data: {"frame": 1}\n', b"\n"]
    page.state.put('{"frame": 2}')
    assert events.readline() == b'data: {"frame": 2}\n'
    page.stop()
    assert b"event: end" in events.read()


def test_more_viewers_than_allowed_are_told_so_and_a_place_becomes_free(serve):
    page = serve()
    page.jpeg.put(b"picture")
    viewers = [ask(page, "/video.mjpg") for _ in range(web.MAX_VIEWERS)]
    assert {viewer.status for viewer in viewers} == {200}
    assert [ask(page, path).status for path in ("/video.mjpg", "/")] == [503, 200]
    viewers[0].close()
    until(lambda: page.jpeg.put(b"picture" * 5000) or page.viewers("video") == web.MAX_VIEWERS - 1)
    assert ask(page, "/video.mjpg").status == 200


def test_a_viewer_who_takes_nothing_holds_nobody_up(serve):
    page = serve()
    stuck = socket.create_connection(page.server_address)
    stuck.sendall(b"GET /video.mjpg HTTP/1.0\r\nHost: localhost\r\n\r\n")
    until(lambda: page.viewers("video") == 1)
    for number in range(300):
        page.jpeg.put(bytes([number % 256]) * 200_000)
    quick = ask(page, "/video.mjpg")
    quick.readline(), quick.readline(), quick.readline(), quick.readline()
    assert quick.read(200_000) == bytes([299 % 256]) * 200_000  # the newest, not the first
    stuck.close()


def test_who_is_slow_about_the_head_is_hung_up_on_before_others(serve):
    """More clients than there is room for, none of which ends its head."""
    page = serve()
    idle = [socket.create_connection(page.server_address) for _ in range(30)]
    for connection in idle:
        with contextlib.suppress(OSError):
            connection.sendall(b"GET / HTTP/1.0\r\nX")
    until(lambda: len(page.connections) == web.MAX_CONNECTIONS)
    assert [ask(page, "/").status for _ in range(5)] == [200] * 5
    for connection in idle:
        connection.close()
    until(lambda: not page.connections)


def test_a_head_has_its_time(serve, monkeypatch):
    monkeypatch.setattr(web, "HEAD_TIMEOUT_S", 0.5)
    with socket.create_connection(serve().server_address, timeout=WAIT_S) as connection:
        begun_s, over = time.monotonic(), threading.Event()

        def drip():
            with contextlib.suppress(OSError):
                while not over.wait(0.1):
                    connection.sendall(b"x")

        threading.Thread(target=drip, daemon=True).start()
        assert connection.recv(100) == b""
        over.set()
        assert time.monotonic() - begun_s < 5


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"GET / HTTP/1.0\r\nCookie: " + b"\\" * 65_000 + b"\r\n\r\n", b"431"),
        (b"GET /" + b"a" * 9000, b"431"),
        (b"nothing\r\n\r\n", b"400"),
        (b"\r\n\r\n", b"400"),
        (b"GET //[x HTTP/1.0\r\nHost: localhost\r\n\r\n", b"400"),
        (b"GET / HTTP/1.0\nHost: localhost\n\n", b"200"),
        (b"GET /?token=\xff%ff HTTP/1.1\r\n\r\n", b"403"),
    ],
)
def test_what_strangers_send_is_answered_at_once(serve, sent, status):
    page = serve(TOKEN if status == b"403" else None)
    with socket.create_connection(page.server_address, timeout=5) as connection:
        connection.sendall(sent)
        assert connection.recv(12)[9:] == status


@pytest.fixture
def page(monkeypatch):
    page = WebPage("127.0.0.1", 0, None, LABELS)
    monkeypatch.setattr(page, "close", lambda: None)  # the loop's end, so that there is time to ask
    yield page
    monkeypatch.undo()
    page.close()


def run(page, frames):
    Loop(analyser((10, 10, 20, 20)), [page]).run(FakeCapture(frames, name="in a folder/x.mp4"))


def test_the_state_is_the_newest_frame_s(page):
    assert page.asleep
    run(page, [picture()])
    state = json.load(ask(page.server, "/state"))
    assert (state["source"], state["frame"], state["labels"]) == ("x.mp4", 0, list(LABELS))
    (face,) = state["faces"]
    assert (face["track"], face["label"], face["box_xywh"]) == (1, "happy", [10, 10, 20, 20])
    assert face["shares"] == [0.8, 0.1, 0.1]
    assert state["memory_mib"] is None or state["memory_mib"] > 1
    assert all(len(color) == 7 and color.startswith("#") for color in state["colors"])


def test_a_viewer_sees_the_picture_with_its_box_and_no_bars(page):
    other = Album()
    assert (page.asleep, other.asleep) == (True, False)
    video = ask(page.server, "/video.mjpg")
    until(lambda: not page.asleep)
    assert (page.has_bars, other.has_bars) == (True, False)
    run(page, [picture(90, (480, 1920))] * 3)
    while not (line := video.readline()).startswith(b"Content-Length"):
        pass
    video.readline()
    seen = cv2.imdecode(np.frombuffer(video.read(int(line.split(b":")[1])), np.uint8), cv2.IMREAD_COLOR)
    assert seen.shape == (240, 960, 3)  # a wide one is reduced for the network
    assert np.ptp(seen[:60, :120].astype(int)) > 60  # the box
    assert np.ptp(seen[100:].astype(int)) < 16  # and no bars


@pytest.mark.skipif(browser.find() is None, reason="needs Chromium, which is not installed")
def test_chromium_shows_it(page):
    """Script and streams work under the page's own rules; what it looks like is for eyes."""
    state = {"labels": [], "colors": [], "faces": [], "source": "", "frame": 0, "fps": 1}
    page.server.state.put(json.dumps(state))
    with browser.opened(page.server.url):
        until(lambda: [page.server.viewers(name) for name in ("video", "events")] == [1, 1])
