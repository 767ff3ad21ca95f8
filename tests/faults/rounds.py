"""One round of each fault by its name: kills, and what is wrong with the place that a command writes to."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from faults import kills
from faults.moments import Met
from faults.workbench import Bench, check

MET = Met("met")
"""A fault that a command cannot miss."""


def full_disk(bench: Bench) -> Met:
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
        command = ("run", bench.clip, "--headless", "--max-frames", 150, "--jsonl", bench.folder / "n.jsonl")
        bench.whole(*command, "--force", code=1, file_limit=min(limit, 4096))
        (bench.folder / "n.jsonl").unlink(missing_ok=True)
    else:
        command = ("run", bench.clip, "--headless", "--max-frames", 5, "--save", bench.folder / "n.avi")
        bench.whole(*command, "--force", code=1, file_limit=min(limit, 4096))
        (bench.folder / "n.avi").unlink(missing_ok=True)
    check(old.read_text() == "{}", f"{name}: the old file is lost")
    return MET


def no_permission(bench: Bench) -> Met:
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
    return MET


def two_at_once(bench: Bench) -> Met:
    """Two trainings into one folder, the second begun at a random moment of the first: one of them is
    refused in a line, or goes on where the other ended; the folder holds one whole training."""
    out = kills.empty(bench.folder / "both", "checkpoint")
    command = ("train", "--recipe", bench.recipe, "--data", bench.table, "--out", out, "--resume")
    first = bench.start(*command)
    first.pause(bench.rng.uniform(0, 0.8 * bench.usual["train"].seconds if "train" in bench.usual else 2))
    second = bench.start(*command)
    for child in (first, second):
        child.wait(600)
        bench.plain(command, child)
        refused = child.code == 1 and "another training is writing to" in child.errors()
        check(child.code == 0 or refused, f"exit {child.code}: {child.errors()[-300:]}")
    check(0 in (first.code, second.code), "both were refused")
    kills.finished_training(out)
    return MET


ROUNDS: dict[str, Callable[[Bench], Met]] = {
    "kill data": kills.read_data,
    "kill run": kills.run_loop,
    "kill bench": kills.measure,
    "full disk": full_disk,
    "no permission": no_permission,
    "kill convert": kills.convert,
    "kill train": kills.train,
    "two trainings": two_at_once,
}
HEAVY = ("kill convert", "kill train", "two trainings")
