"""What is in a data set: counts, duplicates, what was left out."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fer_edge.data.dataset import SPLITS, Dataset
from fer_edge.data.duplicates import picture_hashes
from fer_edge.spec import LABELS

_PAIRS = (("PublicTest", "Training"), ("PrivateTest", "Training"), ("PrivateTest", "PublicTest"))


def summarise(dataset: Dataset) -> dict[str, Any]:
    """Plain values for JSON.

    counts: {split: {label: rows}}. duplicates.different: different pictures in all.
    duplicates.within: {split: rows, different pictures, and pictures that carry several labels}.
    duplicates.across: rows of `split` whose picture is also in `of`, and how many
    of them are there under other labels only. bad: count and the first rows, with the reason.
    """
    _, picture = np.unique(picture_hashes(dataset.images), return_inverse=True)
    parts = {name: dataset.split == index for index, name in enumerate(SPLITS)}
    return {
        "path": dataset.path,
        "sha256": dataset.sha256,
        "protocol": dataset.protocol,
        "n": len(dataset),
        "counts": {name: _counts(dataset.labels[rows]) for name, rows in parts.items()},
        "duplicates": {
            "different": int(picture.max()) + 1,
            "within": {name: _within(picture[rows], dataset.labels[rows]) for name, rows in parts.items()},
            "across": [
                _across(picture, dataset.labels, parts, split, of)
                for split, of in _PAIRS
                if parts[split].any() and parts[of].any()
            ],
        },
        "bad": {
            "count": dataset.bad.count,
            "rows": [{"where": row.where, "why": row.why} for row in dataset.bad.first],
            "reasons": dict(Counter(row.why for row in dataset.bad.first).most_common()),
        },
    }


def _counts(labels: NDArray[np.int64]) -> dict[str, int]:
    counts = np.bincount(labels, minlength=len(LABELS))
    return {label: int(count) for label, count in zip(LABELS, counts, strict=True)}


def _within(picture: NDArray[np.int64], labels: NDArray[np.int64]) -> dict[str, int]:
    different = np.unique(picture)
    labelled = np.unique(picture * len(LABELS) + labels)
    several = np.bincount(np.searchsorted(different, labelled // len(LABELS)))
    return {
        "rows": len(picture),
        "different": len(different),
        "several_labels": int((several > 1).sum()),
    }


def _across(
    picture: NDArray[np.int64],
    labels: NDArray[np.int64],
    parts: dict[str, NDArray[np.bool_]],
    split: str,
    of: str,
) -> dict[str, Any]:
    labelled = picture * len(LABELS) + labels
    seen = np.isin(picture[parts[split]], picture[parts[of]])
    agreed = np.isin(labelled[parts[split]], labelled[parts[of]])
    return {
        "split": split,
        "of": of,
        "rows": int(seen.sum()),
        "other_label": int((seen & ~agreed).sum()),
    }
