"""Options that several commands share, and what the shell offers for a word: the names of what ships."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Annotated, Any, Literal

import typer


def _data(text: str) -> Any:
    return typer.Option("--data", envvar="FER_EDGE_DATA", metavar="PATH", help=text)


JSON = "Write the result as JSON; - for standard output."
DATA = "fer2013.csv (also .xz .gz .zip), icml_face_data.csv, a folder tree, or 'drawn'."
"""What is read as a data set, in a word."""
PROTOCOL = "official: choose on PublicTest, report PrivateTest; paper: the paper's overlapping sets."
VOTES = "ferplus:FILE labels FER-2013 anew, by the votes of FER+ in its fer2013new.csv."
CLASSES = "The expressions of class folders that are numbers, in the numbers' order."
_CLASS_NAMES = typer.Option("--class-names", envvar="FER_EDGE_CLASS_NAMES", metavar="NAME,...", help=CLASSES)

Card = Annotated[
    Path | None, typer.Option("--card", metavar="FILE", help="Card (JSON) of a model that carries none.")
]
Json = Annotated[str | None, typer.Option("--json", metavar="FILE", help=JSON)]
Force = Annotated[bool, typer.Option("--force", help="Overwrite outputs that exist.")]
Seed = Annotated[int, typer.Option("--seed", help="Seed of everything random.")]
Data = Annotated[str | None, _data(DATA)]
OptionalData = Annotated[str | None, _data("Data set to measure accuracy on (see 'fer-edge data --help').")]
SkipBadRows = Annotated[bool, typer.Option("--skip-bad-rows", help="Count and skip rows that are not valid.")]
ClassNames = Annotated[str | None, _CLASS_NAMES]
Protocol = Annotated[str, typer.Option("--protocol", help=PROTOCOL)]
Labels = Annotated[str | None, typer.Option("--labels", metavar="fer2013|ferplus:FILE", help=VOTES)]
Precision = Annotated[
    Literal["auto", "float32", "bfloat16", "float16"],
    typer.Option(help="Of computing; what is written is float32."),
]


def _offering(names: Callable[[], Iterable[str]]) -> Callable[[str], list[str]]:
    """Completes a word by those names that begin with it."""

    def complete(incomplete: str) -> list[str]:
        return [name for name in names() if name.startswith(incomplete)]

    return complete


def _shipped(found: Callable[[Any], Iterable[Path]]) -> Callable[[str], list[str]]:
    def names() -> Iterable[str]:
        from fer_edge.model import shipped

        return (path.stem for path in found(shipped))

    return _offering(names)


def _targets() -> Iterable[str]:
    from fer_edge.targets import TARGETS

    return TARGETS


complete_models = _shipped(lambda shipped: shipped.models())
complete_networks = _shipped(lambda shipped: shipped.networks())
complete_train_recipes = _shipped(lambda shipped: shipped.recipes("train"))
complete_convert_recipes = _shipped(lambda shipped: shipped.recipes("convert"))
complete_targets = _offering(_targets)
