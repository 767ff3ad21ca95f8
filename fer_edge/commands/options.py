"""Options that several commands share."""

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from fer_edge import console

DATA = "fer2013.csv (also .xz .gz .zip), icml_face_data.csv, a folder tree, or 'drawn'."
"""What is read as a data set."""
_PROTOCOL = "official: choose on PublicTest, report PrivateTest; paper: the paper's overlapping sets."
_VOTES = "ferplus:FILE replaces FER-2013's labels with FER+'s votes (its fer2013new.csv)."
_CLASSES = "Expressions of numbered class folders, in the order of the numbers."


def file(help: str, *, dash: bool = False, plot: bool = False) -> Any:
    """An option that takes a file, for the type Path | None. dash: `-` is standard output.

    plot: Matplotlib must know the suffix.
    """
    check = console.reserve_stdout if dash else _plottable if plot else _no_dash
    return typer.Option(metavar="FILE", help=help, callback=check)


def _no_dash(value: Any) -> Any:
    if str(value) == "-":
        raise typer.BadParameter("give a file, not -")
    return value


def _plottable(value: Path | None) -> Path | None:
    if value is not None:
        from matplotlib.backend_bases import FigureCanvasBase  # half a second

        if _no_dash(value).suffix[1:].lower() not in ("", *FigureCanvasBase.filetypes):
            raise typer.BadParameter(f"{value}: use a name that ends in .png")
    return value


def _data(text: str) -> Any:
    return typer.Option("--data", envvar="FER_EDGE_DATA", metavar="PATH", help=text)


Card = Annotated[Path | None, file("Card (JSON) of a model that has none inside.")]
Json = Annotated[str | None, file("Write the result as JSON; - for standard output.", dash=True)]
Force = Annotated[bool, typer.Option(help="Overwrite existing outputs.")]
Seed = Annotated[int, typer.Option(min=0, max=2**32 - 1, help="Seed for everything random.")]
Data = Annotated[str | None, _data(DATA)]
OptionalData = Annotated[str | None, _data("Data set to measure accuracy on (see 'fer-edge data --help').")]
SkipBadRows = Annotated[bool, typer.Option(help="Count and skip invalid rows.")]
ClassNames = Annotated[str | None, typer.Option(metavar="NAME,...", help=_CLASSES)]
Protocol = Annotated[str, typer.Option(help=_PROTOCOL)]
Labels = Annotated[str | None, typer.Option(metavar="fer2013|ferplus:FILE", help=_VOTES)]
Precision = Annotated[
    Literal["auto", "float32", "bfloat16", "float16"],
    typer.Option(help="Precision of training; the file is always float32."),
]

TrainRecipe = Annotated[str, typer.Option(help="Included recipe, or a TOML file.")]
