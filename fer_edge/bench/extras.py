"""What a benchmark says besides latency: parts of it, the core's limit, energy, operators."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fer_edge import machine
from fer_edge.bench import energy, limits, parts, profile, projection, workload
from fer_edge.bench.accuracy import Progress
from fer_edge.bench.latency import Row
from fer_edge.bench.timing import BLOCK
from fer_edge.model import modelfile
from fer_edge.model.classifier import Classifier

MOST_RUNS = 200
"""At most so many inferences tell a row's parts and its operators."""


@dataclass(frozen=True)
class Subject(Row):
    """One row of the benchmark, loaded."""

    classifier: Classifier


@dataclass(frozen=True)
class Wanted:
    """How much to measure; limits and profile only where asked for, since they take seconds."""

    warmup: int
    runs: int
    seed: int
    limits: bool
    profile: bool


@dataclass(frozen=True)
class Extras:
    """limits: as `limits.measure` gives, with the boards' sources; None where not asked for.

    energy: the meter or why there is none. rows: for each subject `macs`, `parts_ms`, `energy_mj`, `watts`,
    and where asked for `floor_ms`, `projections`, `profile` (of the rows with the fewest threads); what
    was not measured is None.
    """

    limits: dict[str, Any] | None
    energy: dict[str, Any]
    rows: list[dict[str, Any]]


def measure(subjects: Sequence[Subject], wanted: Wanted, progress: Progress) -> Extras:
    """Measures all of it. Raises MissingExtraError for a profile without LiteRT's schema, ModelError."""
    rows: list[dict[str, Any]] = [{} for _ in subjects]
    files = {subject.path: modelfile.read_bytes(subject.path) for subject in subjects}
    work = {path: workload.of(data) for path, data in files.items()}
    for row, subject in zip(rows, subjects, strict=True):
        row["macs"] = workload.total_macs(work[subject.path])
    runs = min(wanted.runs, MOST_RUNS)
    with progress("parts", len(rows) * -(-runs // BLOCK)) as step:
        timed = [parts.Subject(subject.path, subject.threads, subject.card) for subject in subjects]
        for row, own in zip(rows, parts.measure(timed, runs, wanted.seed, step), strict=True):
            row["parts_ms"] = own
    limit = _limits(progress) if wanted.limits else None
    for row, subject in zip(rows, subjects, strict=True):
        operators = work[subject.path]
        row["floor_ms"] = limit and _floor_ms(operators, limit, subject.threads)
        row["projections"] = projection.of(operators) if limit else None
    meter = _energy(rows, subjects)
    fewest = min(subject.threads for subject in subjects)
    for row, subject in zip(rows, subjects, strict=True):
        if wanted.profile and subject.threads == fewest:
            row["profile"] = _profile(files[subject.path], subject, wanted, progress)
        else:
            row["profile"] = None
    return Extras(limit, meter, rows)


def _limits(progress: Progress) -> dict[str, Any]:
    with progress("the core's limit", 1) as step:
        found = limits.measure()
        step(1)
    return {**found, "boards": projection.sources()}


def _floor_ms(operators: list[workload.Work], limit: dict[str, Any], threads: int) -> float | None:
    one_core = limits.floor_ms(operators, limit)
    return None if one_core is None else one_core / min(threads, machine.usable_cores())


def _energy(rows: list[dict[str, Any]], subjects: Sequence[Subject]) -> dict[str, Any]:
    meter = energy.find()
    idle_w = None if isinstance(meter, str) else energy.idle_watts(meter)
    for row, subject in zip(rows, subjects, strict=True):
        row["energy_mj"] = row["watts"] = None
        if not isinstance(meter, str):
            face = np.full(subject.classifier.input_size, 128, np.uint8)
            infer = functools.partial(subject.classifier.predict_one, face)
            row["watts"], row["energy_mj"] = energy.measure(meter, infer, idle_w=idle_w or 0.0)
    return energy.described(meter, idle_w)


def _profile(data: bytes, subject: Subject, wanted: Wanted, progress: Progress) -> list[dict[str, Any]]:
    runs = min(wanted.runs, MOST_RUNS)
    with progress(f"operators of {subject.path.stem}", profile.rounds(data, runs)) as step:
        return profile.measure(
            data, str(subject.path), subject.threads, wanted.warmup, runs, wanted.seed, lambda: step(1)
        )
