"""The window, if there is a display."""

import os
import sys
import threading
from typing import Any

from fer_edge.errors import FerEdgeError
from fer_edge.sinks import PictureSink
from fer_edge.sources.newest import Newest
from fer_edge.vision.frames import Frame, Picture
from fer_edge.vision.opencv import cv2

TITLE = "fer-edge (q: quit)"
REFRESH_MS = 15
QUIT = 27  # Escape
QUIT_KEYS = frozenset((ord("q"), ord("Q"), QUIT))


def why_no_window() -> str | None:
    """None if a window can be opened, else the reason.

    If Qt cannot connect, it ends the whole process, which cannot be caught. So another tries it first.
    """
    displays = os.environ.get("DISPLAY"), os.environ.get("WAYLAND_DISPLAY")
    if sys.platform.startswith("linux") and not any(displays):
        return "there is no display (DISPLAY and WAYLAND_DISPLAY are not set)"
    from fer_edge import child

    try:
        child.run(open_and_close, what="the window", timeout_s=20)
    except FerEdgeError:
        return "the display cannot be used, or this OpenCV has no windows (opencv-python-headless)"
    return None


def open_and_close() -> None:
    """Opens a window, to see whether that works."""
    cv2.namedWindow("probe")
    cv2.waitKey(1)
    cv2.destroyAllWindows()


class Screen(PictureSink):
    """Shows pictures and reads keys. `show` may be called from any thread, the rest from the main thread.

    window: OpenCV, or anything with its window functions.
    """

    def __init__(self, window: Any = cv2) -> None:
        self._window = window
        self._pictures = Newest[Picture]()
        self._shown = -1
        window.namedWindow(TITLE, cv2.WINDOW_NORMAL | cv2.WINDOW_KEEPRATIO)

    def show(self, frame: Frame, annotated: Picture) -> None:
        self._pictures.put(annotated.copy())

    def refresh(self) -> int | None:
        """Shows the newest picture and handles events; returns the key pressed, QUIT if closed."""
        taken = self._pictures.take(self._shown, 0)
        if taken is not None:
            if self._shown < 0:
                self._window.resizeWindow(TITLE, taken[1].shape[1], taken[1].shape[0])
            self._shown, picture = taken
            self._window.imshow(TITLE, picture)
        pressed = self._window.waitKeyEx(REFRESH_MS)  # waitKey has Q for the left arrow
        if self._window.getWindowProperty(TITLE, cv2.WND_PROP_VISIBLE) < 1:
            return QUIT
        return None if pressed == -1 else pressed & 0xFFFF

    def hold(self, stop: threading.Event) -> None:
        """Shows a single picture until a key is pressed; q or Escape ends the run."""
        while not stop.is_set():
            key = self.refresh()
            if key in QUIT_KEYS:
                stop.set()
            elif key is not None:
                return

    def close(self) -> None:
        self._window.destroyAllWindows()
