"""How a training shows itself: a bar an epoch on a terminal, a plain line an epoch everywhere."""

from __future__ import annotations

import time
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from fer_edge import console


def line(row: dict[str, float], epochs: int) -> str:
    """One finished epoch in one line of at most 80 columns."""
    return (
        f"epoch {row['epoch']:.0f}/{epochs}  loss {row['loss']:.3f}  acc {row['accuracy']:.3f}  "
        f"val loss {row['val_loss']:.3f} acc {row['val_accuracy']:.3f}  "
        f"rate {row['learning_rate']:.2g}  {row['seconds']:.0f} s"
    )


class TrainingProgress:
    """A fit.Watcher. On a terminal a live bar with loss, accuracy and the time left of the whole run."""

    def __init__(self, epochs: int) -> None:
        self.epochs = epochs
        self.console: Console = console.console()
        self.bar: Progress | None = None
        self.task: TaskID | None = None
        self.shown = 0.0

    def __enter__(self) -> TrainingProgress:
        if self.console.is_terminal:
            self.bar = Progress(
                TextColumn("epoch {task.fields[epoch]}"),
                BarColumn(bar_width=24),
                TextColumn(
                    "{task.percentage:>3.0f}%  loss {task.fields[loss]:.3f}  acc {task.fields[acc]:.3f}"
                ),
                TimeRemainingColumn(),
                console=self.console,
            )
            self.bar.start()
        return self

    def __exit__(self, *exc: object) -> None:
        if self.bar:
            self.bar.stop()

    def step(self, epoch: int, step: int, steps: int, loss: float, accuracy: float) -> None:
        """Called after each step; redraws at most ten times a second."""
        now = time.monotonic()
        if not self.bar or (now - self.shown < 0.1 and step < steps):
            return
        self.shown = now
        done, total = epoch * steps + step, self.epochs * steps
        fields: dict[str, Any] = {"epoch": f"{epoch + 1}/{self.epochs}", "loss": loss, "acc": accuracy}
        if self.task is None:
            self.task = self.bar.add_task("", total=total, completed=done, **fields)
        self.bar.update(self.task, completed=done, **fields)

    def epoch(self, row: dict[str, float]) -> None:
        """Called after each epoch."""
        text = line(row, self.epochs)
        if self.bar:
            self.bar.console.print(text, markup=False)
        else:
            console.say(text)
