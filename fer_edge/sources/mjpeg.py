"""Motion JPEG: from a pipe (`rpicam-vid --codec mjpeg -o - | fer-edge run -`) or a camera's HTTP."""

import contextlib
import re
from pathlib import Path
from typing import Any

from fer_edge.errors import SourceError
from fer_edge.pictures import decode, kind_of
from fer_edge.sources import Capture, without_password
from fer_edge.vision.frames import Frame

TIMEOUT_S = 5.0  # of a connection and of each read
CHUNK = 1 << 16
LONGEST = 1 << 25  # bytes without the end of a picture: this is no MJPEG
_START, _END, _SCAN = b"\xff\xd8\xff", 0xD9, 0xDA
_WITHOUT_LENGTH = frozenset({0x01, *range(0xD0, 0xD8)})
_NEXT_MARKER = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]", re.DOTALL)  # in a scan: what ends it
_OTHERS = {
    "H.264 or H.265": rb"\x00\x00(\x00)?\x01[\x67\x27\x09\x06\x40\x42\x26]",
    "an MPEG transport stream": rb"G.{187}G",
    "text": rb"[\t\n\r -~]{16}",
}


class MjpegPipe(Capture):
    """JPEGs one after another, whatever is between them; live, so only the newest counts.

    stream: bytes, a named pipe, or a descriptor: 0 is standard input. ends: whether the end of the stream
    ends the run, rather than being a lost connection.
    """

    is_live = True

    def __init__(self, stream: Any, name: str = "standard input", *, ends: bool = True) -> None:
        super().__init__(name)
        self._stream = stream
        self._ends = ends
        self.reopens = not ends
        self._bytes = bytearray()
        self._came, self._head, self._read = 0, b"", 0

    def open(self) -> None:
        """Raises SourceError if it cannot be read."""
        try:
            if isinstance(self._stream, Path | int):
                self._stream = open(self._stream, "rb", buffering=0, closefd=self._stream != 0)  # noqa: SIM115
        except OSError as error:
            raise SourceError(f"cannot read {self.name}: {error.strerror}") from error

    def read(self) -> Frame | None:
        """The next picture that decodes; None at the end. Raises SourceError if it ends without a picture."""
        data = self._bytes
        with contextlib.suppress(EOFError):
            while True:
                while (start := data.find(_START)) < 0:
                    del data[:-2]
                    self._more()
                del data[:start]
                end, is_whole = self._walk()
                jpeg = bytes(data[:end])
                del data[:end]
                if is_whole:
                    with contextlib.suppress(SourceError):
                        picture = decode(jpeg)
                        self._read += 1
                        return Frame(picture, 0.0, self.name)
                self.unreadable += 1
        self.ended = self._ends
        if self._ends and not self._read:
            raise SourceError(f"{self.name} ended without a JPEG picture: {self._what_came()}")
        return None

    def _walk(self) -> tuple[int, bool]:
        """The picture's end, by the lengths of its segments, since it may hold a thumbnail; or where the next
        one may begin, and False. Raises EOFError if the stream ends first."""
        data, at = self._bytes, 2
        while True:
            while len(data) < at + 2:
                self._more()
            marker = data[at + 1]
            if data[at] != 0xFF or marker in (0x00, 0xD8):
                return at, False
            if marker == _END:
                return at + 2, True
            if marker == 0xFF:
                at += 1
            elif marker in _WITHOUT_LENGTH:
                at += 2
            else:
                while len(data) < at + 4:
                    self._more()
                at += 2 + int.from_bytes(data[at + 2 : at + 4])
            if marker == _SCAN:
                while not (found := _NEXT_MARKER.search(data, at)):
                    at = max(at, len(data) - 1)
                    self._more()
                at = found.start()

    def _more(self) -> None:
        """Reads what there is. Raises EOFError at the end, SourceError if no picture comes to an end."""
        if max(len(self._bytes), 0 if self._read else self._came) > LONGEST:
            raise SourceError(f"{self.name} is not motion JPEG: {self._what_came()}")
        read = getattr(self._stream, "read1", None) or self._stream.read
        try:
            chunk = read(CHUNK)
        except Exception:  # a connection that broke off, with one of http.client's own; a closed file
            chunk = b""
        self._came += len(chunk)
        self._head = (self._head + chunk[:256])[:256]
        self._bytes += chunk
        if not chunk:
            raise EOFError

    def _what_came(self) -> str:
        kind = kind_of(self._head) or kind_of(self._head, _OTHERS)
        return f"{self._came or 'no'} bytes came" + (f", which look like {kind}" if kind else "")

    def close(self) -> None:
        """Closes the connection, but not standard input itself."""
        if not isinstance(self._stream, Path | int):
            with contextlib.suppress(OSError):
                self._stream.close()


def from_http(url: str) -> tuple[MjpegPipe | None, bool]:
    """A camera's endless JPEGs at an address, None if the answer is something else; and whether the answer
    has a length. Raises SourceError if there is no answer, or a refusal."""
    import base64
    import http.client
    import urllib.error
    import urllib.request
    from urllib.parse import unquote, urlsplit

    name = without_password(url)
    address = urlsplit(url)
    request = urllib.request.Request(address._replace(netloc=address.netloc.rpartition("@")[2]).geturl())
    if address.username:
        words = f"{unquote(address.username)}:{unquote(address.password or '')}"
        request.add_unredirected_header("Authorization", f"Basic {base64.b64encode(words.encode()).decode()}")
    try:
        answer = urllib.request.urlopen(request, timeout=TIMEOUT_S)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == 401 and address.username:
            return None, False  # another way to give the password, which FFmpeg may know
        raise SourceError(f"no stream at {name}: the server answered {error.code} {error.reason}") from error
    except (http.client.HTTPException, ValueError):
        return None, False
    except OSError as error:
        reason = getattr(error, "reason", None) or error
        raise SourceError(f"no stream at {name}: {reason}; is the server reachable?") from error
    kind = answer.headers.get_content_type()
    if kind.startswith("multipart/") or kind in ("image/jpeg", "video/x-motion-jpeg"):
        return MjpegPipe(answer, name, ends=kind == "image/jpeg" and answer.length is not None), False
    answer.close()
    if kind in ("text/html", "application/json"):
        raise SourceError(f"no stream at {name}: the server answered with {kind}")
    return None, answer.length is not None
