"""A small network of the paper's kind and drawn faces."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

pytest.importorskip("tensorflow")

import tiny_trained

from fer_edge.conversion import calibration, recipes, reference
from fer_edge.data import load
from fer_edge.data.dataset import Dataset

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def recipe() -> recipes.Recipe:
    """The recipe that ships, with less to calibrate and verify on."""
    shipped = recipes.read(ROOT / "convert" / "recipes" / "default.toml")
    return shipped.override(calibration_samples=70, parity_pictures=300)


@pytest.fixture(scope="session")
def faces() -> Dataset:
    return load("drawn", progress=False)


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A .keras file, right on most drawn faces."""
    return Path(shutil.copy(tiny_trained.FILE, tmp_path_factory.mktemp("tiny") / "tiny.keras"))


@pytest.fixture(scope="session")
def against(tiny: Path, faces: Dataset, recipe: recipes.Recipe) -> reference.Reference:
    return reference.measure(tiny, faces.part("Training", "PublicTest"), recipe, seed=0)


@pytest.fixture(scope="session")
def chosen(faces: Dataset) -> calibration.Calibration:
    return calibration.choose(faces, 70, seed=0)
