"""The live page: read-only, for this machine or anyone with the token; one thread per viewer.

On bare sockets: from a stranger, it reads one request head of limited size within a limited time. The loop
never waits for a viewer: it leaves the newest picture and state for the viewers' threads.
"""

import collections
import contextlib
import ipaddress
import os
import socket
import socketserver
import threading
import time
from collections.abc import Iterator, Mapping
from hmac import compare_digest
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from fer_edge import machine
from fer_edge.errors import OutputError, UsageError
from fer_edge.files import to_json
from fer_edge.sinks import PictureSink
from fer_edge.sources.newest import Newest
from fer_edge.vision.frames import Frame, FrameResult, Picture
from fer_edge.vision.opencv import cv2
from fer_edge.vision.overlay import hex_color

STATE_EVERY_S, PICTURE_EVERY_S = 0.2, 1 / 15
JPEG_QUALITY, MAX_WIDTH_PX = 80, 960  # wider pictures are shrunk: the network is slower than the loop
SHORTEST_TOKEN = 8
MAX_VIEWERS, MAX_CONNECTIONS = 4, 24  # of each stream; in all
HEAD_BYTES, HEAD_TIMEOUT_S = 8192, 5.0
SEND_TIMEOUT_S = 10.0  # a viewer that reads nothing for this long is disconnected
HEARTBEAT_S = 5.0  # an empty line, to notice viewers who have gone
_STATIC = {
    "/": ("index.html", "text/html; charset=utf-8"),
    "/page.css": ("page.css", "text/css; charset=utf-8"),
    "/page.js": ("page.js", "text/javascript; charset=utf-8"),
}
_HEADERS = {
    "Server": "fer-edge",
    "Cache-Control": "no-store",
    "Connection": "close",
    "Content-Security-Policy": "default-src 'none'; img-src 'self' data:; style-src 'self'; "
    "script-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


def token_for(host: str, token: str | None) -> str | None:
    """The token given, else None on loopback, where it is not needed, and a random one beyond.

    Raises UsageError for a host that has no address here, and for a token that is easily guessed.
    """
    if token is not None and (len(token) < SHORTEST_TOKEN or not token.isalnum() or not token.isascii()):
        raise UsageError(f"--web-token: use at least {SHORTEST_TOKEN} letters and digits")
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise UsageError(f"--web-host {host}: there is no such address") from error
    if token is None and not all(ipaddress.ip_address(address[4][0]).is_loopback for address in found):
        return os.urandom(16).hex()
    return token


class PageServer(socketserver.ThreadingTCPServer):
    """Serves the newest values: jpeg, whole pictures; state, JSON texts of one line.

    host: the address to listen on; port 0 takes any. token: what viewers need, if not None. url: the page's.
    Raises OutputError if the port is not available.
    """

    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False
    request_queue_size = 16

    def __init__(self, host: str, port: int, token: str | None = None) -> None:
        self.host, self.token = host, token
        self.jpeg, self.state = Newest[bytes](), Newest[str]()
        self.lock = threading.Lock()
        self.connections: dict[Any, str] = {}  # the oldest first: "head" until that is read, then what for
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        try:
            super().__init__((host, port), Handler)
        except OSError as error:
            where = f"{host}:{port}: {error.strerror or error}"
            raise OutputError(f"cannot serve the page on {where}; choose another port") from error
        self.cookie = f"fer_edge_token_{self.server_address[1]}"  # a browser sends it to every port
        threading.Thread(target=self.serve_forever, args=(0.1,), daemon=True).start()

    @property
    def url(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        token = f"?token={self.token}" if self.token else ""
        return f"http://{host}:{self.server_address[1]}/{token}"

    def allows(self, host: str, cookies: str, query_token: str | None) -> bool:
        """Whether a request with these headers Host and Cookie, or empty ones, may be answered.

        Without a token only one for a local name: a foreign site's name may point here (DNS rebinding).
        """
        if self.token is None:
            name = host.strip().lower()
            name = name[1:].partition("]")[0] if name.startswith("[") else name.partition(":")[0]
            return name in {"localhost", "127.0.0.1", "::1", self.host.lower()}
        pairs = (pair.strip().partition("=") for pair in cookies.split(";"))
        cookie = next((value for name, _, value in pairs if name == self.cookie), "")
        given = cookie if query_token is None else query_token
        return compare_digest(given.encode(errors="replace"), self.token.encode())

    def viewers(self, stream: str) -> int:
        """Number of viewers of "video" or "events"."""
        return list(self.connections.values()).count(stream)

    def stop(self) -> None:
        """Ends every answer; returns at once."""
        self.jpeg.close()
        self.state.close()
        self.shutdown()
        self.server_close()

    def process_request(self, request: Any, client_address: Any) -> None:
        """When too many are open, disconnects the one that has taken longest to send its head, or else the
        new one."""
        with self.lock:
            if len(self.connections) >= MAX_CONNECTIONS:
                slowest = next((one for one, what in self.connections.items() if what == "head"), None)
                if slowest is None:
                    self.shutdown_request(request)
                    return
                del self.connections[slowest]
                with contextlib.suppress(OSError):
                    slowest.shutdown(socket.SHUT_RDWR)
            self.connections[request] = "head"
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            with self.lock:
                self.connections.pop(request, None)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A viewer who disconnects is not an error."""


class Handler(socketserver.BaseRequestHandler):
    """Answers only GET and HEAD; nothing that a viewer sends changes anything."""

    server: PageServer
    _bodiless = False

    def handle(self) -> None:
        """The page and its contents; 403 without permission, 404 for anything else."""
        head = self._head()
        if head is None:
            return
        with self.server.lock:
            self.server.connections[self.request] = "answer"
        self.request.settimeout(SEND_TIMEOUT_S)
        first, *lines = head.splitlines()
        words = first.split()
        pairs = (line.partition(":") for line in lines)
        self._bodiless = words[:1] == ["HEAD"]
        if len(words) != 3 or not words[2].startswith("HTTP/"):
            self._answer(b"no HTTP\n", 400)
        elif words[0] not in ("GET", "HEAD"):
            self._answer(b"this page can only be looked at\n", 501)
        else:
            self._serve(words[1], {name.strip().lower(): value.strip() for name, _, value in pairs})

    def _head(self) -> str | None:
        """The request line and the headers; None if they do not come in time, or are too long."""
        end_s, data = time.monotonic() + HEAD_TIMEOUT_S, b""
        while b"\r\n\r\n" not in data and b"\n\n" not in data:
            left_s = end_s - time.monotonic()
            if left_s <= 0:
                return None
            self.request.settimeout(left_s)
            chunk = self.request.recv(HEAD_BYTES)
            data += chunk
            if not chunk:
                return None
            if len(data) > HEAD_BYTES:
                self._answer(b"too long\n", 431)
                return None
        return data.decode("latin-1")

    def _serve(self, target: str, headers: Mapping[str, str]) -> None:
        try:
            address = urlsplit(target)
            token = parse_qs(address.query).get("token", [None])[0]
        except ValueError:
            self._answer(b"no address\n", 400)
            return
        if not self.server.allows(headers.get("host", ""), headers.get("cookie", ""), token):
            self._answer(b"this page needs the address with its token\n", 403)
        elif self.server.token and token is not None and address.path == "/":
            cookie = f"{self.server.cookie}={token}; HttpOnly; SameSite=Strict; Path=/"
            self._answer(b"", 303, **{"Set-Cookie": cookie, "Location": "/"})
        elif address.path in _STATIC:
            name, kind = _STATIC[address.path]
            self._answer(Path(__file__).with_name("page").joinpath(name).read_bytes(), kind=kind)
        elif address.path == "/video.mjpg":
            self._stream("video", "multipart/x-mixed-replace; boundary=frame", self._pictures())
        elif address.path == "/events":
            self._stream("events", "text/event-stream; charset=utf-8", self._states())
        elif address.path == "/state":
            latest = self.server.state.take(-1, 0)
            self._answer((latest[1] if latest else "{}").encode(), kind="application/json")
        else:
            self._answer(b"nothing here\n", 404)

    def _answer(self, body: bytes, status: int = 200, kind: str = "text/plain", **more: str) -> None:
        self._begin(status, {"Content-Type": kind, "Content-Length": str(len(body)), **more})
        if not self._bodiless:
            self.request.sendall(body)

    def _begin(self, status: int, headers: Mapping[str, str]) -> None:
        lines = [f"{name}: {value}" for name, value in {**headers, **_HEADERS}.items()]
        first = f"HTTP/1.0 {status} {HTTPStatus(status).phrase}"
        self.request.sendall("\r\n".join([first, *lines, "\r\n"]).encode())

    def _stream(self, name: str, kind: str, chunks: Iterator[bytes]) -> None:
        with self.server.lock:
            granted = self.server.viewers(name) < MAX_VIEWERS
            if granted:
                self.server.connections[self.request] = name
        if not granted:
            self._answer(b"too many viewers\n", 503)
            return
        # A short queue in the system: a slow viewer gets fewer pictures, not older ones.
        self.request.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 17)
        self._begin(200, {"Content-Type": kind})
        for chunk in () if self._bodiless else chunks:
            self.request.sendall(chunk)

    def _pictures(self) -> Iterator[bytes]:
        number, jpeg = -1, b""
        while not self.server.jpeg.closed:
            number, jpeg = self.server.jpeg.take(number, HEARTBEAT_S) or (number, jpeg)
            if jpeg:  # the last one again if there is no new one
                head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
                yield head.encode() + jpeg + b"\r\n"

    def _states(self) -> Iterator[bytes]:
        number = -1
        while not self.server.state.closed:
            taken = self.server.state.take(number, HEARTBEAT_S)
            number = taken[0] if taken else number
            yield f"data: {taken[1]}\n\n".encode() if taken else b": still here\n\n"
        yield b"event: end\ndata: \n\n"


class WebPage(PictureSink):
    """The page as a sink. Serves from its creation to `close`; `server.url` says where."""

    has_bars = True

    def __init__(self, host: str, port: int, token: str | None, labels: tuple[str, ...]) -> None:
        """Raises OutputError if the port is taken, and what `token_for` raises."""
        self._labels = labels
        self.server = PageServer(host, port, token_for(host, token))
        self._next_picture_s = self._next_state_s = 0.0
        self._times_s: collections.deque[float] = collections.deque(maxlen=30)  # of the latest frames

    @property
    def asleep(self) -> bool:  # type: ignore[override]
        """True if nobody watches the video, so nothing has to be drawn."""
        return not self.server.viewers("video")

    def write(self, result: FrameResult) -> None:
        """Leaves the state for the threads that send it."""
        now_s = time.monotonic()
        self._times_s.append(now_s)
        if not result.analysed or now_s < self._next_state_s:
            return
        self._next_state_s = max(self._next_state_s + STATE_EVERY_S, now_s)
        memory_mib, source, took_s = machine.rss_mib(), result.frame.source, now_s - self._times_s[0]
        state = {
            "source": source if "://" in source else Path(source).name,
            "frame": result.index,
            "time_s": round(result.frame.time_s, 3),
            "fps": round((len(self._times_s) - 1) / took_s, 1) if took_s else 0.0,
            "memory_mib": memory_mib and round(memory_mib, 1),
            "labels": list(self._labels),
            "colors": [hex_color(label) for label in self._labels],
            "faces": [face.as_dict() | {"shares": face.smoothed.round(4).tolist()} for face in result.faces],
        }
        self.server.state.put(to_json(state))

    def show(self, frame: Frame, annotated: Picture) -> None:
        """Leaves the picture, as JPEG, for the threads that send it."""
        now_s = time.monotonic()
        if now_s < self._next_picture_s:
            return
        self._next_picture_s = max(self._next_picture_s + PICTURE_EVERY_S, now_s)
        shown: Any = annotated
        height, width = annotated.shape[:2]
        if width > MAX_WIDTH_PX:
            size = (MAX_WIDTH_PX, max(1, round(height * MAX_WIDTH_PX / width)))
            shown = cv2.resize(annotated, size, interpolation=cv2.INTER_AREA)
        jpeg = cv2.imencode(".jpg", shown, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])[1]
        self.server.jpeg.put(jpeg.tobytes())

    def close(self) -> None:
        self.server.stop()
