"""The window, where there is a display."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fer_edge.errors import FerEdgeError
from fer_edge.sources.newest import Newest
from fer_edge.vision.opencv import cv2

TITLE = "fer-edge (q: quit)"
REFRESH_MS = 15
QUIT = 27  # Escape
QUIT_KEYS = frozenset((ord("q"), ord("Q"), QUIT))


def why_no_window(environment: Mapping[str, str] = os.environ, platform: str = sys.platform) -> str | None:
    """None if a window can be opened, else the reason.

    Qt ends the whole process where it cannot connect, and nothing catches that; so another process
    tries it first.
    """
    displays = environment.get("DISPLAY"), environment.get("WAYLAND_DISPLAY")
    if platform.startswith("linux") and not any(displays):
        return "there is no display (DISPLAY and WAYLAND_DISPLAY are not set)"
    from fer_edge import child

    try:
        child.run(open_and_close, what="the window", timeout_s=20, environment=environment)
    except FerEdgeError as error:
        if "not implemented" in str(error):
            return "this OpenCV is built without windows (opencv-python-headless)"
        return "the display cannot be used"
    return None


def open_and_close() -> None:
    """A window, to see whether that is possible."""
    cv2.namedWindow("probe")
    cv2.waitKey(1)
    cv2.destroyAllWindows()


class Screen:
    """Shows pictures and hears keys. `put` from any thread, all else from the main one.

    window: OpenCV, or whatever has its functions for windows.
    """

    def __init__(self, window: Any = cv2) -> None:
        self._window = window
        self._pictures = Newest[NDArray[np.uint8]]()
        self._shown = -1
        self.close = window.destroyAllWindows
        window.namedWindow(TITLE, cv2.WINDOW_NORMAL | cv2.WINDOW_KEEPRATIO)

    def put(self, picture: NDArray[np.uint8]) -> None:
        """Keeps a copy in place of the last picture."""
        self._pictures.put(picture.copy())

    def refresh(self) -> int | None:
        """Shows what is new and lets the window live for a moment; the key pressed, QUIT if it was closed."""
        taken = self._pictures.take(self._shown, 0)
        if taken is not None:
            if self._shown < 0:
                self._window.resizeWindow(TITLE, taken[1].shape[1], taken[1].shape[0])
            self._shown, picture = taken
            self._window.imshow(TITLE, picture)
        pressed = self._window.waitKey(REFRESH_MS)
        if self._window.getWindowProperty(TITLE, cv2.WND_PROP_VISIBLE) < 1:
            return QUIT
        return None if pressed == -1 else pressed & 0xFF

    def hold(self, stop: threading.Event) -> None:
        """Shows a picture that stands alone until a key is pressed; q or Escape ends the run."""
        while not stop.is_set():
            key = self.refresh()
            if key in QUIT_KEYS:
                stop.set()
            elif key is not None:
                return
