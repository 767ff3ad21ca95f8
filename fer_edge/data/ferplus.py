"""FER+ (Barsoum et al. 2016): ten people's votes for each picture of FER-2013."""

import csv
import dataclasses
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fer_edge import console
from fer_edge.data.dataset import SPLITS, Dataset
from fer_edge.errors import DataError, UsageError

LABELS = ("neutral", "happy", "surprise", "sad", "angry", "disgust", "fear", "contempt")
"""FER+'s eight expressions in the order of its columns, spelt as FER-2013's."""

COLUMNS = (
    "neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt", "unknown", "NF",
)  # fmt: skip
"""The columns of votes in fer2013new.csv; NF: not a face."""


def attach(dataset: Dataset, path: Path) -> Dataset:
    """The data set with its votes, from fer2013new.csv, which has one row for each of FER-2013's.

    Raises DataError for another file, naming the line, and if its rows do not match FER-2013's one to one.
    """
    rows, splits, line = [], [], 0
    try:
        with path.open(newline="", encoding="utf-8-sig") as lines:
            table = csv.DictReader(lines)
            for row in table:
                line = table.line_num
                rows.append([int(row[name]) for name in COLUMNS])
                splits.append(row["Usage"])
                if not all(0 <= votes <= 255 for votes in rows[-1]):
                    raise ValueError("a number of votes outside 0..255")
    except KeyError as error:
        raise DataError(f"{path} is not a table of FER+ votes: it has no column {error}") from error
    except (OSError, ValueError, TypeError, csv.Error) as error:  # a field that is missing is None
        at = f" (line {line})" if line else ""
        raise DataError(f"{path} cannot be read as a table of FER+ votes{at}: {error}") from error
    fits = dataset.protocol == "official" and dataset.ids.max() <= len(rows)
    if fits:
        votes, usage = np.array(rows, np.uint8)[dataset.ids - 1], np.array(splits)[dataset.ids - 1]
        likely = np.array(LABELS)[votes[:, : len(LABELS)].argmax(1)]
        agreed = (likely == np.array(dataset.label_names)[dataset.labels]).mean()
        # 63 % of FER-2013's labels agree with the votes, and 18 % in another order.
        fits = (usage == np.array(SPLITS)[dataset.split]).all() and (len(votes) < 1000 or agreed > 0.4)
    if not fits:
        what = f"{dataset.path} is not the FER-2013 that they belong to"
        raise DataError(f"{path} has votes for {len(rows)} rows; {what}")
    return dataclasses.replace(dataset, votes=votes)


def shares(votes: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The votes for expressions as shares, float32 (N, 8): single votes are dropped as outliers (FER+,
    `probability` mode) unless there is nothing else; zeros if nobody voted for an expression.
    """
    counts = votes[:, : len(LABELS)].astype(np.float32)
    agreed = np.where(counts > 1, counts, 0)
    agreed = np.where(agreed.any(1, keepdims=True), agreed, counts)
    out: NDArray[np.float32] = agreed / np.maximum(agreed.sum(1, keepdims=True), 1)
    return out


def relabelled(dataset: Dataset) -> Dataset:
    """The data set with FER+'s majority labels (index into LABELS), without rows that have none.

    As in the FER+ paper: single votes are dropped, then the most frequent answer must be an expression and
    have over half of the remaining votes. Raises DataError if no votes are attached.
    """
    if dataset.votes is None:
        raise DataError(f"{dataset.path} has no FER+ votes attached")
    votes = np.where(dataset.votes > 1, dataset.votes, 0).astype(np.int64)
    winner = votes.argmax(1)
    clear = (winner < len(LABELS)) & (2 * votes.max(1) > votes.sum(1))
    return dataclasses.replace(dataset.rows(clear), labels=winner[clear], label_names=LABELS)


def file_of(labels: str | None) -> str | None:
    """The file that `--labels` names, if any."""
    return (labels or "").partition(":")[2] or None


def chosen(dataset: Dataset, labels: str | None) -> Dataset:
    """The data set with the labels of `--labels`: None or `fer2013` for its own, `ferplus:FILE` for FER+'s.

    Raises UsageError for another name, DataError as `attach` and `relabelled` do.
    """
    kind, _, file = (labels or "fer2013").partition(":")
    if kind == "fer2013" and not file:
        return dataset
    if kind != "ferplus" or not file:
        where = "fer2013new.csv (1.6 MB) of github.com/microsoft/FERPlus"
        raise UsageError(f"unknown --labels {labels!r}: use fer2013, or ferplus:FILE, with {where}")
    kept = relabelled(attach(dataset, Path(file)))
    if dropped := len(dataset) - len(kept):
        console.say(f"left out: {dropped:,} pictures on whose expression FER+'s voters disagree")
    return kept
