"""Measures the subjects and whole pipelines, in the peers' environment: run.py starts it there."""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import re
import shutil
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import subjects

from fer_edge import child, data, files, machine
from fer_edge.bench import latency, loop, report
from fer_edge.console import Table, milliseconds, percent, size
from fer_edge.evaluation import metrics
from fer_edge.model import shipped
from fer_edge.spec import split_name

SLOW_PICTURES = 300
PROCESSES = 5
"""Fresh ones, which share the timed inferences: see fer_edge.bench.latency."""
PACKAGES = (
    *("tensorflow", "keras", "onnxruntime", "openvino", "opencv-contrib-python", "ai-edge-litert"),
    *("litert-quantizer", "tf2onnx", "fer", "deepface"),
)
FER = "fer, Haar, its tflite"


def main() -> None:
    options = _options()
    with tempfile.TemporaryDirectory() as folder:
        value = measured(options, Path(folder))
    files.write_text(options.json, json.dumps(value, indent=2) + "\n")
    print(markdown(value))
    if options.markdown:
        files.write_text(options.markdown, markdown(value))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="run.py", description="Other programs and runtimes beside ours.")
    parser.add_argument("--json", type=Path, default=Path("peers.json"))
    parser.add_argument("--markdown", type=Path)
    parser.add_argument("--data", help="accuracy on its PrivateTest")
    parser.add_argument("--pictures", type=int, default=0, help="about so many of them; default: all")
    parser.add_argument("--clip", type=Path, help="whole pipelines on this video")
    parser.add_argument("--rounds", type=int, default=3, help="of the clip")
    parser.add_argument("--detector", action="append", default=[], metavar="NAME=FILE", help="besides Haar")
    parser.add_argument(
        *("--file",),
        action="append",
        default=[],
        metavar="NAME=PATH:LOW:HIGH",
        help="also a .tflite or .keras file that takes a gray face in LOW..HIGH and names FER-2013's seven",
    )
    parser.add_argument("--weights", default=split_name(shipped.DEFAULT_MODEL)[0], metavar="NETWORK")
    parser.add_argument("--runs", type=int, default=300)
    parser.add_argument("--patience", type=float, default=300.0, help="seconds for what was disturbed")
    return parser.parse_args()


def measured(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """The JSON's value. folder: for files that are converted."""
    described = machine.describe()
    dataset = data.load(options.data) if options.data else None
    training = dataset.part("Training").images if dataset else data.drawn_faces(subjects.CALIBRATION, 0)[0]
    subjects.convert(shipped.find_model(f"{options.weights}_float32"), folder, np.asarray(training))
    asked = (options.weights, str(folder), "\n".join(options.file))
    every = subjects.every(options.weights, folder, options.file)
    rows: dict[int, dict[str, Any]] = {}
    failed = []
    for index, subject in enumerate(every):
        print(f"loading {subject.name}", file=sys.stderr, flush=True)
        pictures = SLOW_PICTURES if subject.slow and not options.pictures else options.pictures
        about = {"name": subject.name, "bytes": subject.file.stat().st_size if subject.file else None}
        try:
            given = (index, options.data or "", pictures)
            alone = child.run(subjects.alone, *asked, *given, what=subject.name, timeout_s=900)
        except child.ChildError as error:  # a peer that does not load is reported, and the others measured
            last = str(error).rpartition("): ")[2]  # its last line, where pictures are written as escapes
            failed.append({**about, "reason": re.sub(r"\\u\w{4}|[^ -~]", "", last).strip()[:200]})
            continue
        rows[index] = {**about, "network": subject.network, **alone}
        if dataset:
            rows[index] |= _scores(alone["named"], dataset.part("PrivateTest").labels, pictures)
    which = ",".join(map(str, rows))

    def start(runs: int, order: int) -> dict[str, Any]:
        print(f"timing, process {order + 1}", file=sys.stderr, flush=True)
        return dict(child.run(subjects.timed, *asked, which, runs, order, what="timing", timeout_s=900))

    how = {"processes": PROCESSES, "patience_s": options.patience}
    summaries, told = latency.measured(start, options.runs, **how)
    for row, times in zip(rows.values(), summaries, strict=True):
        row.update(times)
    _agreements(list(rows.values()))
    versions = {name: importlib.metadata.version(name) for name in PACKAGES}
    precision = child.run(subjects.openvino_precision, str(folder / "float32.onnx"), what="OpenVINO")
    return {
        "schema": 1,
        "machine": {**described, "packages": versions, "openvino_precision": precision},
        "network": options.weights,
        "reference": told,
        "rows": list(rows.values()),
        "not_measured": failed,
        "clip": _clip(options, folder) if options.clip else None,
    }


def _scores(named: list[int], labels: np.ndarray, pictures: int) -> dict[str, Any]:
    which = subjects.chosen(len(labels), pictures)
    cm = metrics.confusion_matrix(labels[which], np.array(named), 7)
    interval = list(metrics.wilson_interval(int(cm.trace()), len(which)))
    scores = metrics.scores(cm, range(7))
    told = {key: scores[key] for key in ("accuracy", "macro_f1")}
    return {**told, "accuracy_interval": interval, "pictures": len(which)}


def _agreements(rows: list[dict[str, Any]]) -> None:
    """Puts `agreement` in each row: with the float32 file of its network in LiteRT, on as many pictures."""
    named = {row["name"]: row.pop("named", None) for row in rows}
    for row in rows:
        own, other = named[row["name"]], named.get(f"fer-edge {row['network']}_float32")
        if own and other:
            step = round(len(other) / len(own))  # slow ones saw a part of the pictures
            row["agreement"] = float(np.mean(np.array(own) == np.array(other[::step])))


def _clip(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Whole pipelines in turn, one thread each: ours as `bench --loop` runs it, with each detector."""
    clip = folder / options.clip.name  # our loop writes its face log beside it
    shutil.copyfile(options.clip, clip)
    model = shipped.find_model(shipped.best_here(options.weights))
    ours = {"haar": "", **dict(text.split("=", 1) for text in options.detector)}
    runs: dict[str, list[dict[str, Any]]] = {FER: [], **{f"fer-edge, {name}": [] for name in ours}}
    shares, disturbed = [], False
    for name in list(runs) * options.rounds:
        print(f"clip: {name}", file=sys.stderr, flush=True)
        detector = name.removeprefix("fer-edge, ")
        with machine.Watch() as meanwhile:
            if name == FER:
                row = child.run(subjects.fer_pipeline, str(clip), what=name, timeout_s=900)
            else:
                given = (str(clip), str(model), 1, detector, ours[detector])
                row = child.run(loop.run_here, *given, what=name, timeout_s=900)
                faces = [json.loads(line)["faces"] for line in clip.with_suffix(".jsonl").open()]
                row["found"] = sum(map(bool, faces)) / len(faces)
        runs[name].append(row)
        shares.append(meanwhile.others_share or 0.0)
        disturbed |= meanwhile.disturbed
    rows = []
    for name, own in runs.items():
        middle = sorted(own, key=lambda row: row["fps"])[(len(own) - 1) // 2]
        ratios = [a["fps"] / b["fps"] for a, b in zip(own, runs[FER], strict=True)]
        told = {key: middle[key] for key in ("frames", "fps", "found", "peak_rss_mib")}
        ends = {"ratio": statistics.median(ratios), "ratio_low": min(ratios), "ratio_high": max(ratios)}
        rows.append({"name": name, **told, **ends})
    about = {"video": options.clip.name, "model": model.stem, "rounds": options.rounds}
    return {**about, "others_share": max(shares), "disturbed": disturbed, "rows": rows}


def markdown(value: dict[str, Any]) -> str:
    """Both tables and what could not be measured; ratios first. Rows of a busy machine have an asterisk."""
    known, own = value["machine"], {row["name"]: row["latency_ms"]["p50"] for row in value["rows"]}
    ours, best = f"fer-edge {value['network']}_float32", shipped.best_here(value["network"])
    headers = (
        "program",
        "x float32",
        "x ours",
        "p50 ms",
        "size",
        "start s",
        "MiB",
        "agree %",
        "acc %",
        "F1 %",
    )
    table = Table("peers", headers)
    for row in value["rows"]:
        p50, part = row["latency_ms"]["p50"], "+" * (row.get("pictures", 1000) < 1000)
        ratios = (f"{p50 / own[name]:.2f}" for name in (ours, f"fer-edge {best}"))
        alone = (f"{row['start_s']:.2f}", f"{row['peak_rss_mib'] or 0:.0f}")
        scores = (percent(row.get("agreement"), 2), percent(row.get("accuracy"), 2) + part)
        time = milliseconds(p50) + "*" * row["disturbed"]
        table.add(
            row["name"], *ratios, time, size(row["bytes"]), *alone, *scores, percent(row.get("macro_f1"))
        )
    for row in value["not_measured"]:
        table.add(f"{row['name']}: not measured", *[None] * (len(headers) - 1))
    packages = ", ".join(f"{name} {version}" for name, version in known["packages"].items())
    notes = [
        f"{known['cpu']}, one thread each, in turn in fresh processes. x float32, x ours: times the p50 of "
        f"{ours}, and of {best}, which `run` takes here; below 1 is faster. start and MiB: a process that "
        "imports, loads and infers once. agree: with our float32 file, accuracy: on PrivateTest; +: on some "
        f"hundreds of its pictures. OpenVINO as it comes computes in {known['openvino_precision']} here. "
        f"{packages}."
    ]
    notes += [f"Not measured: {row['name']} ({row['reason']})." for row in value["not_measured"]]
    if any(row["disturbed"] for row in value["rows"]):
        notes.append(f"\\{report.BUSY}.")
    table.notes = ["\n\n".join(notes)]
    return table.markdown() + ("\n" + _clip_table(value["clip"]) if value["clip"] else "")


def _clip_table(clip: dict[str, Any]) -> str:
    table = Table("clip", ("pipeline", "x fer", "from .. to", "fps", "face in %", "MiB"))
    for row in clip["rows"]:
        ends = f"{row['ratio_low']:.1f}..{row['ratio_high']:.1f}"
        fps = f"{row['fps']:.1f}" + "*" * clip["disturbed"]
        found = percent(row["found"])
        table.add(row["name"], f"{row['ratio']:.1f}", ends, fps, found, f"{row['peak_rss_mib'] or 0:.0f}")
    table.notes = [
        f"{clip['video']}, whole pipelines on one thread, {clip['rounds']} round(s) in turn. x fer: times "
        "the frames a second of fer's own Video.analyze in the same round. Ours with "
        f"{clip['model']}, drawing every frame, writing a face log, and decoding the next frame in a second "
        "thread; fer draws and saves nothing."
    ]
    return table.markdown()


if __name__ == "__main__":
    main()
