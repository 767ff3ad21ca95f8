"""One round of each fault: a command is started, disturbed, and what is left is looked at.

Whatever lies under its final name must be whole, nothing that stood there before may be lost, and a second
start must go on or say in one line what to do. Each gives whether the command was disturbed at all.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

from faults.workbench import ROWS, Bench, check

MODEL_FILES = (
    "model.keras",
    "card.json",
    "metrics.json",
    "curves.png",
    "confusion_matrix.png",
    "history.csv",
)


def no_leftovers(folder: Path) -> None:
    """Nothing half-written under a name that anybody would open."""
    for path in folder.rglob("*"):
        if path.is_file() and not path.name.startswith("."):
            check(path.stat().st_size > 0, f"{path.name} is empty")


def read_data(bench: Bench) -> bool:
    """data: killed while it reads and caches; the next reading is right all the same."""
    shutil.rmtree(bench.folder / "cache", ignore_errors=True)
    killed = bench.killed("data", bench.table)
    found = json.loads(bench.whole("data", bench.table, "--json", "-"))
    check(found["n"] == ROWS, f"{found['n']} rows of {ROWS} after a kill")
    again = json.loads(bench.whole("data", bench.table, "--json", "-"))
    check(again == found, "the cache gives something else than the reading")
    return killed


def train(bench: Bench) -> bool:
    """train: killed, perhaps twice; --resume ends with all files and every epoch once."""
    out = bench.folder / "run"
    shutil.rmtree(out, ignore_errors=True)
    command = ("train", "--recipe", bench.recipe, "--data", bench.table, "--out", out)
    killed = bench.killed(*command, "--resume")
    if killed and bench.rng.random() < 0.5:
        bench.killed(*command, "--resume")
    for name in ("model.keras", "metrics.json", "card.json"):
        if (out / name).exists() and name.endswith(".json"):
            json.loads((out / name).read_text())
    bench.whole(*command, "--resume")
    rows = (out / "history.csv").read_text().splitlines()
    check([row.split(",")[0] for row in rows[1:]] == ["1", "2", "3"], f"epochs in history.csv: {rows[1:]}")
    check(all((out / name).stat().st_size > 0 for name in MODEL_FILES), "a file of the run is missing")
    stray = [path.name for path in out.iterdir() if path.name.startswith(".") and path.name != ".lock"]
    check(not stray or killed, f"left behind without a kill: {stray}")
    return killed


def convert(bench: Bench) -> bool:
    """convert: killed; what lies there is a whole model that runs, and a second try ends."""
    out = bench.folder / "converted"
    shutil.rmtree(out, ignore_errors=True)
    command = ("convert", "tuned", "--data", bench.table, "--float32", "--out", out)
    killed = bench.killed(*command)
    for path in out.glob("[!.]*.tflite"):
        bench.whole("bench", path, "--runs", 3, "--warmup", 1)
        check(path.with_suffix(".json").exists() or killed, "a model without its card, and no kill")
    bench.whole(*command, "--force")
    no_leftovers(out)
    return killed


def run_loop(bench: Bench) -> bool:
    """run: killed while it saves; every line of the logs is whole."""
    log, table = bench.folder / "o.jsonl", bench.folder / "o.csv"
    saved = bench.folder / "o.avi"
    command = ("run", bench.clip, "--headless", "--jsonl", log, "--csv", table, "--save", saved, "--force")
    killed = bench.killed(*command)
    if log.exists():
        text = log.read_text()
        lines = text.splitlines()
        check(not text or text.endswith("\n"), "the last line of the log is cut")
        frames = [json.loads(line)["frame"] for line in lines]
        check(frames == list(range(len(frames))), "frames are missing from the log")
        log.unlink()
    return killed


def measure(bench: Bench) -> bool:
    """bench: killed; the file that stood under --json's name stays or is replaced as a whole."""
    path = bench.folder / "b.json"
    path.write_text('{"old": true}')
    killed = bench.killed("bench", "tuned_int8", "--runs", 20, "--warmup", 1, "--json", path, "--force")
    found = json.loads(path.read_text())
    check(found == {"old": True} or found.get("schema") == 1, "b.json is neither the old nor the new one")
    return killed


def full_disk(bench: Bench) -> bool:
    """Any command that writes, with no room for its files: one line, and what was there stays."""
    limit = bench.rng.choice([0, 100, 4096, 20_000])
    name = bench.rng.choice(["data", "bench", "run", "snapshot"])
    old = bench.folder / ("old.jpg" if name == "snapshot" else "old.json")
    old.write_text("{}")
    if name == "data":
        bench.whole("data", bench.table, "--json", old, "--force", code=1, file_limit=min(limit, 100))
    elif name == "bench":
        command = ("bench", "tuned_int8", "--runs", 3, "--warmup", 1, "--json", old, "--force")
        bench.whole(*command, code=1, file_limit=min(limit, 100))
    elif name == "run":
        command = ("run", bench.clip, "--headless", "--max-frames", 300, "--jsonl", bench.folder / "n.jsonl")
        bench.whole(*command, "--force", code=1, file_limit=min(limit, 4096))
        (bench.folder / "n.jsonl").unlink(missing_ok=True)
    else:
        command = ("run", bench.clip, "--headless", "--max-frames", 5, "--save", bench.folder / "n.avi")
        bench.whole(*command, "--force", code=1, file_limit=min(limit, 4096))
        (bench.folder / "n.avi").unlink(missing_ok=True)
    check(old.read_text() == "{}", f"{name}: the old file is lost")
    return True


def no_permission(bench: Bench) -> bool:
    """Outputs under a place that cannot be written: refused in a line, whoever runs it."""
    blocked = bench.folder / "a-file"
    blocked.write_text("")
    places = [blocked / "below", Path("/proc/fer-edge"), Path("/dev/null/x")]
    place = bench.rng.choice(places)
    name = bench.rng.choice(["data", "run", "bench"])
    if name == "data":
        bench.whole("data", bench.table, "--json", place / "o.json", code=1)
    elif name == "run":
        bench.whole("run", bench.clip, "--headless", "--max-frames", 2, "--jsonl", place / "o.jsonl", code=1)
    else:
        bench.whole("bench", "tuned_int8", "--runs", 3, "--warmup", 1, "--json", place / "o.json", code=1)
    return True


ROUNDS: dict[str, Callable[[Bench], bool]] = {
    "kill data": read_data,
    "kill run": run_loop,
    "kill bench": measure,
    "full disk": full_disk,
    "no permission": no_permission,
    "kill train": train,
    "kill convert": convert,
}
