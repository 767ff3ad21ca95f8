"""Tables and progress bars in one look: framed on a terminal, plain aligned lines elsewhere."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from fer_edge import console

if TYPE_CHECKING:
    from rich.table import Table

_REDRAWN_S = 0.1
PLAIN_WIDTH = 240  # columns of a table where there is no terminal: wide enough that nothing is cut


@contextlib.contextmanager
def progress(what: str, steps: int) -> Iterator[Callable[[int], object]]:
    """A bar on a terminal, nothing elsewhere; the value is called with the number of steps done.

    The bar is drawn by that call alone, ten times a second at most: a thread of its own would disturb
    what `bench` times.
    """
    out = console.console()
    if not out.is_terminal:
        yield lambda done: None
        return
    from rich.progress import Progress

    with Progress(console=out, transient=True, auto_refresh=False) as bar:
        task = bar.add_task(what, total=steps)
        drawn_s = 0.0

        def step(done: int) -> None:
            nonlocal drawn_s
            bar.advance(task, done)
            if time.monotonic() - drawn_s > _REDRAWN_S:
                bar.refresh()
                drawn_s = time.monotonic()

        yield step


def show(table: Table) -> None:
    """Prints the table: framed on a terminal, plain aligned lines elsewhere."""
    out = console.console()
    if out.is_terminal:
        out.print(table)
        return
    table.box, table.title, table.padding = None, None, (0, 2, 0, 0)
    out.width = PLAIN_WIDTH
    with out.capture() as captured:
        out.print(table)
    for line in captured.get().rstrip().splitlines():
        console.say(line.rstrip())


def new_table(title: str) -> Table:
    """An empty table in this program's look."""
    from rich import box
    from rich.table import Table

    look = box.SIMPLE_HEAD
    # two columns between cells, none outside
    return Table(
        title=title, title_justify="left", box=look, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False
    )


def percent(fraction: float | None, digits: int = 1) -> str:
    """`0.6931` as `69.3`; a dash for None."""
    return "-" if fraction is None else f"{100 * fraction:.{digits}f}"
