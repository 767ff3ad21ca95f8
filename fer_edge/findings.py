"""What `doctor` says of one thing."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Status(StrEnum):
    """ok; note: works, but worth knowing; missing: something that `run` needs is not there."""

    OK = "ok"
    NOTE = "note"
    MISSING = "missing"


@dataclass(frozen=True)
class Finding:
    """One line of the table. advice: what to do, empty where nothing is."""

    what: str
    status: Status
    found: str
    advice: str = ""
