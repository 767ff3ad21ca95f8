"""Detectors and labels on videos: the rows measured, and shown as tables."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from fer_edge.bench import clip
from fer_edge.bench.accuracy import Progress
from fer_edge.bench.sheets import Sheet, ms

Row = dict[str, Any]
Column = tuple[str, Callable[[Row], str]]


def measured(settings: Sequence[clip.Setting], progress: Progress) -> list[Row]:
    """A row a setting: see clip.measure. Raises ModelError."""
    found = []
    with progress("detectors and labels", len(settings)) as step:
        for setting in settings:
            found.append(clip.measure(setting))
            step(1)
    return found


def both(rows: Sequence[Row]) -> tuple[Sheet, Sheet]:
    """The two tables, in the order in which they are shown."""
    return speed(rows), steadiness(rows)


def speed(rows: Sequence[Row]) -> Sheet:
    """Time and memory by video and detector."""
    columns: tuple[Column, ...] = (
        ("video", _video),
        ("detector", lambda row: str(row["detector"])),
        ("size", lambda row: "x".join(map(str, row["size"])) if row["size"] else "own"),
        ("p50 ms", lambda row: ms(row["frame_ms"]["p50_ms"])),
        ("p95 ms", lambda row: ms(row["frame_ms"]["p95_ms"])),
        ("cpu p50", lambda row: ms(row["cpu_ms"]["p50_ms"])),
        ("cpu p95", lambda row: ms(row["cpu_ms"]["p95_ms"])),
        ("detect", lambda row: ms(row["detect_ms"]["p50_ms"])),
        ("classify", lambda row: ms(row["classify_ms"]["p50_ms"]) if "classify_ms" in row else "-"),
        ("decode", lambda row: ms(row["decode_ms"]["p50_ms"])),
        ("MiB", lambda row: "-" if row["peak_rss_mib"] is None else f"{row['peak_rss_mib']:.0f}"),
    )
    note = (
        f"{rows[0]['model']}, {rows[0]['threads']} thread(s). p50 and p95: from a decoded frame to labelled "
        "faces; cpu: processor time of the same; detect and classify: p50 of these parts. MiB: peak of the "
        "process. plain: the cascade over every whole frame at 1.1, 5 neighbours, 30 px."
    )
    return _sheet("detectors: ms of a frame", columns, rows, note)


def steadiness(rows: Sequence[Row]) -> Sheet:
    """What was found, and how steady the labels are."""
    columns: tuple[Column, ...] = (
        ("video", _video),
        ("detector", lambda row: str(row["detector"])),
        ("0, 1, 2 .. faces", lambda row: by_faces(row["faces_in_frame"])),
        ("sampled", lambda row: by_faces(row["sampled"]["faces_in_frame"])),
        ("ids", lambda row: str(row["tracks"])),
        ("raw/min", lambda row: f"{row['unsmoothed_label_changes_per_minute']:.0f}"),
        ("shown/min", lambda row: f"{row['label_changes_per_minute']:.0f}"),
        ("late s", lambda row: "-" if row["label_lag_s"] is None else f"{row['label_lag_s']:.2f}"),
    )
    note = (
        "0, 1, 2 .. faces: frames by the number of faces found in them, each in its own frame; sampled: "
        f"the same for one frame of {clip.SAMPLED_EVERY}. raw and shown: changes of labels a minute, as the "
        "model gives them and after smoothing; late: the longest time from the first frame that said a label "
        "to its being shown."
    )
    return _sheet("faces and labels", columns, rows, note)


def _sheet(title: str, columns: Sequence[Column], rows: Sequence[Row], note: str) -> Sheet:
    cells = tuple(tuple(cell(row) for _, cell in columns) for row in rows)
    return Sheet(title, tuple(name for name, _ in columns), cells, left=2, notes=(note,))


def _video(row: Row) -> str:
    return Path(row["video"]).name


def by_faces(histogram: dict[str, int]) -> str:
    """`2, 470, 0`: frames without a face, with one, with two ..."""
    most = max(map(int, histogram), default=0)
    return ", ".join(str(histogram.get(str(n), 0)) for n in range(max(most, 1) + 1))
