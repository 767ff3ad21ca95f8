"""Options that several commands share, so that each is spelt and explained once."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

Json = Annotated[
    str | None,
    typer.Option("--json", metavar="FILE", help="Write the result as JSON; - for standard output."),
]
Force = Annotated[bool, typer.Option("--force", help="Overwrite outputs that exist.")]
Seed = Annotated[int, typer.Option("--seed", help="Seed of everything random.")]
Data = Annotated[
    str | None,
    typer.Option(
        "--data",
        envvar="FER_EDGE_DATA",
        metavar="PATH",
        help="fer2013.csv (also .xz .gz .zip), icml_face_data.csv, a folder tree, or 'drawn'.",
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
