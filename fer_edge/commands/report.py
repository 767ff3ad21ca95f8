"""`fer-edge report`: a recording's expressions over time, as a picture and as a page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fer_edge.commands.options import Force, Json, file


def report(
    log: Annotated[Path, typer.Argument(metavar="LOG", help="What run --jsonl wrote.")],
    png: Annotated[Path | None, file("The picture; default: beside the log, as .png.")] = None,
    html: Annotated[Path | None, file("The page; default: beside the log, as .html.")] = None,
    json: Json = None,
    force: Force = False,
) -> None:
    """Draw each face's expressions over time: a PNG and one self-contained HTML page."""
    from fer_edge import console, files, timeline
    from fer_edge.errors import DataError

    if not log.exists() or log.is_dir():
        raise DataError(f"there is no log {log}: give what run --jsonl wrote")
    png, html = png or log.with_suffix(".png"), html or log.with_suffix(".html")
    files.refuse_to_overwrite_any((png, html, json), force, [log])
    recording = timeline.read(log)
    with console.working("drawing"):
        timeline.draw(recording, png, html)
    console.say(recording.in_words())
    console.say(f"wrote {png} and {html}")
    console.write_json(json, recording.as_dict(), force)
