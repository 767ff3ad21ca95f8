"""Where results go: the interface of every sink, and the sinks that the user asked for."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from fer_edge import console, files
from fer_edge.errors import UsageError
from fer_edge.pictures import in_folder
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

    def check(
        self, json: str | None, force: bool, source: str | None = None, *read: Path | str | None
    ) -> None:
        """source, read: the inputs. Raises UsageError if two outputs are standard output, and what
        `files.refuse_to_overwrite_any` raises."""
        save = None if self.save and self.save.is_dir() else self.save  # a folder may be saved into
        first = self.snapshot and self.snapshot.with_stem(f"{self.snapshot.stem}-1")
        given = [str(path) for path in (save, self.jsonl, self.csv, first, json) if path]
        if given.count("-") > 1:
            raise UsageError("two outputs cannot both go to standard output")
        inside = in_folder(Path(source))[0] if source and Path(source).is_dir() else ()
        files.refuse_to_overwrite_any(given, force, [source, *read, *inside])


def open_sinks(capture: Capture, labels: tuple[str, ...], outputs: Outputs, force: bool) -> list[Sink]:
    """The sinks, their files begun. capture: open. Raises OutputError, UsageError."""
    from fer_edge.sinks import logs

    sinks: list[Sink] = [logs.PrintedLines()] if capture.is_still else []
    if not capture.is_still and not capture.is_live and sys.stderr.isatty():
        sinks.append(logs.Progress(capture.length_s))
    # Page and broker come first, so that no file exists if they fail.
    if outputs.page:
        from fer_edge.sinks.web import WebPage

        page = WebPage(*outputs.page, labels)
        console.say(f"live page: {page.server.url}")
        sinks.append(page)
    if outputs.mqtt:
        from fer_edge.sinks.mqtt import Mqtt

        sinks.append(Mqtt(outputs.mqtt))
    if outputs.snapshot or outputs.save:
        from fer_edge.sinks.saved import Snapshots, saved

        if outputs.snapshot:
            sinks.append(Snapshots(outputs.snapshot, force, still=capture.is_still))
        sinks += [saved(capture, outputs.save, force)] if outputs.save else []
    if outputs.jsonl:
        sinks.append(logs.JsonlLog(outputs.jsonl, labels, force))
    if outputs.csv:
        sinks.append(logs.CsvLog(outputs.csv, labels, force))
    return sinks
