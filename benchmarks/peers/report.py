"""The peers' result as Markdown."""

from __future__ import annotations

from fer_edge.tables import Table, milliseconds, percent, size


def markdown(value: dict) -> str:
    """Both tables and what could not be measured. Ratios are to the fastest of ours in the same run."""
    ours = [row for row in value["rows"] if row["name"].startswith("fer-edge ")]
    fastest = min(ours, key=lambda row: row["latency_ms"]["p50"])
    rows = [_cells(row, fastest["latency_ms"]["p50"]) for row in value["rows"] if not row["disturbed"]]
    packages = ", ".join(
        f"{name} {version}" for name, version in value["machine"]["packages"].items() if version
    )
    notes = [
        f"{value['machine']['cpu']}, one thread each, in turn in fresh processes; x: times of "
        f"{fastest['name']}. start and MiB: a process that imports, loads and infers once. Accuracy on "
        f"PrivateTest; an asterisk behind it: on some hundreds of its pictures. {packages}."
    ]
    notes += [f"Not measured: {one['name']} ({one['reason']})." for one in value["not_measured"]]
    clip = value.get("clip") or {}
    busy = [row["name"] for row in value["rows"] if row["disturbed"]]
    if busy:
        notes.append("Left out, since the machine was busy: " + ", ".join(busy) + ".")
    headers = ("program", "size", "p50 ms", "x", "start s", "MiB", "acc %", "F1 %")
    text = Table("peers", headers, rows, notes=["\n\n".join(notes)]).markdown()
    return text + ("\n" + _clip(clip) if clip else "")


def _cells(row: dict, fastest_ms: float) -> tuple[str, ...]:
    p50 = row["latency_ms"]["p50"]
    part = "*" if row.get("pictures") and row["pictures"] < 1000 else ""
    return (
        row["name"],
        size(row["bytes"]),
        milliseconds(p50) + ("*" if row["disturbed"] else ""),
        f"{p50 / fastest_ms:.1f}",
        f"{row['start_s']:.2f}",
        "-" if row["peak_rss_mib"] is None else f"{row['peak_rss_mib']:.0f}",
        percent(row.get("accuracy")) + part,
        percent(row.get("macro_f1")),
    )


def _clip(clip: dict) -> str:
    rows = []
    for name, key in ((f"fer-edge, {clip['model']}", "ours"), ("fer 25.10.3, Haar, its tflite", "fer")):
        own = clip[key]
        found = f"{own['frames_with_face']} of {own['frames']}"
        fps = f"{own['fps']:.1f}" + ("*" if clip["disturbed"] else "")
        rows.append((name, fps, found, f"{own['peak_rss_mib']:.0f}"))
    note = (
        f"{clip['video']}, whole pipeline, one thread, nothing drawn or saved: {clip['ratio']:.1f} times the "
        f"frames a second ({clip['ratio_low']:.1f} to {clip['ratio_high']:.1f} in three pairs of runs)."
    )
    return Table("clip", ("pipeline", "fps", "face in", "MiB"), rows, notes=[note]).markdown()
