"""The page's server from outside: what is served, to whom, how many, and what is refused."""

import contextlib
import http.client
import socket
import threading
import time

import pytest

from fer_edge.errors import OutputError
from fer_edge.sinks import server as pages
from fer_edge.sinks.server import Access, PageServer
from fer_edge.sources.newest import Newest

TOKEN = "abcdefgh12345678"
LOCAL = Access("127.0.0.1")
WAIT_S = 20


@pytest.fixture
def serve():
    """Starts servers, and stops them at the end."""
    started = []

    def start(access=LOCAL, **options):
        started.append(PageServer(access, 0, Newest(), Newest(), **options))
        return started[-1]

    yield start
    for server in started:
        server.stop()


def ask(server, path, method="GET", **headers):
    """The response; its body is read where it has an end."""
    connection = http.client.HTTPConnection("127.0.0.1", server.server_address[1], timeout=WAIT_S)
    connection.request(method, path, headers=headers)
    return connection.getresponse()


def until(condition):
    deadline = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize(
    ("path", "kind", "part"),
    [
        ("/", "text/html", b"/page.js"),
        ("/page.js", "text/javascript", b"EventSource"),
        ("/page.css", "text/css", b"grid"),
        ("/state.json", "application/json", b"{}"),
    ],
)
def test_the_page_and_its_parts(serve, path, kind, part):
    response = ask(serve(), path)
    assert response.status == 200
    assert response.headers["Content-Type"].startswith(kind)
    assert "default-src 'none'" in response.headers["Content-Security-Policy"]
    assert part in response.read()


def test_nothing_else_is_served_and_nothing_can_be_sent(serve):
    server = serve()
    for path in ("/../server.py", "/page/index.html", "/page.js/", "//etc/passwd", "/%2e%2e/server.py"):
        assert ask(server, path).status == 404
    for method in ("POST", "PUT", "DELETE", "OPTIONS"):
        assert ask(server, "/", method).status == 501


@pytest.mark.parametrize("path", ["/", "/page.js", "/state", "/video.mjpg", "/events", "/none"])
def test_head_is_get_without_its_body(serve, path):
    server = serve()
    response = ask(server, path, "HEAD")
    assert response.status == (404 if path == "/none" else 200)
    assert response.read() == b""
    length = response.headers["Content-Length"]
    assert length is None if path in ("/video.mjpg", "/events") else int(length) > 0


def test_a_foreign_name_for_this_machine_is_turned_away(serve):
    assert ask(serve(), "/state.json", Host="evil.example").status == 403


def test_the_token_is_needed_and_becomes_a_cookie(serve):
    server = serve(Access("127.0.0.1", TOKEN))
    assert ask(server, "/").status == 403
    assert ask(server, "/video.mjpg?token=wrong").status == 403
    entry = ask(server, f"/?token={TOKEN}")
    assert (entry.status, entry.headers["Location"]) == (303, "/")
    cookie = entry.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert ask(server, "/", Cookie=cookie.split(";")[0]).status == 200
    assert server.url.endswith(f"/?token={TOKEN}")


def test_pictures_and_states_arrive_as_they_come(serve):
    server = serve()
    server.jpeg.put(b"first")
    server.state.put('{"frame": 1}')
    video, events = ask(server, "/video.mjpg"), ask(server, "/events")
    assert video.headers["Content-Type"] == "multipart/x-mixed-replace; boundary=frame"
    assert [video.readline().strip() for _ in range(5)] == [
        b"--frame",
        b"Content-Type: image/jpeg",
        b"Content-Length: 5",
        b"",
        b"first",
    ]
    assert events.readline() == b'data: {"frame": 1}\n'
    assert events.readline() == b"\n"
    server.state.put('{"frame": 2}')
    assert events.readline() == b'data: {"frame": 2}\n'


def test_the_end_is_told(serve):
    server = serve()
    events = ask(server, "/events")
    until(lambda: server._open["events"] == 1)
    server.stop()
    assert b"event: end" in events.read()


def test_more_viewers_than_allowed_are_told_so_and_a_place_becomes_free(serve):
    server = serve(max_viewers=2)
    server.jpeg.put(b"picture")
    viewers = [ask(server, "/video.mjpg") for _ in range(2)]
    assert [viewer.status for viewer in viewers] == [200, 200]
    assert server.watching == 2
    assert ask(server, "/video.mjpg").status == 503
    assert ask(server, "/").status == 200  # the page itself can still be had
    viewers[0].close()
    leaving = threading.Event()

    def pictures():
        while not leaving.wait(0.01):
            server.jpeg.put(b"picture" * 5000)

    threading.Thread(target=pictures, daemon=True).start()
    until(lambda: server.watching == 1)
    assert ask(server, "/video.mjpg").status == 200
    leaving.set()


def test_a_viewer_who_takes_nothing_holds_nobody_up(serve):
    server = serve()
    stuck = socket.create_connection(server.server_address)
    stuck.sendall(b"GET /video.mjpg HTTP/1.0\r\nHost: localhost\r\n\r\n")
    until(lambda: server.watching == 1)
    for number in range(300):
        server.jpeg.put(bytes([number % 256]) * 200_000)
    quick = ask(server, "/video.mjpg")
    quick.readline(), quick.readline(), quick.readline(), quick.readline()
    assert quick.read(200_000) == bytes([299 % 256]) * 200_000  # the newest, not the first
    stuck.close()


def test_who_is_slow_about_the_head_is_hung_up_on_before_others(serve):
    """More clients than there is room for, each dripping a byte now and then."""
    server = serve(max_viewers=1)
    idle = [socket.create_connection(server.server_address) for _ in range(30)]
    for n, connection in enumerate(idle):
        with contextlib.suppress(OSError):
            connection.sendall(b"G" if n % 2 else b"GET / HTTP/1.0\r\nX")
    until(lambda: len(server.connections) == 18)
    for _ in range(5):
        assert ask(server, "/").status == 200
    for connection in idle:
        connection.close()
    until(lambda: len(server.connections) == 0)


def test_a_head_has_its_time(serve, monkeypatch):
    monkeypatch.setattr(pages, "HEAD_TIMEOUT_S", 0.5)
    with socket.create_connection(serve().server_address) as connection:
        connection.settimeout(WAIT_S)
        begun_s, dripping = time.monotonic(), threading.Event()

        def drip():
            with contextlib.suppress(OSError):
                while not dripping.wait(0.1):
                    connection.sendall(b"x")

        threading.Thread(target=drip, daemon=True).start()
        assert connection.recv(100) == b""
        dripping.set()
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
    with socket.create_connection(
        serve(Access("127.0.0.1", TOKEN) if status == b"403" else LOCAL).server_address
    ) as c:
        c.settimeout(WAIT_S)
        begun_s = time.monotonic()
        c.sendall(sent)
        assert c.recv(12)[9:] == status
        assert time.monotonic() - begun_s < 5


def test_a_long_cookie_costs_no_time():
    access = Access("0.0.0.0", TOKEN)
    begun_s = time.monotonic()
    for odd in ("\\" * 65_000, '"\\' * 20_000, ";" * 65_000, "a=b;" * 20_000, "fer_edge_token=" * 5000):
        assert not access.allows("", odd, None)
    assert time.monotonic() - begun_s < 2


def test_no_name_is_looked_up(serve, monkeypatch):
    def looked_up(*_):
        raise AssertionError("a name was looked up")

    monkeypatch.setattr(socket, "getfqdn", looked_up)
    monkeypatch.setattr(socket, "gethostbyaddr", looked_up)
    assert ask(serve(Access("127.0.0.1")), "/").status == 200


def test_a_port_that_is_taken_is_said(serve):
    port = serve().server_address[1]
    with pytest.raises(OutputError, match=f"127.0.0.1:{port}.*choose another port"):
        PageServer(Access("127.0.0.1"), port, Newest(), Newest())


def test_a_page_on_every_network_is_told_by_the_machine_s_name(serve):
    server = serve(Access("0.0.0.0", TOKEN))
    assert server.url == f"http://{socket.gethostname()}:{server.server_address[1]}/?token={TOKEN}"
