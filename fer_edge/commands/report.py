"""`fer-edge report`: a recording's expressions over time, as a picture and as a page."""

from pathlib import Path
from typing import Annotated

import typer

from fer_edge.commands.options import Force, Json, file


def report(
    log: Annotated[Path, typer.Argument(metavar="LOG", help="A log from run --jsonl.")],
    png: Annotated[Path | None, file("The picture; default: the log's name with .png.", plot=True)] = None,
    html: Annotated[Path | None, file("The page; default: the log's name with .html.")] = None,
    json: Json = None,
    force: Force = False,
) -> None:
    """Plot each face's expressions over time, as a PNG and a self-contained HTML page."""
    from fer_edge import console, files, timeline

    recording = timeline.read(log)
    png, html = png or log.with_suffix(".png"), html or log.with_suffix(".html")
    files.refuse_to_overwrite_any((png, html, json), force, [log])
    with console.working("drawing"):
        timeline.draw(recording, png, html)
    console.say(recording.in_words())
    console.say(f"wrote {png} and {html}")
    console.write_json(json, recording.as_dict(), force)
