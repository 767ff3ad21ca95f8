"""What a training leaves in its folder: history, curves, model, card, metrics, confusion matrix."""

from __future__ import annotations

import csv
import dataclasses
import importlib
import io
import json
import platform
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from fer_edge import __version__, files
from fer_edge.data import Protocol, seen_in_training
from fer_edge.errors import MissingExtraError
from fer_edge.evaluation import report
from fer_edge.evaluation import scores as evaluation
from fer_edge.spec import INPUT_SHAPE, USE, ModelCard, TensorSpec
from fer_edge.training import networks
from fer_edge.training.batches import predict
from fer_edge.training.checkpoint import State
from fer_edge.training.device import Device
from fer_edge.training.recipes import Recipe
from fer_edge.training.reference import ReferenceCheck
from fer_edge.vision.opencv import cv2

History = list[dict[str, float]]


@dataclass(frozen=True)
class Run:
    """A finished training: where it lies, what it was told, what it went through."""

    folder: Path
    recipe: Recipe
    protocol: Protocol
    seed: int
    device: Device
    check: ReferenceCheck
    state: State


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


def versions() -> dict[str, str]:
    """Versions of everything that a training's result may depend on."""
    backend = keras.backend.backend()
    return {
        "fer-edge": __version__,
        "python": platform.python_version(),
        "keras": keras.__version__,
        backend: str(importlib.import_module(backend).__version__),
        "numpy": np.__version__,
        "opencv": cv2.__version__,
    }


def describe(run: Run, reference: keras.Model, metrics: dict[str, Any]) -> ModelCard:
    """The card of a trained float32 network; `metrics`: its metrics.json value."""
    training, recipe = run.protocol.train, run.recipe
    reported = ("data", "accuracy", "accuracy_without_duplicates", "macro_f1")
    return ModelCard(
        name=recipe.name,
        format="keras",
        labels=training.label_names,
        input=TensorSpec("float32", (1, *INPUT_SHAPE)),
        output=TensorSpec("float32", (1, len(training.label_names)), real_max=1.0, content="probabilities"),
        architecture=recipe.network,
        parameters=reference.count_params(),
        macs=networks.multiply_accumulates(reference),
        recipe=dataclasses.asdict(recipe),
        data={
            "path": Path(training.path).name,
            "sha256": training.sha256,
            "protocol": run.protocol.name,
            "training_pictures": len(training),
            **({"teachers": run.state.teacher} if run.state.teacher else {}),
            **({"start": run.state.start} if run.state.start else {}),
        },
        seed=run.seed,
        versions=versions(),
        use=USE,
        measured={
            "trained_on": str(run.device),
            "epochs": run.state.epochs,
            "best_epoch": run.state.best + 1,
            "val_loss": run.check.loss_float32,
            "val_accuracy": run.check.accuracy_float32,
            "reference_check": run.check.to_dict(),
            "report": {key: metrics[key] for key in reported}
            | {"recall": {label: scores["recall"] for label, scores in metrics["per_class"].items()}},
        },
    )


def write_all(run: Run, reference: keras.Model) -> dict[str, Any]:
    """Writes model.keras, card.json, metrics.json, curves.png, confusion_matrix.png; gives the metrics."""
    folder, protocol = run.folder, run.protocol
    with files.written_aside(folder / "model.keras") as aside:
        reference.save(aside)
    with keras.device("cpu:0"):
        probabilities = predict(reference, protocol.report.images)
    metrics = evaluation.report(
        probabilities,
        protocol.report,
        model=run.recipe.name,
        protocol=protocol.name,
        split=protocol.report_split,
        seen=seen_in_training(protocol.report, protocol.train),
    )
    files.write_text(folder / "card.json", describe(run, reference, metrics).to_json())
    files.write_text(folder / "metrics.json", json.dumps(metrics, indent=2) + "\n")
    title = f"{run.recipe.name}: {run.state.epochs} epochs, {protocol.name}"
    draw_curves(folder / "curves.png", run.state.history, title)
    report.draw_evaluation(metrics, folder / "confusion_matrix.png")
    return metrics
