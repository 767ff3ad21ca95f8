#!/usr/bin/env python3
"""Puts what was measured into README.md, between its markers, from the files in benchmarks/results.

Usage: python benchmarks/update_readme.py

`<!-- NAME -->` to `<!-- /NAME -->`: bench (the models with one thread in float32 and int8), loop, peers. A
part without markers or without its file is left alone.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fer_edge import files
from fer_edge.bench import output, sheets

HERE = Path(__file__).resolve().parent
README = HERE.parent / "README.md"
FORMATS = ("float32", "int8")


def bench(results: Path) -> str:
    """The main table, shortened: every format and thread count stands in results/README.md."""
    value = json.loads((results / "shipped.json").read_text())
    fewest = min(row["threads"] for row in value["results"])
    rows = [row for row in value["results"] if row["threads"] == fewest and row["format"] in FORMATS]
    return output.main_markdown({**value, "results": rows or value["results"]})


def loop(results: Path) -> str:
    """The loop's table."""
    return sheets.loop(json.loads((results / "loop.json").read_text())).markdown()


def peers(results: Path) -> str:
    """What peers/run.py wrote."""
    return (results / "peers.md").read_text()


PARTS: dict[str, Callable[[Path], str]] = {"bench": bench, "loop": loop, "peers": peers}


def updated(text: str, parts: dict[str, str]) -> str:
    """The text with each part between its markers; unchanged where a marker is missing."""
    for name, part in parts.items():
        with contextlib.suppress(LookupError):
            text = files.put_between_markers(text, name, part)
    return text


def read_parts(results: Path) -> dict[str, str]:
    """Each part whose file is there."""
    found: dict[str, str] = {}
    for name, part in PARTS.items():
        try:
            found[name] = part(results)
        except FileNotFoundError:
            print(f"no results for {name}: left as it is")
    return found


def main(readme: Path = README, results: Path = HERE / "results") -> None:
    """Rewrites the README."""
    text: Any = readme.read_text(encoding="utf-8")
    files.write_text(readme, updated(text, read_parts(results)))


if __name__ == "__main__":
    main()
