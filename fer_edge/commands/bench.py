"""`fer-edge bench`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from typer import Option

from fer_edge.commands import options

EXAMPLE = (
    "Example: fer-edge bench tuned_int8 tuned_float32 --data fer2013.csv --threads 1,2 --json bench.json"
)

Models = Annotated[
    list[str] | None,
    typer.Argument(
        help="Networks or files that ship, .tflite files, folders of a run; default: all that ship.",
        metavar="[MODEL]...",
        autocompletion=options.complete_models,
    ),
]
Split = Annotated[str | None, Option("--split", help="Default: what the protocol reports.")]
Card = Annotated[Path | None, Option("--card", metavar="FILE", help="Card for models that carry none.")]
Threads = Annotated[str, Option("--threads", metavar="N,...", help="Thread counts, a row each: 1,2.")]
Warmup = Annotated[int, Option("--warmup", min=0, help="Inferences before the timing, in each process.")]
Runs = Annotated[int, Option("--runs", min=1, help="Timed inferences of each row, in all.")]
Patience = Annotated[float, Option("--patience", min=0, help="Seconds for repeating what was disturbed.")]
Limit = Annotated[
    int | None, Option("--limit", min=1, help="Accuracy on so many pictures, drawn by the seed.")
]
Advise = Annotated[bool, Option("--advise", help="Say only which file to run here.")]
Loop = Annotated[
    Path | None, Option("--loop", metavar="VIDEO", help="Instead, the whole loop on a video, at three sizes.")
]
Faces = Annotated[int, Option("--faces", min=0, help="Faces in each frame of --loop's video.")]
Detector = Annotated[str, Option("--detector", help="--loop's detector, as in run.")]
DetectorModel = Annotated[Path | None, Option("--detector-model", metavar="FILE", help="Its file.")]
Csv = Annotated[Path | None, Option("--csv", metavar="FILE", help="Write every figure as CSV.")]
Markdown = Annotated[Path | None, Option("--markdown", metavar="FILE", help="Write a Markdown table.")]
Plot = Annotated[
    Path | None, Option("--plot", metavar="FILE", help="Draw accuracy against latency and size.")
]
Compare = Annotated[
    Path | None, Option("--compare", metavar="FILE", help="An older --json: what changed; exit 3 if worse.")
]
Tolerance = Annotated[
    float, Option("--tolerance", min=0, help="Percent by which time, size, memory may grow.")
]


def register(app: typer.Typer) -> None:
    """Adds the command to the command line."""

    @app.command(epilog=EXAMPLE)
    def bench(
        models: Models = None,
        data: options.OptionalData = None,
        *,
        split: Split = None,
        protocol: options.Protocol = "official",
        labels: options.Labels = None,
        limit: Limit = None,
        card: Card = None,
        threads: Threads = "1",
        warmup: Warmup = 20,
        runs: Runs = 1000,
        patience: Patience = 20.0,
        advise: Advise = False,
        loop: Loop = None,
        faces: Faces = 1,
        detector: Detector = "auto",
        detector_model: DetectorModel = None,
        csv: Csv = None,
        markdown: Markdown = None,
        plot: Plot = None,
        compare: Compare = None,
        tolerance: Tolerance = 10.0,
        class_names: options.ClassNames = None,
        skip_bad_rows: options.SkipBadRows = False,
        seed: options.Seed = 0,
        json: options.Json = None,
        force: options.Force = False,
    ) -> None:
        """Measure size, load time, latency, memory and accuracy of models side by side."""
        from fer_edge import console, evaluation, files
        from fer_edge.bench import loop as looping
        from fer_edge.bench import measure, report
        from fer_edge.data import ferplus, load
        from fer_edge.errors import UsageError
        from fer_edge.model import shipped

        console.reserve_stdout(json)
        files.refuse_to_overwrite_any((csv, markdown, plot, json), force)
        if loop and any((csv, plot, compare, advise)):
            raise UsageError("--loop gives --json and --markdown only")
        counts = measure.parse_threads(threads)
        paths = [path for name in models or () for path in shipped.find_models(name)] or shipped.models()
        old = report.read(compare) if compare else None
        result: dict[str, Any]
        if loop is not None:
            model = paths[0] if models else shipped.find_model(shipped.best_here())
            result = looping.run(loop, faces, model, counts[0], detector, detector_model)
            table = looping.table(result)
        else:
            selection = None
            if data is not None:
                whole = ferplus.chosen(
                    load(data, skip_bad_rows=skip_bad_rows, seed=seed, class_names=class_names), labels
                )
                selection = evaluation.select(whole, protocol, split, limit=limit, seed=seed)
            how: dict[str, Any] = {"threads": counts, "warmup": warmup, "runs": runs, "patience_s": patience}
            result = measure.run(paths, selection, card=card, seed=seed, **how)
            table = report.table(result)
        if not advise:
            table.show()
            console.say("")
        if result.get("advice"):
            console.say("Which file to run here, the fastest within half a point of the best accuracy:")
            report.advice_table(result).show()
        if markdown is not None:
            files.write_text(markdown, table.markdown())
        if csv is not None:
            files.write_text(csv, report.csv(result))
        if plot is not None:
            report.draw(result, plot)
        console.write_json(json, result, force)
        if old is not None:
            report.show_changes(old, result, tolerance / 100)
