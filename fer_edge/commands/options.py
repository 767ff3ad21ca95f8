"""Options that several commands share, and what the shell offers for a word: the names of what ships."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Literal

import typer

Json = Annotated[
    str | None,
    typer.Option("--json", metavar="FILE", help="Write the result as JSON; - for standard output."),
]
Force = Annotated[bool, typer.Option("--force", help="Overwrite outputs that exist.")]
Seed = Annotated[int, typer.Option("--seed", help="Seed of everything random.")]
DATA = "fer2013.csv (also .xz .gz .zip), icml_face_data.csv, a folder tree, or 'drawn'."
"""What is read as a data set, in a word."""
Data = Annotated[
    str | None,
    typer.Option(
        "--data",
        envvar="FER_EDGE_DATA",
        metavar="PATH",
        help=DATA,
    ),
]
OptionalData = Annotated[
    str | None,
    typer.Option(
        "--data",
        envvar="FER_EDGE_DATA",
        metavar="PATH",
        help="Data set to measure accuracy on (see 'fer-edge data --help').",
    ),
]
SkipBadRows = Annotated[bool, typer.Option("--skip-bad-rows", help="Count and skip rows that are not valid.")]
ClassNames = Annotated[
    str | None,
    typer.Option(
        "--class-names",
        envvar="FER_EDGE_CLASS_NAMES",
        metavar="NAME,...",
        help="The expressions of class folders that are numbers, in the numbers' order.",
    ),
]
Protocol = Annotated[
    str,
    typer.Option(
        "--protocol",
        help="official: choose on PublicTest, report PrivateTest; paper: the paper's overlapping sets.",
    ),
]
Labels = Annotated[
    str | None,
    typer.Option(
        "--labels",
        metavar="fer2013|ferplus:FILE",
        help="ferplus:FILE labels FER-2013 anew, by the votes of FER+ in its fer2013new.csv.",
    ),
]
Precision = Annotated[
    Literal["auto", "float32", "bfloat16", "float16"],
    typer.Option(help="Of computing; what is written is float32."),
]


def complete_models(incomplete: str) -> list[str]:
    """Converted models."""
    from fer_edge.model import shipped

    return _starting((path.stem for path in shipped.models()), incomplete)


def complete_networks(incomplete: str) -> list[str]:
    """Trained networks."""
    from fer_edge.model import shipped

    return _starting((path.stem for path in shipped.networks()), incomplete)


def complete_train_recipes(incomplete: str) -> list[str]:
    """Recipes of trainings."""
    from fer_edge.model import shipped

    return _starting((path.stem for path in shipped.recipes("train")), incomplete)


def complete_convert_recipes(incomplete: str) -> list[str]:
    """Recipes of conversions."""
    from fer_edge.model import shipped

    return _starting((path.stem for path in shipped.recipes("convert")), incomplete)


def complete_targets(incomplete: str) -> list[str]:
    """Targets, each accelerator among them."""
    from fer_edge.targets import TARGETS

    return _starting(TARGETS, incomplete)


def _starting(names: Iterable[str], incomplete: str) -> list[str]:
    return [name for name in names if name.startswith(incomplete)]
