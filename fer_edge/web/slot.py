"""The newest value, for any number of readers: who writes never waits, who is slow misses some."""

from __future__ import annotations

import threading
from typing import Generic, TypeVar

T = TypeVar("T")


class Slot(Generic[T]):
    """Values are numbered from 0 as they come. closed: no more will come."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._number = -1
        self._value: T | None = None
        self.closed = False

    def put(self, value: T) -> None:
        """Takes the place of the last value."""
        with self._changed:
            self._number += 1
            self._value = value
            self._changed.notify_all()

    def take(self, after: int, timeout_s: float) -> tuple[int, T] | None:
        """The newest value and its number once that is above `after`; None if none came in time."""
        with self._changed:
            self._changed.wait_for(lambda: self._number > after or self.closed, timeout_s)
            if self._number > after and self._value is not None:
                return self._number, self._value
            return None

    def close(self) -> None:
        """Lets every reader go on."""
        with self._changed:
            self.closed = True
            self._changed.notify_all()
