"""The page as a sink: keeps the newest picture and state for whoever looks, and never waits for them."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fer_edge import machine
from fer_edge.files import to_json
from fer_edge.sinks.server import MAX_VIEWERS, Access, PageServer
from fer_edge.sources.newest import Newest
from fer_edge.vision.frames import Face, FrameResult
from fer_edge.vision.opencv import cv2
from fer_edge.vision.overlay import hex_color

STATE_EVERY_S = 0.2
PICTURE_EVERY_S = 1 / 15
JPEG_QUALITY = 80
MAX_WIDTH_PX = 960  # wider pictures are reduced: the network is slower than the loop


class WebPage:
    """Serves from its creation to `close`; `url` says where. Raises OutputError if the port is taken."""

    wants_picture = has_bars = True

    def __init__(
        self, access: Access, port: int, labels: tuple[str, ...], max_viewers: int = MAX_VIEWERS
    ) -> None:
        self._labels = labels
        self._colors = {label: hex_color(label) for label in (*labels, None)}
        self._jpeg, self._state = Newest[bytes](), Newest[str]()
        self._server = PageServer(access, port, self._jpeg, self._state, max_viewers)
        self.url = self._server.url
        self._pictures = Newest[NDArray[np.uint8]]()
        self._encoded = -1  # the number of the last picture that was
        self._next_state_s = 0.0
        self._rate = Rate()
        self._faces: tuple[Face, ...] = ()
        self._encoder = threading.Thread(target=self._encode, daemon=True)
        self._encoder.start()

    @property
    def asleep(self) -> bool:
        """Nobody looks at the video: nothing need be drawn."""
        return not self._server.watching

    def write(self, result: FrameResult, annotated: NDArray[np.uint8] | None) -> None:
        """Copies what is shown; making JPEGs of it and sending them is for other threads."""
        now_s = time.monotonic()
        self._rate.tick(now_s)
        if result.analysed:
            self._faces = result.faces  # the frames passed over (`--every`) keep them
        if now_s >= self._next_state_s:
            self._next_state_s = now_s + STATE_EVERY_S
            self._state.put(to_json(self._described(result)))
        if annotated is not None and self._pictures.number == self._encoded:
            self._pictures.put(_reduced(annotated))

    def _described(self, result: FrameResult) -> dict[str, Any]:
        memory_mib = machine.rss_mib()
        return {
            "source": result.frame.source if "://" in result.frame.source else Path(result.frame.source).name,
            "frame": result.index,
            "time_s": round(result.frame.time_s, 3),
            "fps": round(self._rate.per_second, 1),
            "memory_mib": memory_mib and round(memory_mib, 1),
            "labels": list(self._labels),
            "colors": [self._colors[label] for label in self._labels],
            "uncertain_color": self._colors[None],
            "faces": [_face(face) for face in self._faces],
        }

    def _encode(self) -> None:
        while not self._jpeg.closed:
            taken = self._pictures.take(self._encoded, 1.0)
            if taken is None:
                continue
            start_s = time.monotonic()
            self._encoded, picture = taken
            ok, jpeg = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
            if ok:
                self._jpeg.put(jpeg.tobytes())
            time.sleep(max(0.0, PICTURE_EVERY_S - (time.monotonic() - start_s)))

    def close(self) -> None:
        """Ends every viewer's stream."""
        self._server.stop()


class Rate:
    """Events a second over the last seconds: an average in which half a second weighs one half."""

    def __init__(self) -> None:
        self.per_second = 0.0
        self._last_s: float | None = None
        self._interval_s: float | None = None

    def tick(self, now_s: float) -> None:
        """An event happened at `now_s`, in seconds of any clock."""
        if self._last_s is not None:
            elapsed_s = max(now_s - self._last_s, 1e-6)
            past = 0.5 ** (elapsed_s / 0.5) if self._interval_s else 0.0
            self._interval_s = past * (self._interval_s or 0.0) + (1 - past) * elapsed_s
            self.per_second = 1 / self._interval_s
        self._last_s = now_s


def _face(face: Face) -> dict[str, Any]:
    return {
        "track": int(face.track),
        "label": face.label,
        "confidence": round(float(face.confidence), 4),
        "box_xywh": [int(side) for side in face.box_xywh],
        "shares": [round(float(share), 4) for share in face.smoothed],
    }


def _reduced(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    height, width = picture.shape[:2]
    if width <= MAX_WIDTH_PX:
        return picture.copy()
    size = (MAX_WIDTH_PX, max(1, round(height * MAX_WIDTH_PX / width)))
    return cv2.resize(picture, size, interpolation=cv2.INTER_AREA)  # type: ignore[return-value]
