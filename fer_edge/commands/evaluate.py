"""`fer-edge evaluate`."""

from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from fer_edge.commands import options

MODEL = "Name of an included model (tuned_int8), a .tflite or .keras file, or a training's folder."


def evaluate(
    model: Annotated[str, Argument(help=MODEL)],
    data: options.Data = None,
    *,
    split: Annotated[str | None, Option(help="Default: the split that the protocol reports.")] = None,
    protocol: options.Protocol = "official",
    labels: options.Labels = None,
    tta: Annotated[str | None, Option(metavar="flip", help="Average with the mirror image.")] = None,
    card: options.Card = None,
    plot: Annotated[Path | None, options.file("Write a picture of the confusion matrix.", plot=True)] = None,
    robustness: Annotated[bool, Option(help="Also on dark, turned, blurred, noisy pictures.")] = False,
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
    from fer_edge.model import shipped

    if tta not in (None, "flip"):
        raise UsageError(f"unknown --tta {tta!r}: only flip exists")
    path = shipped.find_either(model)
    files.refuse_to_overwrite_any((plot, json), force, (path, data, card, ferplus.file_of(labels)))
    subject, flip = evaluation.open_model(str(path), card=card), tta == "flip"
    if flip and subject.views == 2:
        raise UsageError(f"{subject.name} already sees mirror images: leave out --tta flip")
    dataset = load(data, labels, skip_bad_rows=skip_bad_rows, seed=seed, class_names=class_names)
    chosen = evaluation.select(dataset, protocol, split)
    result = evaluation.evaluate(subject, chosen, flip=flip)
    report.show_evaluation(result)
    if robustness:
        result["robustness"] = evaluation.robustness(subject, chosen, seed=seed, flip=flip)
        console.say("")
        report.robustness_table(result["robustness"], subject.name, chosen.split).show()
    console.write_json(json, result, force)
    if plot is not None:
        report.draw_evaluation(result, plot)
