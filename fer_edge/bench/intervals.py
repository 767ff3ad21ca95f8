"""95 % intervals of a median latency, by bootstrap.

Inferences of one process share much: where its memory lies, what core it runs on, what the machine does in
these seconds. What a second benchmark would give therefore differs by more than they do among themselves,
and an interval that draws them alone is too narrow. Here whole processes are drawn.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 2000
_AT_ONCE = 1_000_000  # values, so that the memory stays small
_STUDENT = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262)
"""97.5 % points of Student's distribution, from 1 degree of freedom; more take the last, a little wide."""


def of_median(groups: Sequence[NDArray[np.float64]], seed: int = 0) -> tuple[float, float]:
    """95 % interval (low, high) of the median of all values of `groups`, two or more arrays of at least one.

    Whole groups are drawn with replacement (a cluster bootstrap). As few groups as there are vary too
    little when drawn so; the percentiles are therefore those of an expanded interval (Hesterberg, "What
    Teachers Should Know About the Bootstrap", The American Statistician 69, 2015, section 3.3). With five
    groups or fewer it is at most the range of their medians, which is narrower than 95 %.
    """
    medians = _drawn_medians(groups, _times_drawn(len(groups), RESAMPLES, seed))
    tail = expanded_tail(len(groups))
    low, high = np.percentile(medians, (100 * tail, 100 * (1 - tail)))
    return float(low), float(high)


def expanded_tail(n: int) -> float:
    """What lies below, and above, the 95 % interval of n independent values in a bootstrap distribution.

    n from 2. Phi(-sqrt(n / (n - 1)) t), t Student's 97.5 % point of n - 1 degrees of freedom: the factor
    makes up for a bootstrap's variance, which is (n - 1) / n of what it stands for, t for not knowing it.
    """
    student = _STUDENT[min(n - 1, len(_STUDENT)) - 1]
    return statistics.NormalDist().cdf(-math.sqrt(n / (n - 1)) * student)


def of_median_within(values: NDArray[np.float64], block: int, seed: int = 0) -> tuple[float, float]:
    """95 % interval of the median of `values` (N,), N at least 1, within one process.

    Whole blocks are drawn, since inferences that follow each other share the machine's state; single
    values where there are fewer than eight blocks. A last block that is not full stays out of it.
    """
    return of_difference_within(values, np.zeros_like(values), block, seed)


def of_difference_within(
    values: NDArray[np.float64], others: NDArray[np.float64], block: int, seed: int = 0
) -> tuple[float, float]:
    """The same for the median of `values` less that of `others` (N,), measured in the same rounds."""
    size = block if len(values) // block >= 8 else 1
    count = len(values) // size
    times = _times_drawn(count, RESAMPLES // 2, seed)
    first, second = (
        _drawn_medians(side[: count * size].reshape(count, size), times) for side in (values, others)
    )
    low, high = np.percentile(first - second, (2.5, 97.5))
    return float(low), float(high)


def _times_drawn(count: int, resamples: int, seed: int) -> NDArray[np.int64]:
    """(resamples, count): how often each of `count` groups is drawn when so many are, with replacement."""
    drawn = np.random.default_rng(seed).integers(0, count, (resamples, count))
    return np.stack([np.bincount(row, minlength=count) for row in drawn])


def _drawn_medians(
    groups: Sequence[NDArray[np.float64]] | NDArray[np.float64], times: NDArray[np.int64]
) -> NDArray[np.float64]:
    """(resamples,): the median of all values of the drawn groups; a group drawn twice counts twice."""
    values = np.concatenate(list(groups))
    member = np.repeat(np.arange(len(groups)), [len(group) for group in groups])
    order = np.argsort(values)
    values, member = values[order], member[order]
    at_once = max(1, _AT_ONCE // len(values))
    parts = np.array_split(times, -(-len(times) // at_once))
    return np.concatenate([_weighted_medians(values, part[:, member]) for part in parts])


def _weighted_medians(values: NDArray[np.float64], weights: NDArray[np.int64]) -> NDArray[np.float64]:
    """values: (n,), rising. weights: (m, n), how often each value is there. Gives (m,)."""
    up_to = weights.cumsum(axis=1)
    total = up_to[:, -1:]
    lower, upper = ((up_to > rank).argmax(axis=1) for rank in ((total - 1) // 2, total // 2))
    medians: NDArray[np.float64] = (values[lower] + values[upper]) / 2
    return medians
