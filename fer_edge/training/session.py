"""A complete training: data, device, fit, reference check, and the files in its folder."""

import contextlib
import importlib
import json
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import keras

from fer_edge import __version__, console, files
from fer_edge.data import Protocol, ferplus, seen_in_training
from fer_edge.data.dataset import Dataset
from fer_edge.errors import GateError
from fer_edge.evaluation import Selection, metrics, report, result_of
from fer_edge.model import keras_files
from fer_edge.spec import INPUT_SHAPE, USE, ModelCard, TensorSpec
from fer_edge.training import device, fit, networks
from fer_edge.training.batches import Teacher
from fer_edge.training.recipes import Recipe


def check_reference(
    network: keras.Model, reference: keras.Model, dataset: Dataset, recipe: Recipe
) -> dict[str, Any]:
    """Compares both on all of `dataset`; passes within the recipe's two tolerances.

    The float32 network `reference` ships: this finds differences due to the device's number format or faults
    of its kernels. agreement: share of pictures with the same class. Losses: mean cross-entropy in nats.
    """
    on_device = fit.predict(network, dataset.images)
    with keras.device("cpu:0"):
        on_cpu = fit.predict(reference, dataset.images)
    check: dict[str, Any] = {"pictures": len(dataset), "agreement": metrics.agreement(on_device, on_cpu)}
    check["max_abs_diff"] = metrics.max_abs_diff(on_device, on_cpu)
    for where, given in (("device", on_device), ("float32", on_cpu)):
        check[f"loss_{where}"], check[f"accuracy_{where}"] = fit.loss_and_accuracy(given, dataset.labels)
    near = abs(check["loss_device"] - check["loss_float32"]) <= recipe.reference_loss_difference
    return check | {"passed": near and check["agreement"] >= recipe.reference_agreement}


def run(
    recipe: Recipe,
    protocol: Protocol,
    folder: Path,
    seed: int,
    *,
    resume: bool = False,
    precision: str = "auto",
    teachers: Sequence[str] = (),
    weights: Sequence[str] = (),
) -> dict[str, Any]:
    """Trains into `folder`, from the start or from its checkpoint; returns the value of metrics.json.

    protocol: of `recipe.split`. teachers, weights: as for `Teacher.opened` and `fit.Start.opened`. Of several
    processes (`device.workers`), only the first writes; the others return {}.
    Raises OutputError if another training uses the folder, GateError past the recipe's reference tolerances
    (the model is still written, so that it can be examined).
    """
    used = device.prepare(precision)
    console.say(used)
    teacher, start = Teacher.opened(teachers), fit.Start.opened(weights)
    first = device.workers().index == 0
    with files.held(folder, "training") if first else contextlib.nullcontext():
        learned: dict[str, Any] = {"teacher": teacher, "start": start, "resume": resume}
        trained = fit.train(recipe, protocol.train, protocol.validation, folder=folder, seed=seed, **learned)
        if not first:
            return {}
        network, trainee, state = trained
        ended = Run(folder, recipe, protocol, used, state, teacher, start)
        with console.working("measuring the network"), device.undistributed():
            if recipe.votes_weight:
                ended.write_votes_network(network, trainee)
            measured, check = ended.write(network)
    if not check["passed"]:
        raise GateError("the float32 network differs from the trained one by more than the recipe allows")
    return measured


@dataclass(frozen=True)
class Run:
    """A finished training: its folder, settings and history."""

    folder: Path
    recipe: Recipe
    protocol: Protocol
    device: str
    state: fit.State
    teacher: Teacher
    start: fit.Start

    def write(self, network: keras.Model) -> tuple[dict[str, Any], dict[str, Any]]:
        """Checks the network; writes model.keras, its card, metrics.json and the pictures of them.

        Returns the values of metrics.json and of `check_reference`.
        """
        told, folder, name = self.protocol, self.folder, self.recipe.name
        reference = keras_files.in_float32(network)
        check = check_reference(network, reference, told.validation, self.recipe)
        with keras.device("cpu:0"):
            probabilities = fit.predict(reference, told.report.images)
        seen = seen_in_training(told.report, told.train)
        measured = result_of(probabilities, Selection(told.report, told.name, told.report_split, seen), name)
        files.write_text(folder / "card.json", self.card(reference, check, measured).to_json())
        files.write_text(folder / "metrics.json", json.dumps(measured, indent=2) + "\n")
        report.draw_evaluation(measured, folder / "confusion_matrix.png")
        self.draw_curves(folder / "curves.png")
        with files.written_aside(folder / "model.keras") as aside:  # last: it says that all is there
            reference.save(aside)
        right = f"accuracy {measured['accuracy']:.4f}, macro-F1 {measured['macro_f1']:.4f}"
        on = f"{told.report_split} ({len(told.report)} pictures, protocol {told.name})"
        console.say(f"{folder / 'model.keras'}: {right} on {on}")
        console.say(
            f"reference check on {check['pictures']} pictures: agreement {check['agreement']:.4f}, largest "
            f"difference {check['max_abs_diff']:.4f}, loss {check['loss_device']:.4f} on the device and "
            f"{check['loss_float32']:.4f} in float32"
        )
        return measured, check

    def write_votes_network(self, network: keras.Model, trainee: keras.Model) -> None:
        """Writes the head for FER+'s votes as a separate network into ferplus/, if possible."""
        told = self.protocol
        others = ferplus.relabelled(told.validation), ferplus.relabelled(told.report)
        if (votes := networks.votes_network(network, trainee)) and all(map(len, others)):
            train = replace(told.train, label_names=ferplus.LABELS)
            protocol = replace(told, train=train, validation=others[0], report=others[1])
            named = self.recipe.override(name=f"{self.recipe.name}_ferplus")
            replace(self, folder=self.folder / "ferplus", recipe=named, protocol=protocol).write(votes)

    def card(self, reference: keras.Model, check: dict[str, Any], measured: dict[str, Any]) -> ModelCard:
        """The card of the trained float32 network; `measured`: its metrics.json value."""
        training, recipe, state = self.protocol.train, self.recipe, self.state
        labels, on_votes = training.label_names, training.label_names == ferplus.LABELS
        backend = keras.backend.backend()
        modules = {"keras": "keras", backend: backend, "numpy": "numpy", "opencv": "cv2"}
        versions = {name: importlib.import_module(module).__version__ for name, module in modules.items()}
        reported = ("data", "accuracy", "accuracy_without_duplicates", "macro_f1")
        return ModelCard(
            name=recipe.name,
            format="keras",
            labels=labels,
            input=TensorSpec("float32", (1, *INPUT_SHAPE)),
            output=TensorSpec("float32", (1, len(labels)), real_max=1.0, content="probabilities"),
            architecture=recipe.network,
            parameters=reference.count_params(),
            macs=networks.multiply_accumulates(reference),
            recipe=asdict(recipe),
            data={
                "path": Path(training.path).name,
                "sha256": training.sha256,
                "protocol": self.protocol.name,
                "training_pictures": len(training),
                "votes": "the labels" if on_votes else "beside the labels" if recipe.votes_weight else "none",
                "teachers": dict(self.teacher.sha256),
                "start": dict(self.start.sha256),
            },
            seed=state.seed,
            versions={"fer-edge": __version__, "python": platform.python_version(), **versions},
            use=USE,
            measured={
                "trained_on": self.device,
                "epochs": state.epochs,
                "best_epoch": state.best + 1,
                "val_loss": check["loss_float32"],
                "val_accuracy": check["accuracy_float32"],
                "reference_check": check,
                "report": {key: measured[key] for key in reported}
                | {"recall": {label: row["recall"] for label, row in measured["per_class"].items()}},
            },
        )

    def draw_curves(self, path: Path) -> None:
        """Loss and accuracy over the epochs, as PNG."""
        from matplotlib.figure import Figure

        figure, history = Figure(figsize=(9, 3.6), layout="constrained"), self.state.history
        epochs = [row["epoch"] for row in history]
        for axes, key in zip(figure.subplots(1, 2), ("loss", "accuracy"), strict=True):
            axes.plot(epochs, [row[key] for row in history], ".-", label="training, augmented")
            axes.plot(epochs, [row[f"val_{key}"] for row in history], ".-", label="validation")
            axes.set(xlabel="epoch", ylabel="loss (nats)" if key == "loss" else key)
            axes.grid(alpha=0.3)
            axes.legend()
        title = f"{self.recipe.name}: {self.state.epochs} epochs, {self.protocol.name}"
        figure.suptitle(title, parse_math=False)
        files.write_figure(path, figure)
