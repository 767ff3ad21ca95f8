"""The display beside the loop: whatever was put last is shown, and showing never waits for work."""

from __future__ import annotations

import threading
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

REFRESH_MS = 15
QUIT = 27  # Escape
QUIT_KEYS = frozenset((ord("q"), ord("Q"), QUIT))


class WindowLike(Protocol):
    """What the screen needs of a window; `window.Window` is one, tests have others."""

    def show(self, picture: NDArray[np.uint8]) -> None:
        """Shows a picture."""

    def key(self, wait_ms: int) -> int | None:
        """Lets the window live for `wait_ms`; the key that was pressed, QUIT if the window was closed."""

    def close(self) -> None:
        """Closes it."""


class Screen:
    """`put` from any thread; `refresh`, `hold` and `close` from the main one."""

    def __init__(self, window: WindowLike) -> None:
        self._window = window
        self._lock = threading.Lock()
        self._picture: NDArray[np.uint8] | None = None
        self._is_new = False

    def put(self, picture: NDArray[np.uint8]) -> None:
        """Keeps a copy in place of the last picture."""
        with self._lock:
            if self._picture is None or self._picture.shape != picture.shape:
                self._picture = np.empty_like(picture)
            np.copyto(self._picture, picture)
            self._is_new = True

    def refresh(self) -> bool:
        """Shows what is new and lets the window live for a moment; True to end the run."""
        return self._key() in QUIT_KEYS

    def hold(self, stop: threading.Event) -> None:
        """Shows a picture that stands alone until a key is pressed; q or Escape ends the run."""
        while not stop.is_set():
            key = self._key()
            if key in QUIT_KEYS:
                stop.set()
            elif key is not None:
                return

    def _key(self) -> int | None:
        with self._lock:
            if self._is_new and self._picture is not None:
                self._window.show(self._picture)
                self._is_new = False
        return self._window.key(REFRESH_MS)

    def close(self) -> None:
        """Closes the window."""
        self._window.close()
