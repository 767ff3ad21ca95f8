"""`fer-edge evaluate`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fer_edge.commands import options

EXAMPLE = "Example: fer-edge evaluate tuned_int8 --data fer2013.csv --tta flip --plot confusion.png"

Model = Annotated[
    str,
    typer.Argument(
        help="A shipped model's name (tuned_int8), a .tflite or .keras file, or a training's folder.",
        autocompletion=options.complete_models,
    ),
]
Split = Annotated[
    str | None,
    typer.Option("--split", help="PublicTest, PrivateTest or Training; default: what the protocol reports."),
]
Tta = Annotated[
    str | None,
    typer.Option("--tta", help="flip: average each picture with its mirror image.", metavar="flip"),
]
Threads = Annotated[int, typer.Option("--threads", min=1, help="Threads of the interpreter.")]
Card = Annotated[
    Path | None, typer.Option("--card", metavar="FILE", help="Card (JSON) of a model that carries none.")
]
Plot = Annotated[
    Path | None, typer.Option("--plot", metavar="FILE", help="Draw the confusion matrix into this picture.")
]
Detections = Annotated[
    Path | None,
    typer.Option("--detections", metavar="FILE", help="Draw faces as 'run' finds and names them."),
]
Robustness = Annotated[
    bool,
    typer.Option("--robustness", help="Also on pictures cut, dark, turned, blurred, noisy (see --pictures)."),
]
Pictures = Annotated[
    int,
    typer.Option("--pictures", min=1, help="How many pictures of the split --robustness draws by --seed."),
]


def register(app: typer.Typer) -> None:
    """Adds the command to the command line."""

    @app.command(epilog=EXAMPLE)
    def evaluate(
        model: Model,
        data: options.Data = None,
        *,
        split: Split = None,
        protocol: options.Protocol = "official",
        labels: options.Labels = None,
        tta: Tta = None,
        threads: Threads = 1,
        card: Card = None,
        plot: Plot = None,
        detections: Detections = None,
        robustness: Robustness = False,
        pictures: Pictures = 1500,
        class_names: options.ClassNames = None,
        skip_bad_rows: options.SkipBadRows = False,
        seed: options.Seed = 0,
        json: options.Json = None,
        force: options.Force = False,
    ) -> None:
        """Measure accuracy, precision, recall and F1 of a model on a data set."""
        from fer_edge import console, evaluation, files
        from fer_edge.data import ferplus, load
        from fer_edge.errors import UsageError
        from fer_edge.evaluation import report

        console.reserve_stdout(json)
        if tta not in (None, "flip"):
            raise UsageError(f"there is no --tta {tta!r}: the only one is flip")
        files.refuse_to_overwrite_any((plot, detections, json), force)
        subject, flip = evaluation.open_model(model, threads, card), tta == "flip"
        dataset = load(data, skip_bad_rows=skip_bad_rows, seed=seed, class_names=class_names)
        chosen = evaluation.select(ferplus.chosen(dataset, labels), protocol, split)
        with console.progress("evaluating", len(chosen.dataset)) as step:
            result = evaluation.evaluate(subject, chosen, flip=flip, step=step)
        report.show_evaluation(result)
        if robustness:
            count = min(pictures, len(chosen.dataset)) * len(evaluation.CONDITIONS)
            with console.progress("robustness", count) as step:
                result["robustness"] = evaluation.robustness(
                    subject, chosen, pictures=pictures, seed=seed, flip=flip, step=step
                )
            console.say("")
            report.robustness_table(result["robustness"], subject.name, chosen.split).show()
        if plot is not None:
            report.draw_evaluation(result, plot)
        if detections is not None:
            from fer_edge import sheets
            from fer_edge.vision.faces import make_detector

            sheet = sheets.detection_sheet(chosen.dataset, make_detector("haar"), subject, seed)
            sheets.write_sheet(sheet, detections, force)
        console.write_json(json, result, force)
