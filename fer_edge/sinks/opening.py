"""From what the user asked for to the sinks that write it."""

from __future__ import annotations

from pathlib import Path

from fer_edge.errors import UsageError
from fer_edge.sinks import lines, logs, pictures, video
from fer_edge.sinks.outputs import Outputs
from fer_edge.sinks.sink import Sink
from fer_edge.sources.capture import Capture


def open_sinks(capture: Capture, labels: tuple[str, ...], outputs: Outputs, force: bool) -> list[Sink]:
    """The sinks, their files begun. capture: open. Raises OutputError, UsageError."""
    sinks: list[Sink] = [lines.PrintedLines()] if capture.is_still else []
    if outputs.snapshot:
        sinks.append(pictures.Snapshot(outputs.snapshot))
    if outputs.save:
        sinks.append(saved(capture, outputs.save, force))
    if outputs.jsonl:
        sinks.append(logs.JsonlLog(outputs.jsonl, labels))
    if outputs.csv:
        sinks.append(logs.CsvLog(outputs.csv, labels))
    return sinks


def saved(capture: Capture, path: Path, force: bool) -> Sink:
    """A picture for a picture, a folder for a folder, a video for all else.

    Raises UsageError if the name's ending does not fit.
    """
    suffix = path.suffix.lower()
    if capture.is_still:
        if Path(capture.name).is_dir():
            if suffix and not path.is_dir():
                raise UsageError(f"--save {path}: a folder of pictures is saved as a folder")
            return pictures.SavedFolder(path, force)
        if suffix not in pictures.SUFFIXES:
            raise UsageError(f"--save {path}: a picture is saved as one of {' '.join(pictures.SUFFIXES)}")
        return pictures.SavedPicture(path)
    if suffix not in video.CODECS:
        raise UsageError(f"--save {path}: a video is saved as one of {' '.join(video.CODECS)}")
    return video.SavedVideo(path, capture.fps, live=capture.is_live)
