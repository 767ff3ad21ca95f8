"""A page of the target `web` run in a headless Chromium here, served from loopback, and what it reports."""

from __future__ import annotations

import http.server
import json
import queue
import shutil
import subprocess
import tempfile
import threading
import urllib.parse
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fer_edge.errors import FerEdgeError, ModelError

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
_TIMEOUT_S = 600.0
_OPTIONS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--mute-audio"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)


def find() -> str | None:
    """The path of a Chromium, None where there is none."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


def version() -> str:
    """What the Chromium found here calls itself. Raises FerEdgeError where there is none."""
    done = subprocess.run([_browser(), "--version"], capture_output=True, text=True, check=False)
    return done.stdout.strip().split(" built", maxsplit=1)[0]


def _browser() -> str:
    browser = find()
    if browser is None:
        raise FerEdgeError(f"no Chromium is installed here ({', '.join(NAMES)})")
    return browser


def probabilities(page: bytes, faces: NDArray[np.uint8]) -> NDArray[np.float32]:
    """What the page gives for faces uint8 (N, height, width): float32 (N, labels). Raises as `report`."""
    return np.asarray(report(page, faces)["faces"], np.float32)


def report(page: bytes, faces: NDArray[np.uint8] | None = None, **parameters: str) -> dict[str, Any]:
    """Opens the page and gives what it posts: `check`, and for `faces` uint8 (N, height, width) `faces`.

    parameters: `picture`, a path here whose file is served to the page, and `square` x,y,side.
    Raises FerEdgeError without a Chromium, ModelError if the page fails or stays silent.
    """
    browser = _browser()
    served = {"/": ("text/html", page)}
    asked = {"report": "/report"}
    if faces is not None:
        served["/faces"] = ("application/octet-stream", faces.tobytes())
        asked["faces"] = "/faces"
    if "picture" in parameters:
        served["/picture"] = ("application/octet-stream", Path(parameters.pop("picture")).read_bytes())
        asked["picture"] = "/picture"
    answers: queue.Queue[bytes] = queue.Queue()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _handler(served, answers))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}/?{urllib.parse.urlencode({**asked, **parameters})}"
    try:
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
            result = _posted(browser, url, profile, answers)
    finally:
        server.shutdown()
        server.server_close()
    if "error" in result:
        raise ModelError(f"the page cannot run it: {result['error']}")
    return result


def _posted(browser: str, url: str, profile: str, answers: queue.Queue[bytes]) -> dict[str, Any]:
    command = [browser, *_OPTIONS, f"--user-data-dir={profile}", url]
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        result: dict[str, Any] = json.loads(answers.get(timeout=_TIMEOUT_S))
    except queue.Empty as error:
        raise ModelError(f"the page said nothing within {_TIMEOUT_S:.0f} s") from error
    finally:
        child.terminate()
        child.wait()
    return result


def _handler(
    served: dict[str, tuple[str, bytes]], answers: queue.Queue[bytes]
) -> type[http.server.BaseHTTPRequestHandler]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            kind, body = served.get(self.path.partition("?")[0], ("text/plain", b""))
            self.send_response(200 if body else 404)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self) -> None:
            answers.put(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(204)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            pass

    return Handler
