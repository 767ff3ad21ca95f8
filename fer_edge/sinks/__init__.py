"""Where results go: the interface of every sink, and the sinks that the user asked for."""

from __future__ import annotations

import contextlib
import glob
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fer_edge import console, files
from fer_edge.errors import UsageError
from fer_edge.pictures import in_folder, seems_picture
from fer_edge.vision.frames import Frame, FrameResult, Picture

if TYPE_CHECKING:
    from fer_edge.sources import Capture


class Sink:
    """Something that results go to."""

    def write(self, result: FrameResult) -> None:
        """One frame of those that are analysed or skipped (`--every`). Raises OutputError."""

    def close(self) -> None:
        """Completes the output. Raises OutputError if the result is incomplete."""


class PictureSink(Sink):
    """One that frames go to as well, with what was found drawn on them. asleep: true while nobody watches, so
    that nothing has to be drawn. has_bars: whether it shows each face's expressions itself."""

    asleep: bool = False
    has_bars: bool = False

    def show(self, frame: Frame, annotated: Picture) -> None:
        """One frame; `annotated` uint8 (H, W, 3) is valid during the call. Raises OutputError."""


@dataclass(frozen=True)
class Outputs:
    """Paths by kind, None if not wanted; `-` is standard output for jsonl and csv. mqtt: a URL. page: the
    live page's address, port and token."""

    save: Path | None = None
    jsonl: Path | None = None
    csv: Path | None = None
    snapshot: Path | None = None
    mqtt: str | None = None
    page: tuple[str, int, str | None] | None = None

    def check(self, json: str | None, force: bool, source: str | None = None, *read: Any) -> None:
        """source, read: the inputs. Raises UsageError if two outputs are standard output, and what
        `files.refuse_to_overwrite_any` raises."""
        path = Path(source or "-")
        pictures: list[Path] = []
        if path.is_dir():
            pictures = in_folder(path)[0]
        elif path.is_file() and seems_picture(path):
            pictures = [path]
        outputs: list[Path | str | None] = []
        folder = self.save if self.save and self.save.is_dir() else None
        if folder:  # which may be saved into
            outputs += [saved_as(folder, picture) for picture in pictures]
        if self.snapshot and self.snapshot.name:
            people = [f"{picture.name}-1" for picture in pictures] or ["1"]
            best = [self.snapshot.with_stem(f"{self.snapshot.stem}-{person}") for person in people]
            others = f"{glob.escape(self.snapshot.stem)}-*[0-9]{glob.escape(self.snapshot.suffix)}"
            outputs += {*best, *self.snapshot.parent.glob(others)}  # an earlier run may have had more people
        outputs += [None if folder else self.save, self.jsonl, self.csv, json]
        given = [str(output) for output in outputs if output]
        if given.count("-") > 1:
            raise UsageError("two outputs cannot both go to standard output")
        files.refuse_to_overwrite_any(given, force, [source, *read, *pictures])


def saved_as(folder: Path, picture: Path | str) -> Path:
    """Where `--save FOLDER` puts a picture of a folder."""
    return folder / f"{Path(picture).name}.png"


def open_sinks(capture: Capture, labels: tuple[str, ...], outputs: Outputs, force: bool) -> list[Sink]:
    """The sinks, their files begun. capture: open. Raises OutputError, UsageError; all are closed then."""
    sinks = []
    with contextlib.ExitStack() as undone:
        for sink in _begun(capture, labels, outputs, force):
            sinks.append(sink)
            undone.callback(sink.close)
        undone.pop_all()
    return sinks


def _begun(capture: Capture, labels: tuple[str, ...], outputs: Outputs, force: bool) -> Iterator[Sink]:
    from fer_edge.sinks import logs

    if capture.is_still:
        yield logs.PrintedLines()
    if not capture.is_still and not capture.is_live and sys.stderr.isatty():
        yield logs.Progress(capture.length_s)
    # Page and broker come first, so that no file exists if they fail.
    if outputs.page:
        from fer_edge.sinks.web import WebPage

        page = WebPage(*outputs.page, labels)
        console.say(f"live page: {page.server.url}")
        yield page
    if outputs.mqtt:
        from fer_edge.sinks.mqtt import Mqtt

        yield Mqtt(outputs.mqtt)
    if outputs.snapshot or outputs.save:
        from fer_edge.sinks.saved import Snapshots, saved

        if outputs.snapshot:
            yield Snapshots(outputs.snapshot, force, still=capture.is_still)
        if outputs.save:
            yield saved(capture, outputs.save, force)
    if outputs.jsonl:
        yield logs.JsonlLog(outputs.jsonl, labels, force)
    if outputs.csv:
        yield logs.CsvLog(outputs.csv, labels, force)
