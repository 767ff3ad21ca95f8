"""Learning rates and stopping as pure functions of what has happened, so that a resume needs no state."""

from __future__ import annotations

import math
from collections.abc import Sequence

from fer_edge.training.recipes import Recipe


def best_epoch(values: Sequence[float], monitor: str) -> int:
    """Index of the best value: the lowest loss or the highest accuracy, the earlier of equals."""
    sign = 1.0 if monitor == "val_loss" else -1.0
    return min(range(len(values)), key=lambda i: (sign * values[i], i))


def plateau_factor(losses: Sequence[float], patience: int) -> float:
    """1, 0.1, 0.01, ...: a tenth each time that `patience` epochs in a row bring no lower loss."""
    factor, best, waited = 1.0, math.inf, 0
    for loss in losses:
        waited = 0 if loss < best else waited + 1
        best = min(best, loss)
        if waited >= patience:
            factor, waited = factor / 10, 0
    return factor


def should_stop(recipe: Recipe, losses: Sequence[float]) -> bool:
    """Early stopping of schedule `plateau`: no lower validation loss for `patience` epochs."""
    if recipe.schedule != "plateau" or not losses:
        return False
    return len(losses) - 1 - best_epoch(losses, "val_loss") >= recipe.patience


def learning_rate(recipe: Recipe, step: int, steps: int, losses: Sequence[float]) -> float:
    """The rate of step `step` (from 0) of `steps` in all; `losses`: validation losses so far."""
    if recipe.schedule == "plateau":
        quarter = max(1, recipe.patience // 4)
        rate = recipe.learning_rate * plateau_factor(losses, quarter)
        return max(rate, recipe.learning_rate_floor)
    rise = max(1, round(recipe.warmup_fraction * steps))
    if step < rise:
        return recipe.learning_rate * (0.04 + 0.96 * step / rise)
    return recipe.learning_rate * 0.5 * (1 + math.cos(math.pi * (step - rise) / max(1, steps - rise)))
