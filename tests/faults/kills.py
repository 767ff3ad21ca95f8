"""One round of each kill: a command is killed, what it left is looked at, and it is started again.

Whatever lies under its final name must be whole, nothing that stood there before may be lost, and a second
start must go on. Each gives what the command was at (`moments`).
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np

from faults import moments
from faults.workbench import ROWS, Bench, check
from fer_edge import Classifier
from fer_edge.model import graph

MODEL_FILES = (
    "model.keras",
    "card.json",
    "metrics.json",
    "curves.png",
    "confusion_matrix.png",
    "history.csv",
)


def empty(folder: Path, *inside: str) -> Path:
    """The folder anew, with these in it."""
    shutil.rmtree(folder, ignore_errors=True)
    for name in ("", *inside):
        (folder / name).mkdir(parents=True)
    return folder


def read_data(bench: Bench) -> moments.Met:
    """data: killed while it reads and caches; the next reading is right all the same."""
    cache = empty(bench.folder / "cache", "data", "index")
    met = bench.killed("data", bench.table, writes=cache)
    found = json.loads(bench.whole("data", bench.table, "--json", "-"))
    check(found["n"] == ROWS, f"{found['n']} rows of {ROWS} after a kill")
    again = json.loads(bench.whole("data", bench.table, "--json", "-"))
    check(again == found, "the cache gives something else than the reading")
    return met


def train(bench: Bench) -> moments.Met:
    """train: killed, perhaps twice; --resume ends with all files and every epoch once."""
    out = empty(bench.folder / "run", "checkpoint")
    command = ("train", "--recipe", bench.recipe, "--data", bench.table, "--out", out, "--resume")
    met = bench.killed(*command, writes=out)
    if met.phase != moments.ENDED and bench.rng.random() < 0.3:
        bench.killed(*command, writes=out)
    for name in ("metrics.json", "card.json"):
        if (out / name).exists():
            json.loads((out / name).read_text())
    if met.phase != moments.ENDED:
        bench.whole(*command)
    finished_training(out)
    return met


def finished_training(out: Path) -> None:
    """All files are there, and every epoch once."""
    rows = (out / "history.csv").read_text().splitlines()
    check([row.split(",")[0] for row in rows[1:]] == ["1", "2"], f"epochs in history.csv: {rows[1:]}")
    check(all((out / name).stat().st_size > 0 for name in MODEL_FILES), "a file of the run is missing")
    json.loads((out / "metrics.json").read_text())


def convert(bench: Bench) -> moments.Met:
    """convert: killed; what lies there is a whole model that runs, and a second try ends."""
    out = empty(bench.folder / "converted")
    options = ("--float32", "--float16", "--name", "tiny", "--out", out)
    command = ("convert", bench.network, "--data", bench.table, *options)
    met = bench.killed(*command, writes=out)
    for path in out.glob("[!.]*.tflite"):
        whole_model(path)
    for path in out.glob("[!.]*.json"):
        json.loads(path.read_text())
    if met.phase != moments.ENDED:
        bench.whole(*command, "--force")
    for format_ in ("float32", "float16"):
        whole_model(out / f"tiny_{format_}.tflite")
        check((out / f"tiny_{format_}.json").stat().st_size > 0, "a model without its card")
    return met


def whole_model(path: Path) -> None:
    graph.check(path.read_bytes(), path.name)
    found = Classifier(path, checked=True).predict(np.zeros((1, 48, 48), np.uint8))
    check(found.shape == (1, 7) and bool(np.isfinite(found).all()), f"{path.name} does not classify")


def run_loop(bench: Bench) -> moments.Met:
    """run: killed while it saves; every line of the logs is whole."""
    place = empty(bench.folder / "saved")
    log, table, saved = (place / name for name in ("o.jsonl", "o.csv", "o.avi"))
    command = ("run", bench.clip, "--headless", "--jsonl", log, "--csv", table, "--save", saved, "--force")
    met = bench.killed(*command, writes=place)
    if log.exists():
        text = log.read_text()
        check(not text or text.endswith("\n"), "the last line of the log is cut")
        frames = [json.loads(line)["frame"] for line in text.splitlines()]
        check(frames == list(range(len(frames))), "frames are missing from the log")
    if met.phase != moments.PHASES[2]:
        return met
    return met._replace(
        phase=moments.PHASES[1]
    )  # the files stay open and grow; none is finished before the end


def measure(bench: Bench) -> moments.Met:
    """bench: killed; the file that stood under --json's name stays or is replaced as a whole."""
    path = empty(bench.folder / "measured") / "b.json"
    path.write_text('{"old": true}')
    command = ("bench", "tuned_int8", "--runs", 20, "--warmup", 1, "--json", path, "--force")
    met = bench.killed(*command, writes=path.parent)
    found = json.loads(path.read_text())
    check(found == {"old": True} or found.get("schema") == 1, "b.json is neither the old nor the new one")
    return met
