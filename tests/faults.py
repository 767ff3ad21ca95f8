"""`python tests/faults.py`: kills, full disks and folders without permission, again and again.

Each round starts a command of fer-edge, disturbs it, and looks at what is left: whatever lies under its
final name must be whole, nothing that stood there before may be lost, and a second start must go on or
say in one line what to do. Nothing here is random but the moment, which comes from --seed.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

FER_EDGE = Path(sys.executable).with_name("fer-edge")
QUIET = {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
RECIPE = 'network = "paper"\nepochs = 3\nbatch_size = 16\ndropout = 0.1\n'
MODEL_FILES = (
    "model.keras",
    "card.json",
    "metrics.json",
    "curves.png",
    "confusion_matrix.png",
    "history.csv",
)


class Wrong(Exception):
    """What must not happen."""


def check(holds: bool, text: str) -> None:
    if not holds:
        raise Wrong(text)


class Bench:
    """One folder to work in, with a small data set, a clip and a cache of its own."""

    def __init__(self, folder: Path, rng: random.Random) -> None:
        self.folder, self.rng = folder, rng
        self.takes_s: dict[str, float] = {}
        self.env = {**QUIET, "FER_EDGE_CACHE": str(folder / "cache")}
        self.recipe = folder / "tiny.toml"
        self.recipe.write_text(RECIPE)
        self.table = folder / "fer2013.csv"
        self._write_table()
        self.clip = folder / "clip.avi"
        self._write_clip()

    def _write_table(self) -> None:
        from fer_edge.data.drawn import drawn_faces

        images, labels = drawn_faces(210, 0)
        names = ("Training", "Training", "PublicTest", "PrivateTest")
        rows = [
            f"{label},{' '.join(map(str, image.ravel()))},{names[n // 7 % 4]}"
            for n, (image, label) in enumerate(zip(images, labels, strict=True))
        ]
        self.table.write_text("\n".join(["emotion,pixels,Usage", *rows]) + "\n")

    def _write_clip(self) -> None:
        writer = cv2.VideoWriter(str(self.clip), cv2.VideoWriter.fourcc(*"MJPG"), 25.0, (320, 240))
        noise = np.random.default_rng(0).integers(0, 256, (240, 320, 3), np.uint8)
        for _ in range(400):
            writer.write(noise)
        writer.release()

    def start(self, *arguments: object, file_limit: int | None = None) -> subprocess.Popen[str]:
        def limit() -> None:
            if file_limit is not None:
                signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # then writing fails as on a full disk
                resource.setrlimit(resource.RLIMIT_FSIZE, (file_limit, file_limit))

        return subprocess.Popen(
            [str(FER_EDGE), *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="backslashreplace",
            env=self.env,
            cwd=self.folder,
            preexec_fn=limit,
        )

    def killed(self, *arguments: object) -> bool:
        """Starts the command and kills it at a random moment; False if it ended before.

        The first of each command runs to its end, which says how long it takes.
        """
        name, began = str(arguments[0]), time.monotonic()
        child = self.start(*arguments)
        try:
            if name in self.takes_s:
                child.wait(self.rng.uniform(0.02, self.takes_s[name] * 1.1))
        except subprocess.TimeoutExpired:
            child.kill()
        child.communicate()
        self.takes_s.setdefault(name, time.monotonic() - began)
        return child.returncode == -signal.SIGKILL

    def whole(self, *arguments: object, code: int = 0, file_limit: int | None = None) -> str:
        """Runs the command to its end; its standard output. Anything but `code` and plain lines is wrong."""
        child = self.start(*arguments, file_limit=file_limit)
        out, errors = child.communicate(timeout=600)
        command = " ".join(map(str, arguments))
        check("Traceback" not in out + errors, f"{command}: a traceback: {errors[-300:]}")
        check("unexpected" not in errors, f"{command}: not foreseen: {errors.strip()[-300:]}")
        check(
            child.returncode == code,
            f"{command}: exit {child.returncode}, not {code}: {errors.strip()[-300:]}",
        )
        if code:
            check(bool(errors.strip()), f"{command}: failed without a word")
        return out


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
    check(found["n"] == 210, f"{found['n']} rows of 210 after a kill")
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
HEAVY = ("kill train", "kill convert")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python tests/faults.py", description=__doc__)
    parser.add_argument("--rounds", type=int, default=100, help="of each kind; of the heavy ones a tenth")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kinds", nargs="*", choices=ROUNDS, default=list(ROUNDS))
    asked = parser.parse_args()
    counts: Counter[tuple[str, str]] = Counter()
    with tempfile.TemporaryDirectory(prefix="faults-") as folder:
        bench = Bench(Path(folder), random.Random(asked.seed))
        print("| fault | rounds | disturbed | wrong |\n| --- | --: | --: | --: |")
        for kind in asked.kinds:
            rounds = max(1, asked.rounds // 10) if kind in HEAVY else asked.rounds
            for _ in range(rounds):
                try:
                    counts[kind, "disturbed"] += ROUNDS[kind](bench)
                except Wrong as wrong:
                    counts[kind, "wrong"] += 1
                    print(f"  {kind}: {wrong}", file=sys.stderr, flush=True)
            print(
                f"| {kind} | {rounds} | {counts[kind, 'disturbed']} | {counts[kind, 'wrong']} |", flush=True
            )
    return int(any(count for (_, what), count in counts.items() if what == "wrong"))


if __name__ == "__main__":
    sys.exit(main())
