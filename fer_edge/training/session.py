"""One whole training: data, device, fit, reference check, outputs."""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import shutil
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import keras

from fer_edge import console, files
from fer_edge.data import Protocol, ferplus, load, protocol_splits
from fer_edge.errors import GateError, OutputError
from fer_edge.training import (
    checkpoint,
    device,
    fit,
    objective,
    outputs,
    recipes,
    reference,
    start,
    teacher,
    workers,
)
from fer_edge.training.progress import TrainingProgress


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Holds `folder` against a second training. Raises OutputError where one runs already."""
    files.make_folders(folder)
    with (folder / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise OutputError(f"another training is writing to {folder}: choose another --out") from error
        yield


def _make_ready(folder: Path, resume: bool, force: bool) -> None:
    checkpoint = folder / "checkpoint"
    if checkpoint.exists() and not resume:
        if not force:
            raise OutputError(f"{folder} holds a training: go on with --resume, or begin anew with --force")
        shutil.rmtree(checkpoint)


def run(
    recipe: recipes.Recipe,
    data: str,
    folder: Path,
    seed: int,
    *,
    resume: bool = False,
    force: bool = False,
    precision: str = "auto",
    skip_bad_rows: bool = False,
    labels: str | None = None,
    votes: Path | None = None,
    teachers: Sequence[str] = (),
    weights: Sequence[str | Path] = (),
) -> dict[str, Any]:
    """Trains into `folder`; gives the metrics on the protocol's report split.

    Of several processes (`workers`) only the first writes; the others give {}.

    labels, votes: as in ferplus.chosen. teachers: models, by name or path, where the recipe learns from
    them. weights: shipped networks or `.keras` files, of the recipe's network, whose mean it starts from.

    Raises UsageError as start.check does, OutputError if the folder holds a run and neither `resume` nor
    `force` is given, GateError past the recipe's reference tolerances (the model is written all the same,
    so that it can be looked at).
    """
    start.check(recipe, teachers, votes, labels)
    used = device.prepare(precision)
    console.say(str(used))
    try:
        me = workers.current()
        with _alone(folder) if me.first else contextlib.nullcontext():
            if me.first:
                _make_ready(folder, resume, force)
            workers.together("ready")
            dataset = load(data, skip_bad_rows=skip_bad_rows, seed=seed)
            dataset = ferplus.chosen(dataset, labels, votes)
            protocol = protocol_splits(dataset, recipe.protocol)
            files.write_text(folder / "recipe.toml", recipes.to_toml(recipe))
            with TrainingProgress(recipe.epochs) as progress:
                network, state = fit.train(
                    recipe,
                    protocol.train,
                    protocol.validation,
                    folder=folder,
                    seed=seed,
                    watcher=progress,
                    teacher=teacher.opened(teachers),
                    start=start.opened(weights),
                    on_epoch=lambda state: outputs.write_history(folder, state.history),
                )
            if not me.first:
                return {}
            run_of = partial(outputs.Run, seed=seed, device=used, state=state)
            metrics, check = _finish(run_of, folder, recipe, protocol, network)
            if recipe.votes_weight and protocol.train.label_names != ferplus.LABELS:
                best = checkpoint.best_weights(folder / "checkpoint", state)
                second = objective.votes_network(recipe, len(protocol.train.label_names), best)
                if second is not None:
                    named = recipe.override(name=f"{recipe.name}_ferplus")
                    _finish(run_of, folder / "ferplus", named, votes_protocol(protocol), second)
    except OSError as error:
        raise OutputError(f"cannot write to {folder}: {error.strerror or error}") from error
    if not check.passed:
        raise GateError(f"{check}: past the recipe's tolerance")
    return metrics


def votes_protocol(protocol: Protocol) -> Protocol:
    """The same rows for a head that learned their votes: chosen and reported on FER+'s majorities."""
    return dataclasses.replace(
        protocol,
        train=dataclasses.replace(protocol.train, label_names=ferplus.LABELS),
        validation=ferplus.relabelled(protocol.validation),
        report=ferplus.relabelled(protocol.report),
    )


def _finish(
    run_of: Callable[..., outputs.Run],
    folder: Path,
    recipe: recipes.Recipe,
    protocol: Protocol,
    network: keras.Model,
) -> tuple[dict[str, Any], reference.ReferenceCheck]:
    with workers.alone():
        built = reference.rebuild(network, recipe)
    check = reference.check(network, built, protocol.validation, recipe)
    run = run_of(folder=folder, recipe=recipe, protocol=protocol, check=check)
    metrics = outputs.write_all(run, built)
    _summarise(folder, metrics, check)
    return metrics, check


def _summarise(folder: Path, metrics: dict[str, Any], check: reference.ReferenceCheck) -> None:
    data = metrics["data"]
    console.say(
        f"{folder / 'model.keras'}: accuracy {metrics['accuracy']:.4f}, macro-F1 {metrics['macro_f1']:.4f} "
        f"on {data['split']} ({data['n']} pictures, protocol {data['protocol']})"
    )
    console.say(str(check))
