"""Rounds of faults: a command is disturbed, what it left is looked at, and it is started again. Two of each
light one here; `make faults` does a hundred, of the heavy ones too.

Whatever lies under its final name must be whole, nothing that stood there before may be lost, and a second
start must go on. Each says whether the command was disturbed at all.
"""

import contextlib
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from drawn_clip import drawn_clip, write_table

from fer_edge import Classifier
from fer_edge.model import graph

STOPPED = (sys.executable, Path(__file__).with_name("stopped.py"))
ROWS = 280  # a quarter of them PublicTest: enough to prove a converted file with
TRAINED = ("model.keras", "card.json", "metrics.json", "curves.png", "confusion_matrix.png", "history.csv")


class Bench:
    """One folder to disturb commands in. seconds: what an undisturbed run of each command took here."""

    def __init__(self, folder: Path, rng: random.Random) -> None:
        self.folder, self.rng = folder, rng
        self.seconds: dict[str, float] = {}
        self.env = {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
        self.env |= {"FER_EDGE_CACHE": str(folder / "cache"), "PYTHONPATH": str(Path(__file__).parents[1])}
        recipe = folder / "tiny.toml"
        recipe.write_text('network = "tiny"\nepochs = 2\nbatch_size = 16\ndropout = 0.1\n')
        self.table = write_table(folder / "fer2013.csv", ROWS)
        self.clip = drawn_clip(folder / "clip.avi", frames_each=150)
        self.train = ("train", "--recipe", recipe, "--data", self.table, "--out")

    def empty(self, name: str, *inside: str) -> Path:
        shutil.rmtree(self.folder / name, ignore_errors=True)
        for below in ("", *inside):
            (self.folder / name / below).mkdir(parents=True)
        return self.folder / name

    def start(self, *words: object, stop: tuple[object, ...] = ("-", 0, -1), limit: tuple[str, ...] = ()):
        """stop: what `stopped.py` takes; by default the command is left alone. limit: a command before it."""
        command = map(str, (*limit, *STOPPED, *stop, *words))
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        return subprocess.Popen([*command], env=self.env, cwd=self.folder, **pipes)

    def ended(self, child: subprocess.Popen[str], refusal: str = "", code: int = 0) -> str:
        """Its standard output. Anything but `code`, or 1 with this refusal, and plain lines is wrong."""
        out, errors = child.communicate(timeout=600)
        said, last = f"{child.args}: exit {child.returncode}: {errors[-300:]}", out + errors
        assert not re.search("Traceback|unexpected", last), f"not foreseen: {said}"
        assert child.returncode == 0 or errors, f"failed without a word: {said}"
        refused = bool(refusal) and child.returncode == 1 and refusal in errors
        assert child.returncode == code or refused, f"not {code}: {said}"
        return out

    def whole(self, *words: object, **how: object) -> str:
        return self.ended(self.start(*words), **how)

    def killed(self, *words: object, writes: Path, in_a_write: bool = True) -> bool:
        """Starts the command and kills it: half of the time after a random time, else it stops by itself at
        one of its writings into the folder `writes`, or `in_a_write`. False where it ended before. The first
        of each command runs to its end and shows how long it takes."""
        name, began = str(words[0]), time.monotonic()
        usual, step, size = self.seconds.get(name), 0, -1
        if usual and self.rng.random() < 0.5:
            step = self.rng.randint(1, 12)
            size = self.rng.choice((-1, self.rng.randint(0, 20_000))) if in_a_write else -1
        child = self.start(*words, stop=(writes, step, size))
        try:
            child.wait(600 if step or not usual else self.rng.uniform(0, usual))
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
        if child.returncode in (-signal.SIGKILL, -signal.SIGXFSZ):
            child.communicate()
            return True
        self.ended(child)
        self.seconds.setdefault(name, time.monotonic() - began)
        return False


def kill_data(bench: Bench) -> bool:
    """Killed while it reads and caches; the next reading is right all the same."""
    disturbed = bench.killed("data", bench.table, writes=bench.empty("cache", "data", "index"))
    found, again = (json.loads(bench.whole("data", bench.table, "--json", "-")) for _ in range(2))
    assert found["n"] == ROWS, f"{found['n']} rows of {ROWS} after a kill"
    assert again == found, "the cache gives something else than the reading"
    return disturbed


def kill_run(bench: Bench) -> bool:
    """Killed while it saves; every line of the logs is whole."""
    place = bench.empty("saved")
    log, table, saved = (place / name for name in ("o.jsonl", "o.csv", "o.avi"))
    command = ("run", bench.clip, "--headless", "--jsonl", log, "--csv", table, "--save", saved, "--force")
    disturbed = bench.killed(*command, writes=place, in_a_write=False)  # no kill by hand cuts a line
    if log.exists():
        text = log.read_text()
        assert not text or text.endswith("\n"), "the last line of the log is cut"
        frames = [json.loads(line)["frame"] for line in text.splitlines()]
        assert frames == list(range(len(frames))), "frames are missing from the log"
    return disturbed


def kill_train(bench: Bench) -> bool:
    """Killed, perhaps twice; --resume ends with all files and every epoch once."""
    out = bench.empty("run", "checkpoint")
    disturbed = bench.killed(*bench.train, out, "--resume", writes=out)
    if disturbed:
        if bench.rng.random() < 0.3:
            bench.killed(*bench.train, out, "--resume", writes=out)
        for name in ("metrics.json", "card.json"):
            if (out / name).exists():
                json.loads((out / name).read_text())
        bench.whole(*bench.train, out, "--resume")
    _finished_training(out)
    return disturbed


def _finished_training(out: Path) -> None:
    rows = (out / "history.csv").read_text().splitlines()
    assert [row.split(",")[0] for row in rows[1:]] == ["1", "2"], f"epochs in history.csv: {rows[1:]}"
    assert all((out / name).stat().st_size > 0 for name in TRAINED), "a file of the run is missing"
    json.loads((out / "metrics.json").read_text())


def kill_convert(bench: Bench) -> bool:
    """Killed; what lies there is a whole model that runs, and a second try ends."""
    network = bench.folder / "trained/model.keras"
    if not network.exists():
        bench.whole(*bench.train, network.parent)
    out = bench.empty("converted")
    options = ("--float32", "--float16", "--name", "tiny", "--out", out)
    disturbed = bench.killed("convert", network, "--data", bench.table, *options, writes=out)
    _whole_models(out)
    if disturbed:
        bench.whole("convert", network, "--data", bench.table, *options, "--force")
    names = {path.name for path in _whole_models(out)}
    wanted = {f"tiny_{name}.{end}" for name in ("float16", "float32") for end in ("json", "tflite")}
    assert names == wanted, f"{names}"
    return disturbed


def _whole_models(folder: Path) -> list[Path]:
    for path in folder.glob("[!.]*.tflite"):
        graph.check(path.read_bytes(), path.name)
        found = Classifier(path, checked=True).predict(np.zeros((1, 48, 48), np.uint8))
        assert np.isfinite(found).sum() == 7, f"{path.name} does not classify"
    for path in folder.glob("[!.]*.json"):
        json.loads(path.read_text())
    return list(folder.glob("[!.]*"))


def _writes(bench: Bench, place: Path) -> tuple[object, ...]:
    loop = ("run", bench.clip, "--headless", "--max-frames", 150)
    return bench.rng.choice([
        ("data", bench.table, "--json", place / "o.json"),
        ("bench", "tuned_int8", "--runs", 1, "--warmup", 1, "--json", place / "o.json"),
        (*loop, "--jsonl", place / "o.jsonl"),
        (*loop, "--save", place / "o.avi"),
    ])  # fmt: skip


def full_disk(bench: Bench) -> bool:
    """No room for a command's files: one line, and what was there stays."""
    place = bench.empty("full")
    (place / "o.json").write_text("{}")
    limit = ("prlimit", f"--fsize={bench.rng.choice([0, 100])}")
    bench.ended(bench.start(*_writes(bench, place), "--force", limit=limit), code=1)
    assert (place / "o.json").read_text() == "{}", "the old file is lost"
    assert not (place / "o.avi").exists(), "half a video is taken for one"
    return True


def two_trainings(bench: Bench) -> bool:
    """Two trainings into one folder, the second begun at a random moment of the first: one of them is
    refused in a line, or goes on where the other ended; the folder holds one whole training."""
    out = bench.empty("both", "checkpoint")
    first = bench.start(*bench.train, out, "--resume")
    with contextlib.suppress(subprocess.TimeoutExpired):
        first.wait(bench.rng.uniform(0, 0.8 * bench.seconds.get("train", 15)))
    second = bench.start(*bench.train, out, "--resume")
    for child in (first, second):
        bench.ended(child, refusal="another training is writing to")
    assert 0 in (first.returncode, second.returncode), "both were refused"
    _finished_training(out)
    return True


LIGHT = (kill_data, kill_run, full_disk)
ROUNDS = (*LIGHT, kill_convert, kill_train, two_trainings)


@pytest.fixture(scope="module")
def bench(tmp_path_factory, pytestconfig):
    return Bench(tmp_path_factory.mktemp("faults"), random.Random(pytestconfig.getoption("seed")))


@pytest.mark.slow
@pytest.mark.parametrize("fault", ROUNDS)
def test_nothing_is_lost_and_nothing_half_written_taken_for_whole(bench, fault, pytestconfig, capsys):
    rounds = pytestconfig.getoption("rounds")
    if fault not in LIGHT and not rounds:
        pytest.skip("takes minutes: make faults")
    disturbed = sum(fault(bench) for _ in range(rounds or 2))
    if rounds:
        with capsys.disabled():
            print(f"\n| {fault.__name__.replace('_', ' ')} | {rounds} | {disturbed} |")
