"""The page's server: Python's own, one thread a viewer, all of them waiting on the newest value."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from http.server import ThreadingHTTPServer
from typing import Any

from fer_edge.errors import OutputError
from fer_edge.web.access import Access
from fer_edge.web.handler import Handler
from fer_edge.web.slot import Slot

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
        self, access: Access, port: int, jpeg: Slot[bytes], state: Slot[str], max_viewers: int = MAX_VIEWERS
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
