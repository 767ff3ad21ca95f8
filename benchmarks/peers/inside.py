"""The measurement, in the peers' environment: see run.py."""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import onnx_files
import subjects
from report import markdown

from fer_edge import data, machine
from fer_edge.bench import latency
from fer_edge.bench.watch import Watch
from fer_edge.evaluation import metrics
from fer_edge.model import shipped
from fer_edge.spec import split_name

HERE = Path(__file__).resolve().parent
SLOW_PICTURES = 300
PATIENCE_S = 300.0
PROCESSES = 5
"""Fresh ones, which share the timed inferences: see fer_edge.bench.latency."""
WARMUP = 10
PACKAGES = ("tensorflow", "keras", "onnxruntime", "openvino", "ai-edge-litert", "tf2onnx", "fer", "deepface")


def main() -> None:
    options = _options()
    with tempfile.TemporaryDirectory() as folder:
        options.onnx_folder = options.onnx_folder or Path(folder)
        if options.one is not None:
            print(json.dumps(one(_all(options)[options.one])))
            return
        if options.timed is not None:
            print(json.dumps(timed(_all(options), options.timed, options.runs, options.order)))
            return
        value = measure(options)
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps(value, indent=2) + "\n")
    print(markdown(value))
    if options.markdown:
        options.markdown.write_text(markdown(value))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--json", type=Path, default=Path("peers.json"))
    parser.add_argument("--markdown", type=Path)
    parser.add_argument("--data")
    parser.add_argument("--clip")
    parser.add_argument("--frames", type=int, default=300, help="of the clip")
    parser.add_argument("--file", action="append", default=[], metavar="NAME=PATH:LOW:HIGH")
    parser.add_argument("--weights", default=split_name(shipped.DEFAULT_MODEL)[0])
    parser.add_argument("--runs", type=int, default=300)
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--timed", metavar="INDEX,...", help=argparse.SUPPRESS)
    parser.add_argument("--order", type=int, default=0, help=argparse.SUPPRESS)
    parser.add_argument("--onnx-folder", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


def _all(options: argparse.Namespace) -> list[subjects.Subject]:
    found = subjects.ours() + subjects.same_weights(options.weights, options.onnx_folder) + subjects.others()
    return found + [subjects.given(text) for text in options.file]


def measure(options: argparse.Namespace) -> dict:
    described = machine.describe()
    dataset = data.load(options.data) if options.data else None
    training = dataset.part("Training").images if dataset else data.drawn_faces(200, 0)[0]
    onnx_files.write(
        shipped.find_model(f"{options.weights}_float32"), options.onnx_folder, np.asarray(training)
    )
    rows, ready, failed = [], {}, []
    for index, subject in enumerate(_all(options)):
        print(f"loading {subject.name}", file=sys.stderr, flush=True)
        try:
            alone = _apart(options, "--one", str(index))
            ready[index] = subject.load()
        except Exception as error:  # a peer that does not load is reported, and the others measured
            lines = [line for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
            reason = lines[-1].encode("ascii", "ignore").decode().strip(" ,")[:200]
            failed.append({"name": subject.name, "reason": reason})
            continue
        rows.append({**_about(subject), **alone})
    latencies = _latencies(options, list(ready))
    others = latencies.watch.others_share()
    for row, timed_ in zip(rows, latencies.summaries(), strict=True):
        row.update(timed_)
    if dataset:
        for row, predict in zip(rows, ready.values(), strict=True):
            row.update(_accuracy(predict, dataset.part("PrivateTest"), row.pop("slow")))
    versions = {name: _version(name) for name in PACKAGES}
    value = {
        "schema": 1,
        "machine": {**described, "others_share": others, "packages": versions},
        "reference": latencies.described(),
        "rows": rows,
    }
    return {**value, "not_measured": failed, "clip": _clip(options) if options.clip else None}


def one(subject: subjects.Subject) -> dict:
    """In a process of its own: load time with the imports, and memory after a first inference."""
    start = time.perf_counter()
    predict = subject.load()
    predict(np.full((48, 48), 128, np.uint8))
    return {"start_s": time.perf_counter() - start, "peak_rss_mib": machine.peak_rss_mib()}


def timed(found: list[subjects.Subject], indexes: str, runs: int, order: int) -> dict:
    """In a process of its own: the times of the subjects with these indexes, which take turns."""
    faces = list(data.drawn_faces(16, 0)[0])
    ready = [_cycled(found[int(index)].load(), faces) for index in indexes.split(",")]
    return latency.timed(ready, WARMUP, runs, order)


def _latencies(options: argparse.Namespace, indexes: list[int]) -> latency.Latencies:
    """Of the subjects with these indexes, in fresh processes."""

    def start(runs: int, order: int) -> dict:
        print(f"timing, process {order + 1} of {PROCESSES}", file=sys.stderr, flush=True)
        return _apart(
            options, "--timed", ",".join(map(str, indexes)), "--runs", str(runs), "--order", str(order)
        )

    found = latency.Latencies(start)
    for _ in range(PROCESSES):
        found.add(-(-options.runs // PROCESSES))
    found.repeat(PATIENCE_S)
    return found


def _apart(options: argparse.Namespace, *arguments: str) -> dict:
    command = [sys.executable, str(HERE / "inside.py"), *arguments, "--weights", options.weights]
    command += ["--onnx-folder", str(options.onnx_folder)]
    command += [part for text in options.file for part in ("--file", text)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=900, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr.strip() or f"exit {done.returncode}")
    return json.loads(done.stdout.strip().splitlines()[-1])


def _about(subject: subjects.Subject) -> dict:
    size = subject.file.stat().st_size if subject.file else None
    about = {"name": subject.name, "library": subject.library, "bytes": size}
    return {**about, "same_weights": subject.same_weights, "slow": subject.slow}


def _cycled(predict: subjects.Predict, faces: list[np.ndarray]):
    turn = iter(range(1 << 60))
    return lambda: predict(faces[next(turn) % len(faces)])


def _accuracy(predict: subjects.Predict, part, slow: bool) -> dict:
    chosen = np.arange(len(part))[:: max(1, len(part) // SLOW_PICTURES) if slow else 1]
    named = np.array([predict(np.asarray(part.images[index])).argmax() for index in chosen])
    cm = metrics.confusion_matrix(part.labels[chosen], named, 7)
    interval = metrics.wilson_interval(int(cm.trace()), len(chosen))
    value = {"accuracy": metrics.accuracy(cm), "accuracy_interval": list(interval), "pictures": len(chosen)}
    return {**value, "macro_f1": float(metrics.f1(cm).mean())}


def _clip(options: argparse.Namespace) -> dict:
    runs: dict[str, list[dict]] = {"ours": [], "fer": []}
    watch = Watch()
    for _ in range(3):
        for which, rows in runs.items():
            print(f"clip: {which}", file=sys.stderr, flush=True)
            command = [sys.executable, str(HERE / "clip.py"), which, options.clip, str(options.frames)]
            with watch:
                done = subprocess.run(command, capture_output=True, text=True, timeout=900, check=True)
            rows.append(json.loads(done.stdout.strip().splitlines()[-1]))
    middle = {which: sorted(rows, key=lambda row: row["fps"])[1] for which, rows in runs.items()}
    others = watch.others_share()
    ratios = sorted(a["fps"] / b["fps"] for a, b in zip(runs["ours"], runs["fer"], strict=True))
    about = {"video": Path(options.clip).name, "model": shipped.best_here(), "others_share": others}
    about["disturbed"] = watch.others_at_work()
    return {**about, **middle, "ratio": ratios[1], "ratio_low": ratios[0], "ratio_high": ratios[-1]}


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


if __name__ == "__main__":
    main()
