"""The page's server: read only, for this machine or whoever has the token; one thread a viewer.

On bare sockets: what is read of a stranger is one head of bounded size within a bounded time.
"""

from __future__ import annotations

import contextlib
import ipaddress
import os
import socket
import socketserver
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from fer_edge.errors import OutputError, UsageError
from fer_edge.files import sha256_of
from fer_edge.sources.newest import Newest

COOKIE = "fer_edge_token"
SHORTEST_TOKEN = 8
LOCAL_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
EVERYWHERE = frozenset({"0.0.0.0", "::"})
MAX_VIEWERS = 4
HEAD_BYTES, HEAD_TIMEOUT_S = 8192, 5.0
SEND_TIMEOUT_S = 10.0  # a viewer that takes nothing for so long is let go
HEARTBEAT_S = 5.0  # a line without meaning, so that a viewer who has gone is noticed
BOUNDARY = "frame"
_TEXT = "text/plain; charset=utf-8"
_FOLDER = Path(__file__).with_name("page")
_STATIC = {
    "/": ("index.html", "text/html; charset=utf-8"),
    "/page.css": ("page.css", "text/css; charset=utf-8"),
    "/page.js": ("page.js", "text/javascript; charset=utf-8"),
}
_HEADERS = {
    "Cache-Control": "no-store",
    "Connection": "close",
    "Content-Security-Policy": "default-src 'none'; img-src 'self' data:; style-src 'self'; "
    "script-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


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
        # How long it takes to compare two hashes tells nothing of the token.
        return sha256_of(given.encode(errors="replace")) == sha256_of(self.token.encode())


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


def _cookie(header: str) -> str:
    pairs = (part.strip().partition("=") for part in header.split(";"))
    return next((value for name, _, value in pairs if name == COOKIE), "")


class PageServer(socketserver.ThreadingTCPServer):
    """Serves the newest values. jpeg: whole pictures. state: JSON texts of one line.

    watching: how many look at the video now. url: where to look, with the token. Raises OutputError if the
    port cannot be had; port 0 takes a free one.
    """

    allow_reuse_address = True
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
        self.lock = threading.Lock()
        self._open = {"video": 0, "events": 0}
        self._most = 2 * max_viewers + 16
        self.connections: dict[Any, bool] = {}  # whether the head has been read, the oldest first
        self.address_family = socket.AF_INET6 if ":" in access.host else socket.AF_INET
        try:
            super().__init__((access.host, port), Handler)
        except OSError as error:
            where = f"{access.host}:{port}: {error.strerror or error}"
            raise OutputError(f"cannot serve the page on {where}; choose another port") from error
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
        with self.lock:
            granted = self._open[kind] < self.max_viewers
            self._open[kind] += granted
        try:
            yield granted
        finally:
            with self.lock:
                self._open[kind] -= granted

    def process_request(self, request: Any, client_address: Any) -> None:
        """With so many open that more would cost the loop its memory, the one hung up on is who has been
        longest about its head, or else the new one."""
        with self.lock:
            if len(self.connections) >= self._most:
                slowest = next((one for one, is_read in self.connections.items() if not is_read), None)
                if slowest is None:
                    self.shutdown_request(request)
                    return
                del self.connections[slowest]
                with contextlib.suppress(OSError):
                    slowest.shutdown(socket.SHUT_RDWR)
            self.connections[request] = False
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            with self.lock:
                self.connections.pop(request, None)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A viewer who hangs up is no fault."""


class Handler(socketserver.BaseRequestHandler):
    """Answers GET and HEAD alone; nothing that a viewer sends changes anything."""

    server: PageServer

    def handle(self) -> None:
        """The page and what it shows; 403 without the right, 404 for all else."""
        head = self._head()
        if head is None:
            return
        with self.server.lock:
            if self.request in self.server.connections:
                self.server.connections[self.request] = True
        self.request.settimeout(SEND_TIMEOUT_S)
        words, headers = head
        self._bodiless = words[:1] == ["HEAD"]
        if len(words) != 3 or not words[2].startswith("HTTP/"):
            self._whole(b"no HTTP\n", 400)
        elif words[0] not in ("GET", "HEAD"):
            self._whole(b"this page can only be looked at\n", 501)
        else:
            self._answer(words[1], headers)

    def _head(self) -> tuple[list[str], Mapping[str, str]] | None:
        """The request line's words and the headers by lower-case names; None if they do not come in time."""
        end_s, data = time.monotonic() + HEAD_TIMEOUT_S, b""
        while b"\r\n\r\n" not in data and b"\n\n" not in data:
            left_s = end_s - time.monotonic()
            if left_s <= 0:
                return None
            self.request.settimeout(left_s)
            chunk = self.request.recv(HEAD_BYTES)
            if not chunk:
                return None
            data += chunk
            if len(data) > HEAD_BYTES:
                self._bodiless = False
                self._whole(b"too long\n", 431)
                return None
        first, *lines = data.decode("latin-1").splitlines()
        pairs = (line.partition(":") for line in lines)
        return first.split(), {name.strip().lower(): value.strip() for name, _, value in pairs}

    def _answer(self, target: str, headers: Mapping[str, str]) -> None:
        try:
            address = urlsplit(target)
            token = parse_qs(address.query).get("token", [None])[0]
        except ValueError:
            self._whole(b"no address\n", 400)
            return
        if not self.server.access.allows(headers.get("host", ""), headers.get("cookie", ""), token):
            self._whole(b"this page needs the address with its token\n", 403)
        elif token is not None and address.path == "/":
            cookie = f"{COOKIE}={token}; HttpOnly; SameSite=Strict; Path=/"
            self._whole(b"", 303, more={"Set-Cookie": cookie, "Location": "/"})
        elif address.path in _STATIC:
            name, kind = _STATIC[address.path]
            self._whole((_FOLDER / name).read_bytes(), kind=kind)
        elif address.path == "/video.mjpg":
            self._stream("video", f"multipart/x-mixed-replace; boundary={BOUNDARY}")
        elif address.path == "/events":
            self._stream("events", "text/event-stream; charset=utf-8")
        elif address.path in ("/state", "/state.json"):
            latest = self.server.state.take(-1, 0)
            self._whole((latest[1] if latest else "{}").encode(), kind="application/json")
        else:
            self._whole(b"nothing here\n", 404)

    def _whole(
        self, body: bytes, status: int = 200, kind: str = _TEXT, more: Mapping[str, str] | None = None
    ) -> None:
        self._begin(status, {"Content-Type": kind, "Content-Length": str(len(body)), **(more or {})})
        if not self._bodiless:
            self.request.sendall(body)

    def _begin(self, status: int, headers: Mapping[str, str]) -> None:
        lines = [f"HTTP/1.0 {status} {HTTPStatus(status).phrase}", "Server: fer-edge"]
        lines += [f"{name}: {value}" for name, value in {**headers, **_HEADERS}.items()]
        self.request.sendall("\r\n".join([*lines, "\r\n"]).encode())

    def _stream(self, kind: str, content_type: str) -> None:
        with self.server.a_viewer(kind) as granted:
            if not granted:
                self._whole(b"too many viewers\n", 503)
                return
            # A short queue in the system: a slow viewer gets fewer pictures, not older ones.
            self.request.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 17)
            self._begin(200, {"Content-Type": content_type})
            if self._bodiless:
                return
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
                self.request.sendall(head.encode() + jpeg + b"\r\n")

    def _states(self) -> None:
        number = -1
        while not self.server.state.closed:
            taken = self.server.state.take(number, HEARTBEAT_S)
            if taken is None:
                self.request.sendall(b": still here\n\n")
            else:
                number, state = taken
                self.request.sendall(f"data: {state}\n\n".encode())
        with contextlib.suppress(OSError):
            self.request.sendall(b"event: end\ndata: \n\n")
