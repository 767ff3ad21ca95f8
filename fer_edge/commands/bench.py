"""`fer-edge bench`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fer_edge.commands import completion, options

EXAMPLE = (
    "Example: fer-edge bench tuned_int8 tuned_float32 --data fer2013.csv --threads 1,2 --json bench.json"
)

Models = Annotated[
    list[str] | None,
    typer.Argument(
        help="Shipped models' names or .tflite files; default: all that ship.",
        metavar="[MODEL]...",
        autocompletion=completion.models,
    ),
]
Split = Annotated[
    str | None,
    typer.Option("--split", help="PublicTest, PrivateTest or Training; default: what the protocol reports."),
]
Card = Annotated[
    Path | None, typer.Option("--card", metavar="FILE", help="Card (JSON) for models that carry none.")
]
Threads = Annotated[str, typer.Option("--threads", metavar="N,...", help="Thread counts, a row each: 1,2.")]
Warmup = Annotated[
    int, typer.Option("--warmup", min=0, help="Inferences before the timing, in each process.")
]
Runs = Annotated[
    int, typer.Option("--runs", min=1, help="Timed inferences of each row, in ten processes together.")
]
Limit = Annotated[
    int | None, typer.Option("--limit", min=1, help="Accuracy on so many pictures, drawn by the seed.")
]
Csv = Annotated[Path | None, typer.Option("--csv", metavar="FILE", help="Write every figure as CSV.")]
Markdown = Annotated[Path | None, typer.Option("--markdown", metavar="FILE", help="Write a Markdown table.")]
Html = Annotated[Path | None, typer.Option("--html", metavar="FILE", help="Write one self-contained page.")]
Plot = Annotated[
    Path | None, typer.Option("--plot", metavar="FILE", help="Draw accuracy against latency and size.")
]
Compare = Annotated[
    Path | None,
    typer.Option("--compare", metavar="FILE", help="An older --json: show what changed; exit 3 if worse."),
]
Tolerance = Annotated[
    float, typer.Option("--tolerance", min=0, help="Growth of time, size, memory that passes, in percent.")
]


Limits = Annotated[
    bool,
    typer.Option("--limits", help="Measure the core's limit: each model's floor, projections to boards."),
]
Profile = Annotated[bool, typer.Option("--profile", help="Time every operator of each model.")]
Loop = Annotated[
    Path | None,
    typer.Option("--loop", metavar="VIDEO", help="Instead, run the whole loop on a video, at three sizes."),
]
YuNet = Annotated[
    Path | None,
    typer.Option(
        "--detector-model", metavar="FILE", help="YuNet's .onnx: --loop measures that detector too."
    ),
]
Faces = Annotated[int, typer.Option("--faces", min=0, help="Faces in each frame of --loop's video.")]


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
        runs: Runs = 500,
        limits: Limits = False,
        profile: Profile = False,
        loop: Loop = None,
        detector_model: YuNet = None,
        faces: Faces = 1,
        csv: Csv = None,
        markdown: Markdown = None,
        plot: Plot = None,
        html: Html = None,
        compare: Compare = None,
        tolerance: Tolerance = 10.0,
        skip_bad_rows: options.SkipBadRows = False,
        seed: options.Seed = 0,
        json: options.Json = None,
        force: options.Force = False,
    ) -> None:
        """Measure size, load time, latency, memory and accuracy of models side by side."""
        from fer_edge import console, files, tables
        from fer_edge.bench import compare as comparing
        from fer_edge.bench import show
        from fer_edge.bench.run import Config, parse_threads, run
        from fer_edge.data import ferplus, load
        from fer_edge.errors import UsageError
        from fer_edge.evaluation import scores as evaluation
        from fer_edge.model import shipped

        console.reserve_stdout(json)
        files.refuse_to_overwrite_any((csv, markdown, plot, html, json), force)
        config = Config(parse_threads(threads), warmup, runs, card, seed, limits, profile)
        paths = [shipped.find_model(name) for name in models] if models else shipped.models()
        if loop is not None:
            if any((csv, plot, html, compare)):
                raise UsageError("--loop gives --json and --markdown, not --csv, --plot, --html or --compare")
            from fer_edge.bench import clip, clip_sheets
            from fer_edge.bench import loop as looping

            model = paths[0] if models else shipped.find_model(shipped.DEFAULT_MODEL)
            setting = looping.Setting(loop, faces, model, config.threads[0])
            looped = looping.run(setting, tables.progress)
            base = clip.Setting(
                "", "", str(detector_model or ""), str(model), str(card or ""), setting.threads
            )
            rows = clip.rows([loop], base, with_yunet=detector_model is not None)
            looped["detectors"] = clip_sheets.measured(rows, tables.progress)
            show.loop(looped, markdown)
            console.write_json(json, looped, force)
            return
        old = comparing.read(compare) if compare else None
        selection = None
        if data is not None:
            whole = ferplus.chosen(load(data, skip_bad_rows=skip_bad_rows, seed=seed), labels)
            selection = evaluation.select(whole, protocol, split, limit=limit, seed=seed)
        result = run(paths, config, selection, tables.progress)
        show.result(result)
        show.write(result, csv=csv, markdown=markdown, plot_to=plot, html_to=html)
        console.write_json(json, result, force)
        if old is not None:
            show.compared(old, result, tolerance / 100)
