"""Who may see the page: this machine alone, or whoever holds the token."""

from __future__ import annotations

import ipaddress
import os
import socket

# Where `hmac.compare_digest` comes from; `hmac` itself would load OpenSSL.
from _operator import _compare_digest as same_in_constant_time
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie

from fer_edge.errors import UsageError

COOKIE = "fer_edge_token"
SHORTEST_TOKEN = 8
LOCAL_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True)
class Access:
    """host: the address to listen on. token: None on loopback, where it is not needed."""

    host: str
    token: str | None = None

    def allows(self, host: str, cookies: str, query_token: str | None) -> bool:
        """Whether a request may be answered. host, cookies: its headers Host and Cookie, empty for none.

        Without a token, requests must be for a local name: a foreign site whose name was made to point
        to this machine (DNS rebinding) is turned away.
        """
        if self.token is None:
            return _host_name(host) in LOCAL_NAMES | {self.host.lower()}
        given = query_token if query_token is not None else _cookie(cookies)
        return same_in_constant_time((given or "").encode(), self.token.encode())


def chosen(host: str, token: str | None) -> Access:
    """Access for `--web-host` and `--web-token`: beyond loopback one is drawn if none is given.

    Raises UsageError for a host that has no address here and for a token that is easily guessed.
    """
    if token is not None and (len(token) < SHORTEST_TOKEN or not token.isalnum() or not token.isascii()):
        raise UsageError(f"--web-token: at least {SHORTEST_TOKEN} letters and digits")
    if token is None and not is_loopback(host):
        token = os.urandom(16).hex()
    return Access(host, token)


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches that address. Raises UsageError if it is none."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise UsageError(f"--web-host {host}: there is no such address") from error
    return all(ipaddress.ip_address(entry[4][0]).is_loopback for entry in found)


def _host_name(header: str) -> str:
    name = header.strip().lower()
    if name.startswith("["):
        return name[1:].split("]", maxsplit=1)[0]
    return name.rsplit(":", maxsplit=1)[0] if ":" in name else name


def _cookie(header: str) -> str | None:
    try:
        morsel = SimpleCookie(header).get(COOKIE)
    except CookieError:
        return None
    return morsel.value if morsel else None
