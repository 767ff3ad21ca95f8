"""What commands print: rich tables on a terminal, plain lines elsewhere, JSON where asked for.

With `--json -` standard output carries the JSON alone, and all else goes to standard error.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fer_edge import files
from fer_edge.errors import printable

if TYPE_CHECKING:
    from rich.console import Console

_to_stderr = False


def reserve_stdout(json_path: str | None) -> None:
    """Called first by every command with its `--json` value: `-` keeps standard output for JSON."""
    global _to_stderr
    _to_stderr = json_path == "-"


def console() -> Console:
    """The console for tables and progress. Imports rich on first use, to keep `run` light."""
    from rich.console import Console

    return Console(stderr=_to_stderr, highlight=False)


def say(text: str) -> None:
    """One plain line, flushed at once; what it quotes is escaped."""
    print(printable(text), file=sys.stderr if _to_stderr else sys.stdout, flush=True)


def warn(text: str) -> None:
    """One plain line on standard error; what it quotes is escaped."""
    print(f"warning: {printable(text)}", file=sys.stderr, flush=True)


@contextlib.contextmanager
def working(what: str) -> Iterator[None]:
    """A spinner beside `what` on a terminal, a plain line elsewhere, for work whose end nobody knows.

    The spinner has a thread: nothing inside may be timed.
    """
    out = console()
    if not out.is_terminal:
        say(f"{what} ...")
        yield
        return
    from rich.text import Text

    with out.status(Text(printable(what))):
        yield


def write_json(json_path: str | None, value: Any, force: bool = False) -> None:
    """Writes `value` to the file, or to standard output for `-`; does nothing for None.

    `value` holds plain Python types only (no numpy scalars). Raises OutputError if the file exists
    and `force` is not given.
    """
    if json_path is None:
        return
    text = files.to_json(value, indent=2) + "\n"
    if json_path == "-":
        sys.stdout.write(text)
    else:
        files.refuse_to_overwrite(Path(json_path), force)
        files.write_text(Path(json_path), text, force=force)
