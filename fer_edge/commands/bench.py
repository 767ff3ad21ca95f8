"""`fer-edge bench`."""

from pathlib import Path
from typing import Annotated, Any

from typer import Argument, Option

from fer_edge.commands import options

MODELS = "Included networks or files, .tflite files, folders of a run; default: all included files."


def bench(
    models: Annotated[list[str] | None, Argument(metavar="[MODEL]...", help=MODELS)] = None,
    data: options.OptionalData = None,
    *,
    split: Annotated[str | None, Option(help="Default: the split that the protocol reports.")] = None,
    protocol: options.Protocol = "official",
    labels: options.Labels = None,
    card: options.Card = None,
    threads: Annotated[str, Option(metavar="N,...", help="Thread counts, one row each: 1,2.")] = "1",
    warmup: Annotated[int, Option(min=0, help="Untimed inferences first, in each process.")] = 20,
    runs: Annotated[int, Option(min=1, help="Timed inferences per row, in total.")] = 1000,
    patience: Annotated[float, Option(min=0, help="Seconds to spend on repeating disturbed runs.")] = 20.0,
    advise: Annotated[bool, Option(help="Only say which file to run on this machine.")] = False,
    loop: Annotated[Path | None, Option(metavar="VIDEO", help="Measure the whole loop, at 3 sizes.")] = None,
    detector: Annotated[str, Option(help="--loop's detector, as in run.")] = "auto",
    detector_model: Annotated[Path | None, options.file("The detector's model file.")] = None,
    csv: Annotated[Path | None, options.file("Write all figures as CSV.")] = None,
    markdown: Annotated[Path | None, options.file("Write a Markdown table.")] = None,
    plot: Annotated[Path | None, options.file("Plot accuracy against latency and size.", plot=True)] = None,
    compare: Annotated[Path | None, options.file("Compare with an earlier --json; exit 3 if worse.")] = None,
    tolerance: Annotated[float, Option(min=0, help="Allowed growth of time, size, memory in %.")] = 10.0,
    class_names: options.ClassNames = None,
    skip_bad_rows: options.SkipBadRows = False,
    seed: options.Seed = 0,
    json: options.Json = None,
    force: options.Force = False,
) -> None:
    """Compare size, load time, latency, memory and accuracy of models."""
    from fer_edge import console, evaluation, files
    from fer_edge.bench import loop as looping
    from fer_edge.bench import measure, report
    from fer_edge.data import ferplus, load
    from fer_edge.errors import UsageError
    from fer_edge.model import shipped

    paths = [path for name in models or () for path in shipped.find_models(name)] or shipped.models()
    inputs = (*paths, data, card, loop, compare, detector_model, ferplus.file_of(labels))
    files.refuse_to_overwrite_any((csv, markdown, plot, json), force, inputs)
    many, of_data = len(models or ()) > 1 or "," in threads, (split, labels, class_names, skip_bad_rows)
    if loop and any((csv, plot, compare, advise, card, many, *of_data)):
        raise UsageError("--loop measures one model with one number of threads, for --json and --markdown")
    if data is None and any((*of_data, protocol != "official")):
        raise UsageError("--split, --protocol, --labels, --class-names and --skip-bad-rows go with --data")
    if loop is None and (detector != "auto" or detector_model):
        raise UsageError("--detector and --detector-model go with --loop")
    counts = measure.parse_threads(threads)
    old = report.read(compare) if compare else None
    if loop is not None:
        model = shipped.find_model(models[0] if models else shipped.best_here())
        result = looping.run(loop, model, counts[0], detector, detector_model)
        table = looping.table(result)
    else:
        selection = None
        if data is not None:
            dataset = load(data, labels, skip_bad_rows=skip_bad_rows, seed=seed, class_names=class_names)
            selection = evaluation.select(dataset, protocol, split)
        how: dict[str, Any] = {"threads": counts, "warmup": warmup, "runs": runs, "patience_s": patience}
        result = measure.run(paths, selection, card=card, seed=seed, **how)
        table = report.table(result)
    if not advise:
        table.show()
        console.say("")
    if advise or result.get("advice"):
        console.say("Which file to run here, the fastest within half a point of the best accuracy:")
        report.advice_table(result).show()
    console.write_json(json, result, force)
    if markdown is not None:
        files.write_text(markdown, table.markdown())
    if csv is not None:
        files.write_text(csv, report.csv(result))
    if plot is not None:
        report.draw(result, plot)
    if old is not None:
        report.show_changes(old, result, tolerance / 100)
