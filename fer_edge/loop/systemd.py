"""Signs of life for systemd (`Type=notify`, `WatchdogSec=`), which restarts a service that hangs.

Its protocol is a datagram to a socket (sd_notify(3)); without NOTIFY_SOCKET nothing is sent.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Mapping


class Watchdog:
    """`ready` once the run has begun, `beat` whenever the loop goes round."""

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        address = environment.get("NOTIFY_SOCKET", "")
        self._address = "\0" + address[1:] if address.startswith("@") else address
        usec = environment.get("WATCHDOG_USEC", "")
        # A third of what systemd waits, so that two datagrams may be late.
        self._every_s = int(usec) / 3e6 if usec.isdecimal() else None
        self._next_s = 0.0

    def ready(self) -> None:
        """The run has begun."""
        self._send(b"READY=1")

    def beat(self) -> None:
        """The loop is alive; costs nothing more than a look at the clock most of the time."""
        if not self._address or self._every_s is None:
            return
        now_s = time.monotonic()
        if now_s >= self._next_s:
            self._next_s = now_s + self._every_s
            self._send(b"WATCHDOG=1")

    def _send(self, message: bytes) -> None:
        if not self._address:
            return
        import socket

        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as out:
            out.sendto(message, self._address)
