"""Who may see the page."""

import pytest

from fer_edge.errors import UsageError
from fer_edge.sinks.server import Access, chosen, is_loopback

TOKEN = "abcdefgh12345678"


@pytest.mark.parametrize(
    ("host", "allowed"),
    [
        ("localhost:8000", True),
        ("127.0.0.1:8000", True),
        ("[::1]:8000", True),
        ("LOCALHOST", True),
        ("evil.example:8000", False),
        ("localhost.evil.example", False),
        ("192.168.1.5:8000", False),
        ("", False),
    ],
)
def test_without_a_token_only_local_names_are_served(host, allowed):
    assert Access("127.0.0.1").allows(host, "", None) is allowed


@pytest.mark.parametrize(
    ("cookies", "query", "allowed"),
    [
        ("", TOKEN, True),
        (f"fer_edge_token={TOKEN}", None, True),
        (f"other=1; fer_edge_token={TOKEN}", None, True),
        ("", None, False),
        ("", "", False),
        ("", TOKEN[:-1], False),
        ("", TOKEN + "0", False),
        ("fer_edge_token=wrong", None, False),
        (f"fer_edge_token={TOKEN}", "wrong", False),
        ("", "ü" * 16, False),
        ("\x00=;;=", None, False),
    ],
)
def test_with_a_token_it_alone_decides(cookies, query, allowed):
    assert Access("0.0.0.0", TOKEN).allows("anything.example", cookies, query) is allowed


def test_loopback_needs_no_token_and_all_else_gets_one():
    assert chosen("127.0.0.1", None) == Access("127.0.0.1")
    first, second = chosen("0.0.0.0", None), chosen("0.0.0.0", None)
    assert first.token is not None
    assert len(first.token) == 32
    assert first.token != second.token
    assert chosen("127.0.0.1", TOKEN).token == TOKEN


def test_an_easily_guessed_token_and_an_address_of_nowhere_are_refused():
    for token in ("short", "", "with space and more", "semi;colon=1", "schlüssel1"):
        with pytest.raises(UsageError, match="letters and digits"):
            chosen("127.0.0.1", token)
    with pytest.raises(UsageError, match="no such address"):
        chosen("no such host", None)


def test_loopback_addresses():
    assert is_loopback("127.0.0.2")
    assert is_loopback("::1")
    assert not is_loopback("0.0.0.0")
    assert not is_loopback("::")
