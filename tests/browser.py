"""A page of the target `web` run in a headless Chromium here, served from loopback, and what it reports."""

import contextlib
import http.server
import json
import queue
import shutil
import subprocess
import tempfile

from loop_fakes import served

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
OPTIONS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--mute-audio"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)


def find():
    return next((path for name in NAMES if (path := shutil.which(name))), None)


def report(page, faces, picture=b""):
    """Opens the page and gives what it posts: `check`, `faces` of faces uint8 (N, height, width), and
    `squares` and `detected` of a picture's file."""
    contents = {"/": page, "/faces": faces.tobytes(), "/picture": picture}
    answers = queue.Queue()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            body = contents.get(self.path.partition("?")[0], b"")
            self.send_response(200 if body else 404)
            self.send_header("Content-Type", "text/html" if body is page else "application/octet-stream")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self):
            answers.put(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(204)
            self.end_headers()

    asked = "report=/report&faces=/faces" + "&picture=/picture" * bool(picture)
    with served(Handler) as server, opened(f"http://127.0.0.1:{server.server_port}/?{asked}"):
        result = json.loads(answers.get(timeout=600))
    assert "error" not in result, result
    return result


@contextlib.contextmanager
def opened(url):
    """Chromium shows it meanwhile."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        command, silent = [find(), *OPTIONS, f"--user-data-dir={profile}", url], subprocess.DEVNULL
        child = subprocess.Popen(command, stdout=silent, stderr=silent)
        try:
            yield
        finally:
            child.terminate()
            child.wait()
