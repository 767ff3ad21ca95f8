"""One round of each fault: a command is disturbed, what it left is looked at, and it is started again.

Whatever lies under its final name must be whole, nothing that stood there before may be lost, and a second
start must go on. Each gives what the command was at.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np

from faults.bench import ENDED, MET, PHASES, ROWS, Bench, check, empty
from fer_edge import Classifier
from fer_edge.model import graph

TRAINED = ("model.keras", "card.json", "metrics.json", "curves.png", "confusion_matrix.png", "history.csv")


def kill_data(bench: Bench) -> str:
    """Killed while it reads and caches; the next reading is right all the same."""
    cache = empty(bench.folder / "cache", "data", "index")
    met = bench.killed("data", bench.table, writes=cache)
    found, again = (json.loads(bench.whole("data", bench.table, "--json", "-")) for _ in range(2))
    check(found["n"] == ROWS, f"{found['n']} rows of {ROWS} after a kill")
    check(again == found, "the cache gives something else than the reading")
    return met


def kill_run(bench: Bench) -> str:
    """Killed while it saves; every line of the logs is whole."""
    place = empty(bench.folder / "saved")
    log, table, saved = (place / name for name in ("o.jsonl", "o.csv", "o.avi"))
    command = ("run", bench.clip, "--headless", "--jsonl", log, "--csv", table, "--save", saved, "--force")
    met = bench.killed(*command, writes=place, in_a_write=False)  # no kill by hand cuts a line
    if log.exists():
        text = log.read_text()
        check(not text or text.endswith("\n"), "the last line of the log is cut")
        frames = [json.loads(line)["frame"] for line in text.splitlines()]
        check(frames == list(range(len(frames))), "frames are missing from the log")
    return PHASES[1] if met == PHASES[2] else met  # its files stay open and grow until the end


def kill_bench(bench: Bench) -> str:
    """Killed; the file that stood under --json's name stays or is replaced as a whole."""
    path = empty(bench.folder / "measured") / "b.json"
    path.write_text('{"old": true}')
    command = ("bench", "tuned_int8", "--runs", 20, "--warmup", 1, "--json", path, "--force")
    met = bench.killed(*command, writes=path.parent)
    found = json.loads(path.read_text())
    check(found == {"old": True} or found.get("schema") == 1, "b.json is neither the old nor the new one")
    return met


def kill_train(bench: Bench) -> str:
    """Killed, perhaps twice; --resume ends with all files and every epoch once."""
    out = empty(bench.folder / "run", "checkpoint")
    command = ("train", "--recipe", bench.recipe, "--data", bench.table, "--out", out, "--resume")
    met = bench.killed(*command, writes=out)
    if met != ENDED:
        if bench.rng.random() < 0.3:
            bench.killed(*command, writes=out)
        for name in ("metrics.json", "card.json"):
            if (out / name).exists():
                json.loads((out / name).read_text())
        bench.whole(*command)
    _finished_training(out)
    return met


def _finished_training(out: Path) -> None:
    rows = (out / "history.csv").read_text().splitlines()
    check([row.split(",")[0] for row in rows[1:]] == ["1", "2"], f"epochs in history.csv: {rows[1:]}")
    check(all((out / name).stat().st_size > 0 for name in TRAINED), "a file of the run is missing")
    json.loads((out / "metrics.json").read_text())


def kill_convert(bench: Bench) -> str:
    """Killed; what lies there is a whole model that runs, and a second try ends."""
    network = bench.folder / "trained/model.keras"
    if not network.exists():
        bench.whole("train", "--recipe", bench.recipe, "--data", bench.table, "--out", network.parent)
    out = empty(bench.folder / "converted")
    options = ("--float32", "--float16", "--name", "tiny", "--out", out)
    command = ("convert", network, "--data", bench.table, *options)
    met = bench.killed(*command, writes=out)
    _whole_models(out)
    if met != ENDED:
        bench.whole(*command, "--force")
    _whole_models(out)
    names = {path.name for path in out.glob("[!.]*")}
    check(
        names == {f"tiny_{f}.{end}" for f in ("float32", "float16") for end in ("tflite", "json")}, str(names)
    )
    return met


def _whole_models(folder: Path) -> None:
    for path in folder.glob("[!.]*.tflite"):
        graph.check(path.read_bytes(), path.name)
        found = Classifier(path, checked=True).predict(np.zeros((1, 48, 48), np.uint8))
        check(found.shape == (1, 7) and bool(np.isfinite(found).all()), f"{path.name} does not classify")
    for path in folder.glob("[!.]*.json"):
        json.loads(path.read_text())


def _writes(bench: Bench, place: Path) -> tuple[object, ...]:
    """A command that writes into `place`."""
    loop = ("run", bench.clip, "--headless", "--max-frames", 150)
    return bench.rng.choice([
        ("data", bench.table, "--json", place / "o.json"),
        ("bench", "tuned_int8", "--runs", 3, "--warmup", 1, "--json", place / "o.json"),
        (*loop, "--jsonl", place / "o.jsonl"),
        (*loop, "--save", place / "o.avi"),
    ])  # fmt: skip


def full_disk(bench: Bench) -> str:
    """No room for a command's files: one line, and what was there stays."""
    place = empty(bench.folder / "full")
    (place / "o.json").write_text("{}")
    bench.whole(*_writes(bench, place), "--force", code=1, file_limit=bench.rng.choice([0, 100]))
    check((place / "o.json").read_text() == "{}", "the old file is lost")
    check(not (place / "o.avi").exists(), "half a video is taken for one")
    return MET


def no_permission(bench: Bench) -> str:
    """Outputs where nothing can be written: refused in a line, whoever runs it."""
    places = (bench.table / "below", Path("/proc/fer-edge"), Path("/dev/null/x"))
    bench.whole(*_writes(bench, bench.rng.choice(places)), code=1)
    return MET


def two_trainings(bench: Bench) -> str:
    """Two trainings into one folder, the second begun at a random moment of the first: one of them is
    refused in a line, or goes on where the other ended; the folder holds one whole training."""
    out = empty(bench.folder / "both", "checkpoint")
    command = ("train", "--recipe", bench.recipe, "--data", bench.table, "--out", out, "--resume")
    first = bench.start(*command)
    with contextlib.suppress(subprocess.TimeoutExpired):
        first.wait(bench.rng.uniform(0, 0.8 * bench.seconds.get("train", 15)))
    codes = []
    for child in (first, bench.start(*command)):
        out_text, errors = child.communicate(timeout=600)
        bench.plain(command, child.returncode, out_text, errors)
        refused = child.returncode == 1 and "another training is writing to" in errors
        check(child.returncode == 0 or refused, f"exit {child.returncode}: {errors[-300:]}")
        codes.append(child.returncode)
    check(0 in codes, "both were refused")
    _finished_training(out)
    return MET


LIGHT: dict[str, Callable[[Bench], str]] = {
    "kill data": kill_data,
    "kill run": kill_run,
    "kill bench": kill_bench,
    "full disk": full_disk,
    "no permission": no_permission,
}
HEAVY = {"kill convert": kill_convert, "kill train": kill_train, "two trainings": two_trainings}
ROUNDS = LIGHT | HEAVY
