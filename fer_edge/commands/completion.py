"""What the shell offers for a word: the names of what ships. Where none fits it offers files, as always."""

from __future__ import annotations

from collections.abc import Iterable


def models(incomplete: str) -> list[str]:
    """Converted models."""
    from fer_edge.model import shipped

    return _starting((path.stem for path in shipped.models()), incomplete)


def networks(incomplete: str) -> list[str]:
    """Trained networks."""
    from fer_edge.model import shipped

    return _starting((path.stem for path in shipped.networks()), incomplete)


def train_recipes(incomplete: str) -> list[str]:
    """Recipes of trainings."""
    from fer_edge.model import shipped

    return _starting((path.stem for path in shipped.recipes("train")), incomplete)


def convert_recipes(incomplete: str) -> list[str]:
    """Recipes of conversions."""
    from fer_edge.model import shipped

    return _starting((path.stem for path in shipped.recipes("convert")), incomplete)


def targets(incomplete: str) -> list[str]:
    """Targets, each accelerator among them."""
    from fer_edge.targets import kinds

    return _starting(kinds.names(), incomplete)


def _starting(names: Iterable[str], incomplete: str) -> list[str]:
    return [name for name in names if name.startswith(incomplete)]
