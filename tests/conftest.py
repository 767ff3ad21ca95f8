"""Real data and media beside the checkout; tests that need them are skipped where they are absent."""

import os
from pathlib import Path

import pytest

from fer_edge import console

SHARED = Path(os.environ.get("FER_EDGE_SHARED") or Path(__file__).resolve().parents[2] / "shared")

LOADS_TENSORFLOW = ("conversion", "training", "model/test_keras_files.py")
"""Below tests/: slow from the first import on."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--inputs", type=int, help="of each kind in tests/fuzz; faults are kept in its finds")
    parser.addoption("--rounds", type=int, help="of each fault in tests/faults")
    parser.addoption("--seed", type=int, default=20130614, help="of both")


def _loads_tensorflow(path: Path) -> bool:
    here = Path(__file__).parent
    return path.is_relative_to(here) and str(path.relative_to(here)).startswith(LOADS_TENSORFLOW)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leaves out at once what `make quick` would import in vain."""
    return (config.option.markexpr == "not slow" and _loads_tensorflow(collection_path)) or None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks as slow what loads TensorFlow; single tests carry the mark themselves. Their files come first,
    the longest before all, so that two workers end together."""
    for item in items:
        if _loads_tensorflow(item.path):
            item.add_marker(pytest.mark.slow)
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: (item.path.name != "test_docs.py", item.path not in slow))


@pytest.fixture(autouse=True)
def standard_output_is_for_words(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a new process: a command called with `--json -` turns words to standard error for good."""
    monkeypatch.setattr(console, "_to_stderr", False)


def _beside(name: str) -> Path:
    path = SHARED / name
    if not path.exists():
        pytest.skip(f"needs {path}, which is not here (FER_EDGE_SHARED names another folder)")
    return path


@pytest.fixture(scope="session")
def fer2013() -> Path:
    """FER-2013, 35,887 rows, as .csv.xz."""
    return _beside("data/fer2013.csv.xz")


@pytest.fixture(scope="session")
def media() -> Path:
    return _beside("media")


@pytest.fixture(scope="session")
def cases() -> Path:
    """Folder of inputs that show reported faults."""
    return _beside("cases")


@pytest.fixture
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("FER_EDGE_CACHE", str(folder))
    return folder
