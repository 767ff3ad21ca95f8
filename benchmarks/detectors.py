"""Detectors and steadiness of labels on one's own videos, as JSON and as a Markdown table.

    python benchmarks/detectors.py CLIP... [--yunet FILE] [--size 640x480] --out benchmarks/results/detectors

Each video is run with the cascade over every whole frame, with fer-edge's search, and with YuNet where its
file is given; each run in a process of its own. Writes OUT.json and OUT.md. For a quiet machine.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from fer_edge import files, machine, tables
from fer_edge.bench import clip, clip_sheets, show


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("videos", nargs="+", type=Path)
    parser.add_argument("--yunet", type=Path)
    parser.add_argument("--size")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    described = machine.describe()
    base = clip.Setting(
        "", detector_model=str(given.yunet or ""), threads=given.threads, size=clip.parse_size(given.size)
    )
    rows = clip_sheets.measured(clip.rows(given.videos, base, given.yunet is not None), tables.progress)
    for row in rows:
        row["video"] = Path(row["video"]).name
        row["detector_model"] = Path(row["detector_model"]).name
    sheets = clip_sheets.both(rows)
    for sheet in sheets:
        show.sheet_of(sheet)
    value = {"machine": described, "detectors": rows}
    files.write_text(given.out.with_suffix(".json"), json.dumps(value, indent=2) + "\n")
    where = f"{described['cpu']}, {described['system']}, {described['opencv']}.\n"
    text = "\n".join(sheet.markdown() for sheet in sheets)
    files.write_text(given.out.with_suffix(".md"), f"{text}\n{where}")


if __name__ == "__main__":
    main()
