"""What is answered to a request: the page, its parts, the streams."""

from __future__ import annotations

import contextlib
import socket
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from fer_edge.web.access import COOKIE

if TYPE_CHECKING:
    from fer_edge.web.server import PageServer

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
