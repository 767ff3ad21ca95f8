"""What commands print: rich tables and bars on a terminal, plain lines elsewhere, JSON on request.

With `--json -`, standard output has only the JSON, and everything else goes to standard error.
"""

from __future__ import annotations

import contextlib
import io
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from fer_edge import files
from fer_edge.errors import OutputError, printable

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table as RichTable

T = TypeVar("T")
_to_stderr = False


def reserve_stdout(value: Any) -> Any:
    """Callback of every option that names an output: `-` reserves standard output. Returns the value."""
    global _to_stderr
    _to_stderr = _to_stderr or str(value) == "-"
    return value


def console() -> Console:
    """The console for tables and progress. Imports rich on first use, to keep `run` light."""
    from rich.console import Console

    return Console(stderr=_to_stderr, highlight=False)


def say(text: str) -> None:
    """Prints one plain, escaped line and flushes it."""
    print(printable(text), file=sys.stderr if _to_stderr else sys.stdout, flush=True)


def warn(text: str) -> None:
    """Prints one plain, escaped line on standard error, if anybody can still read it."""
    with contextlib.suppress(OSError):
        print(f"warning: {printable(text)}", file=sys.stderr, flush=True)


@contextlib.contextmanager
def working(what: str) -> Iterator[None]:
    """Shows a spinner with `what` on a terminal, a plain line elsewhere, for work of unknown length.

    The spinner has a thread, so do not time anything inside.
    """
    out = console()
    if not out.is_terminal:
        say(f"{what} ...")
        yield
        return
    from rich.live import Live
    from rich.spinner import Spinner
    from rich.text import Text

    # Unlike `out.status`, drawn before its thread runs, which loading TensorFlow delays for seconds.
    with Live(Spinner("dots", Text(printable(what))), console=out, transient=True, refresh_per_second=12.5):
        yield


@contextlib.contextmanager
def progress(what: str, steps: int) -> Iterator[Callable[[int], object]]:
    """Shows a bar on a terminal, nothing elsewhere; call the value with the number of steps done.

    Redrawn only once a second, so as not to disturb timing in another process.
    """
    out = console()
    if not out.is_terminal:  # rich's own `disable` prints empty lines before its version 15
        yield lambda done: None
        return
    from rich.markup import escape
    from rich.progress import Progress, SpinnerColumn

    columns = (SpinnerColumn(), *Progress.get_default_columns())
    with Progress(*columns, console=out, transient=True, refresh_per_second=1) as bar:
        task = bar.add_task(escape(printable(what)), total=steps)
        yield lambda done: bar.advance(task, done)


def each(what: str, items: Sequence[T]) -> Iterator[T]:
    """Yields the items, with a `progress` bar."""
    with progress(what, len(items)) as step:
        for item in items:
            yield item
            step(1)


def write_json(json_path: str | None, value: Any, force: bool = False) -> None:
    """Writes `value`, of plain Python types, to the file, or to standard output for `-`; nothing for None.

    Raises OutputError if the file exists and `force` is not given, and if standard output is closed.
    """
    if json_path is None:
        return
    text = files.to_json(value, indent=2) + "\n"
    if json_path == "-" and sys.stdout is None:
        raise OutputError("cannot write to standard output: it is closed")
    if json_path == "-":
        sys.stdout.write(text)
    else:
        files.write_text(Path(json_path), text, force=force)


@dataclass
class Table:
    """Rows of cells under headers, for the terminal, as Markdown and as CSV. None is shown as a dash.

    words: headers of text columns, which are left-aligned and wrap if needed; by default the first column.
    The others have figures, which are never cut. optional: headers of the columns that a narrow terminal
    drops, in this order. notes: lines under the table.
    """

    title: str
    headers: Sequence[str]
    rows: list[Sequence[object]] = field(default_factory=list)
    words: Sequence[str] | None = None
    optional: Sequence[str] = ()
    notes: Sequence[str] = ()

    def add(self, *cells: object) -> None:
        self.rows.append(cells)

    def show(self) -> None:
        """Prints table and notes: fitted to a terminal's width, elsewhere in full, as plain aligned lines."""
        from textwrap import wrap

        out = console()
        if out.is_terminal:
            out.print(self.on_terminal(out.width), crop=False)
        else:
            aligned = []
            for column in zip(self.headers, *self._text(), strict=True):
                side = str.ljust if column[0] in self._words() else str.rjust
                width = max(map(len, column))
                aligned.append([side(cell, width) for cell in column])
            for row in zip(*aligned, strict=True):
                say("  ".join(row).rstrip())
        for note in self.notes:
            for line in wrap(note, out.width) if out.is_terminal else [note]:
                say(line)

    def on_terminal(self, width: int) -> RichTable:
        """For a terminal of this width, without the notes."""
        from rich import box
        from rich.table import Table as RichTable
        from rich.text import Text

        words, columns, least = self._words(), {}, {}
        for header, *cells in zip(self.headers, *self._text(), strict=True):
            columns[header] = cells
            least[header] = max(map(len, (header, *(" ".join(cells).split() if header in words else cells))))
        for header in self.optional:
            if header in least and sum(least.values()) + 2 * (len(least) - 1) > width:
                del columns[header], least[header]
        room = width - 2 * (len(least) - 1)
        fits = sum(least.values()) <= room
        table = RichTable(title=Text(printable(self.title)), title_justify="left", box=box.SIMPLE_HEAD)
        # Words fold down to 10 letters, figures never: a table that is still too wide breaks at the terminal.
        lacking = sum(min(n, 10) if header in words else n for header, n in least.items()) - room
        table.width = width + lacking if lacking > 0 else None
        table.padding, table.pad_edge, table.show_edge = (0, 1, 0, 0), False, False
        for header, longest_word in least.items():
            if header in words:
                table.add_column(header, overflow="fold", min_width=longest_word if fits else None)
            else:
                table.add_column(header, justify="right", no_wrap=True)
        for row in zip(*columns.values(), strict=True):
            table.add_row(*map(Text, row))  # a plain string would be parsed as markup
        return table

    def markdown(self) -> str:
        """With the notes, without the title."""
        marks = ["---" if header in self._words() else "--:" for header in self.headers]
        rows = [[cell.replace("|", r"\|").replace("*", r"\*") for cell in row] for row in self._text()]
        lines = ["| " + " | ".join(cells) + " |" for cells in (self.headers, marks, *rows)]
        return "\n".join([*lines, "", *(note.replace("*", r"\*") for note in self.notes)]).rstrip() + "\n"

    def csv(self) -> str:
        """Headers and rows, text escaped as on a terminal; None is empty."""
        import csv

        out = io.StringIO()
        rows = [[printable(cell) if isinstance(cell, str) else cell for cell in row] for row in self.rows]
        csv.writer(out, lineterminator="\n").writerows([self.headers, *rows])
        return out.getvalue()

    def _words(self) -> Sequence[str]:
        return self.headers[:1] if self.words is None else self.words

    def _text(self) -> list[list[str]]:
        return [["-" if cell is None else printable(cell) for cell in row] for row in self.rows]


def clock(seconds: float) -> str:
    """`1:05`, to the second."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02}"


def milliseconds(value: float | None) -> str:
    """Three figures, about: `0.412`, `4.12`, `41.2`, `412`; a dash for None."""
    if value is None:
        return "-"
    places = 3 if abs(value) < 1 else 2 if abs(value) < 10 else 1 if abs(value) < 100 else 0
    return f"{value:.{places}f}"


def size(count: int) -> str:
    """Bytes in decimal units: `93 kB`, `2.57 MB`."""
    return f"{count / 1e6:.2f} MB" if count >= 1e6 else f"{count / 1e3:.0f} kB"


def percent(fraction: float | None, digits: int = 1) -> str:
    """`0.6931` as `69.3`; a dash for None."""
    return "-" if fraction is None else f"{100 * fraction:.{digits}f}"
