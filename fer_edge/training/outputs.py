"""What a training leaves in its folder: history, curves, model, card, metrics, confusion matrix."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import platform
from pathlib import Path
from typing import Any

import keras
import numpy as np

from fer_edge import __version__, evaluation, files, report
from fer_edge.data import Protocol, seen_in_training
from fer_edge.errors import MissingExtraError
from fer_edge.spec import INPUT_SHAPE, LABELS, ModelCard, TensorSpec
from fer_edge.training import networks
from fer_edge.training.batches import predict
from fer_edge.training.device import Device
from fer_edge.training.recipes import Recipe
from fer_edge.training.reference import ReferenceCheck

History = list[dict[str, float]]


def write_history(folder: Path, history: History) -> None:
    """history.csv, a line an epoch; whole at any moment."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(history[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(history)
    files.write_text(folder / "history.csv", text.getvalue())


def draw_curves(path: Path, history: History, title: str) -> None:
    """Loss and accuracy of training and validation over the epochs, as PNG."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtraError("matplotlib", "train", "drawing curves") from error
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    epochs = [row["epoch"] for row in history]
    for axes, key, name in zip(
        figure.subplots(1, 2), ("loss", "accuracy"), ("loss (nats)", "accuracy"), strict=True
    ):
        axes.plot(epochs, [row[key] for row in history], label="training, augmented")
        axes.plot(epochs, [row[f"val_{key}"] for row in history], label="validation")
        axes.set(xlabel="epoch", ylabel=name)
        axes.grid(alpha=0.3)
        axes.legend()
    figure.suptitle(title)
    with files.written_aside(path) as aside:
        figure.savefig(aside, dpi=110)


def _versions() -> dict[str, str]:
    import cv2

    backend = __import__(keras.backend.backend())
    return {
        "fer-edge": __version__,
        "python": platform.python_version(),
        "keras": keras.__version__,
        keras.backend.backend(): str(backend.__version__),
        "numpy": np.__version__,
        "opencv": cv2.__version__,
    }


def describe(
    reference: keras.Model,
    recipe: Recipe,
    protocol: Protocol,
    seed: int,
    device: Device,
    check: ReferenceCheck,
    measured: dict[str, Any],
) -> ModelCard:
    """The card of a trained float32 network."""
    training = protocol.train
    return ModelCard(
        name=recipe.name,
        format="keras",
        labels=LABELS,
        input=TensorSpec("float32", (1, *INPUT_SHAPE)),
        output=TensorSpec("float32", (1, len(LABELS)), real_max=1.0, content="probabilities"),
        architecture=recipe.network,
        parameters=reference.count_params(),
        macs=networks.multiply_accumulates(reference),
        recipe=dataclasses.asdict(recipe),
        data={"path": Path(training.path).name, "sha256": training.sha256, "protocol": protocol.name,
              "training_pictures": len(training)},
        seed=seed,
        versions=_versions(),
        measured={"trained_on": str(device), "reference_check": check.to_dict(), **measured},
    )


def write_all(
    folder: Path,
    reference: keras.Model,
    recipe: Recipe,
    protocol: Protocol,
    seed: int,
    device: Device,
    check: ReferenceCheck,
    history: History,
) -> dict[str, Any]:
    """Writes model.keras, card.json, metrics.json, curves.png, confusion_matrix.png; gives the metrics."""
    with files.written_aside(folder / "model.keras") as aside:
        reference.save(aside)
    with keras.device("cpu:0"):
        probabilities = predict(reference, protocol.report.images)
    seen = seen_in_training(protocol.report, protocol.train)
    metrics = evaluation.report(
        probabilities, protocol.report, model=str(folder / "model.keras"), protocol=protocol.name,
        split=protocol.report_split, seen=seen,
    )
    best = schedule_best(history, recipe)
    measured = {
        "report": {k: metrics[k] for k in ("data", "accuracy", "accuracy_without_duplicates", "macro_f1")}
        | {"recall": {label: scores["recall"] for label, scores in metrics["per_class"].items()}},
        "epochs": len(history),
        "best_epoch": best["epoch"],
        "val_accuracy": best["val_accuracy"],
        "val_loss": best["val_loss"],
    }
    card = describe(reference, recipe, protocol, seed, device, check, measured)
    files.write_text(folder / "card.json", card.to_json())
    files.write_text(folder / "metrics.json", json.dumps(metrics, indent=2) + "\n")
    draw_curves(folder / "curves.png", history, f"{recipe.name}: {len(history)} epochs, {protocol.name}")
    report.confusion_picture(np.array(metrics["confusion_matrix"]), LABELS, folder / "confusion_matrix.png")
    return metrics


def schedule_best(history: History, recipe: Recipe) -> dict[str, float]:
    """The history's row of the epoch whose weights were kept."""
    from fer_edge.training.schedule import best_epoch

    return history[best_epoch([row[recipe.monitor] for row in history], recipe.monitor)]
