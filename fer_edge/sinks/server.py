"""The page's server: Python's own, one thread a viewer, all of them waiting on the newest value."""

from __future__ import annotations

import contextlib
import ipaddress
import os
import socket
import threading

# Where `hmac.compare_digest` comes from; `hmac` itself would load OpenSSL.
from _operator import _compare_digest as same_in_constant_time
from collections.abc import Iterator
from dataclasses import dataclass
from http import HTTPStatus
from http.cookies import CookieError, SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from fer_edge.errors import OutputError, UsageError
from fer_edge.sources.newest import Newest

MAX_VIEWERS = 4
EVERYWHERE = frozenset({"0.0.0.0", "::"})


class PageServer(ThreadingHTTPServer):
    """Serves the slots' values. jpeg: whole pictures. state: JSON texts of one line.

    watching: how many look at the video now. url: where to look, with the token. Raises OutputError if the
    port cannot be had; port 0 takes a free one.
    """

    daemon_threads = True
    block_on_close = False
    request_queue_size = 16

    def __init__(
        self,
        access: Access,
        port: int,
        jpeg: Newest[bytes],
        state: Newest[str],
        max_viewers: int = MAX_VIEWERS,
    ) -> None:
        self.access, self.jpeg, self.state = access, jpeg, state
        self.max_viewers = max_viewers
        self._lock = threading.Lock()
        self._open = {"video": 0, "events": 0}
        self._connections = threading.BoundedSemaphore(2 * max_viewers + 16)
        self.address_family = socket.AF_INET6 if ":" in access.host else socket.AF_INET
        try:
            super().__init__((access.host, port), Handler)
        except OSError as error:
            raise OutputError(
                f"cannot serve the page on {access.host}:{port}: {error.strerror or error}; choose another "
                "port"
            ) from error
        threading.Thread(target=self.serve_forever, args=(0.1,), daemon=True).start()

    @property
    def watching(self) -> int:
        return self._open["video"]

    @property
    def url(self) -> str:
        host = self.access.host
        if host in EVERYWHERE:  # no address that a browser on another machine could open
            host = socket.gethostname()
        elif ":" in host:
            host = f"[{host}]"
        token = f"?token={self.access.token}" if self.access.token else ""
        return f"http://{host}:{self.server_address[1]}/{token}"

    def stop(self) -> None:
        """Ends every answer; returns at once."""
        self.jpeg.close()
        self.state.close()
        self.shutdown()
        self.server_close()

    @contextlib.contextmanager
    def a_viewer(self, kind: str) -> Iterator[bool]:
        """Counts one more for as long as the block lasts; False if there are too many."""
        with self._lock:
            granted = self._open[kind] < self.max_viewers
            self._open[kind] += granted
        try:
            yield granted
        finally:
            with self._lock:
                self._open[kind] -= granted

    def process_request(self, request: Any, client_address: Any) -> None:
        """Hangs up where so many connections are open that more would cost the loop its memory."""
        if self._connections.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._connections.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A viewer who hangs up is no fault."""


SEND_TIMEOUT_S = 10.0  # a viewer that takes nothing for so long is let go
HEARTBEAT_S = 5.0  # a line without meaning, so that a viewer who has gone is noticed
BOUNDARY = "frame"
_FOLDER = Path(__file__).with_name("page")
_STATIC = {
    "/": ("index.html", "text/html; charset=utf-8"),
    "/page.css": ("page.css", "text/css; charset=utf-8"),
    "/page.js": ("page.js", "text/javascript; charset=utf-8"),
}
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; img-src 'self' data:; style-src 'self'; "
    "script-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class Handler(BaseHTTPRequestHandler):
    """Answers GET alone; nothing that a viewer sends changes anything."""

    server: PageServer  # type: ignore[assignment]
    server_version = "fer-edge"
    sys_version = ""
    timeout = SEND_TIMEOUT_S

    def do_GET(self) -> None:
        """The page and what it shows; 403 without the right, 404 for all else."""
        address = urlsplit(self.path)
        token = parse_qs(address.query).get("token", [None])[0]
        host, cookies = self.headers.get("Host", ""), self.headers.get("Cookie", "")
        if not self.server.access.allows(host, cookies, token):
            self._whole(b"this page needs the address with its token\n", HTTPStatus.FORBIDDEN)
        elif token is not None and address.path == "/":
            self._keep_token(token)
        elif address.path in _STATIC:
            name, kind = _STATIC[address.path]
            self._whole((_FOLDER / name).read_bytes(), kind=kind)
        elif address.path == "/video.mjpg":
            self._stream("video", f"multipart/x-mixed-replace; boundary={BOUNDARY}")
        elif address.path == "/events":
            self._stream("events", "text/event-stream; charset=utf-8")
        elif address.path == "/state.json":
            latest = self.server.state.take(-1, 0)
            self._whole((latest[1] if latest else "{}").encode(), kind="application/json")
        else:
            self._whole(b"nothing here\n", HTTPStatus.NOT_FOUND)

    def _keep_token(self, token: str) -> None:
        self.send_response(HTTPStatus.SEE_OTHER)
        self.send_header("Set-Cookie", f"{COOKIE}={token}; HttpOnly; SameSite=Strict; Path=/")
        self.send_header("Location", "/")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _whole(
        self, body: bytes, status: HTTPStatus = HTTPStatus.OK, kind: str = "text/plain; charset=utf-8"
    ) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _stream(self, kind: str, content_type: str) -> None:
        with self.server.a_viewer(kind) as granted:
            if not granted:
                self._whole(b"too many viewers\n", HTTPStatus.SERVICE_UNAVAILABLE)
                return
            # A short queue in the system: a slow viewer gets fewer pictures, not older ones.
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 17)
            self.send_response(HTTPStatus.OK)
            self.send_header("Content-Type", content_type)
            self.end_headers()
            if kind == "video":
                self._pictures()
            else:
                self._states()

    def _pictures(self) -> None:
        number, jpeg = -1, b""
        while not self.server.jpeg.closed:
            taken = self.server.jpeg.take(number, HEARTBEAT_S)
            if taken is not None:
                number, jpeg = taken
            if jpeg:  # the last one again where none is new
                head = f"--{BOUNDARY}\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
                self.wfile.write(head.encode() + jpeg + b"\r\n")

    def _states(self) -> None:
        number = -1
        while not self.server.state.closed:
            taken = self.server.state.take(number, HEARTBEAT_S)
            if taken is None:
                self.wfile.write(b": still here\n\n")
            else:
                number, state = taken
                self.wfile.write(f"data: {state}\n\n".encode())
        with contextlib.suppress(OSError):
            self.wfile.write(b"event: end\ndata: \n\n")

    def end_headers(self) -> None:
        """The headers that every answer has."""
        for name, value in _HEADERS.items():
            self.send_header(name, value)
        super().end_headers()

    def log_message(self, format: str, *values: Any) -> None:
        """The terminal is for the run's own lines."""


COOKIE = "fer_edge_token"
SHORTEST_TOKEN = 8
LOCAL_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True)
class Access:
    """host: the address to listen on. token: None on loopback, where it is not needed."""

    host: str
    token: str | None = None

    def allows(self, host: str, cookies: str, query_token: str | None) -> bool:
        """Whether a request may be answered. host, cookies: its headers Host and Cookie, empty for none.

        Without a token, requests must be for a local name: a foreign site whose name was made to point
        to this machine (DNS rebinding) is turned away.
        """
        if self.token is None:
            return _host_name(host) in LOCAL_NAMES | {self.host.lower()}
        given = query_token if query_token is not None else _cookie(cookies)
        return same_in_constant_time((given or "").encode(), self.token.encode())


def chosen(host: str, token: str | None) -> Access:
    """Access for `--web-host` and `--web-token`: beyond loopback one is drawn if none is given.

    Raises UsageError for a host that has no address here and for a token that is easily guessed.
    """
    if token is not None and (len(token) < SHORTEST_TOKEN or not token.isalnum() or not token.isascii()):
        raise UsageError(f"--web-token: at least {SHORTEST_TOKEN} letters and digits")
    if token is None and not is_loopback(host):
        token = os.urandom(16).hex()
    return Access(host, token)


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches that address. Raises UsageError if it is none."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise UsageError(f"--web-host {host}: there is no such address") from error
    return all(ipaddress.ip_address(entry[4][0]).is_loopback for entry in found)


def _host_name(header: str) -> str:
    name = header.strip().lower()
    if name.startswith("["):
        return name[1:].split("]", maxsplit=1)[0]
    return name.rsplit(":", maxsplit=1)[0] if ":" in name else name


def _cookie(header: str) -> str | None:
    try:
        morsel = SimpleCookie(header).get(COOKIE)
    except CookieError:
        return None
    return morsel.value if morsel else None
