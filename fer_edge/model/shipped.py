"""Models and recipes that ship: found by name in an installed package and in a checkout alike."""

from __future__ import annotations

import difflib
import json
import platform
from collections.abc import Callable
from pathlib import Path

from fer_edge import files
from fer_edge.errors import FerEdgeError, ModelError, UsageError
from fer_edge.spec import split_name

DEFAULT_MODEL = "edge_int8"
"""What `run` uses unless told otherwise: the best int8 file that ships."""

BEST = Path(__file__).with_name("best.json")
"""By kind of processor and network, the file to run there; written by benchmarks/run_all.py."""

RECIPE_KINDS = ("train", "convert")

_PACKAGE = Path(__file__).resolve().parents[1]


def models_folder() -> Path:
    """The folder of shipped models: inside an installed wheel, else the checkout's `models/`."""
    return _first_folder(_PACKAGE / "_models", _PACKAGE.parent / "models")


def recipes_folder(kind: str) -> Path:
    """The folder of the recipes of `kind`, which is `train` or `convert`."""
    if kind not in RECIPE_KINDS:
        raise ValueError(f"no recipes of kind {kind!r}: {', '.join(RECIPE_KINDS)}")
    return _first_folder(_PACKAGE / "_recipes" / kind, _PACKAGE.parent / kind / "recipes")


def models() -> list[Path]:
    """The .tflite files that ship, sorted by name."""
    return sorted(models_folder().glob("*.tflite"))


def networks() -> list[Path]:
    """The .keras files that ship, sorted by name."""
    return sorted(models_folder().glob("*.keras"))


def recipes(kind: str) -> list[Path]:
    """The TOML files of `kind` (`train` or `convert`) that ship, sorted by name."""
    return sorted(recipes_folder(kind).glob("*.toml"))


def find_model(name_or_path: str) -> Path:
    """The file of a shipped model's name (`tuned_int8`), that path itself, or the network in a run's folder.

    Raises ModelError, with the nearest names, if there is neither.
    """
    return _find(name_or_path, models(), "model", ModelError)


def find_models(name_or_path: str) -> list[Path]:
    """The files of a network that ships (`edge`), those in a training run's folder, else `find_model`'s one.

    Raises ModelError where there are none.
    """
    own = [path for path in models() if split_name(path.stem)[0] == name_or_path]
    folder = Path(name_or_path).expanduser()
    if own or not folder.is_dir():
        return own or [find_model(name_or_path)]
    found = sorted([*folder.glob("*.tflite"), *folder.glob("*/*.tflite")])
    if not found:
        raise ModelError(f"no .tflite file in {folder}: convert what was trained there with fer-edge convert")
    return found


def find_network(name_or_path: str) -> Path:
    """The `.keras` file of a shipped network's name (`tuned`), or `name_or_path` itself if it is a file.

    Raises ModelError, with the nearest names, if there is neither, and for a converted file.
    """
    path = _find(name_or_path, networks(), "trained network", ModelError)
    if path.suffix == ".tflite":
        raise ModelError(f"{path} is a converted model: the .keras file that it was made from is needed")
    return path


def recipe(kind: str, name_or_path: str) -> Path:
    """The TOML file of a shipped recipe's name (`tuned`), or `name_or_path` itself if it is a file.

    Raises UsageError, with the nearest names, if there is neither.
    """
    return _find(name_or_path, recipes(kind), f"{kind} recipe", UsageError)


def trusted_sha256() -> frozenset[str]:
    """Hashes of the model files that ship, from `SHA256SUMS`; empty where that is absent."""
    try:
        text = (models_folder() / "SHA256SUMS").read_text()
    except OSError:
        return frozenset()
    return frozenset(line.split(maxsplit=1)[0].lower() for line in text.splitlines() if line.strip())


def ships(data: bytes) -> bool:
    """Whether a file's content is, byte for byte, that of a model that ships."""
    return files.sha256_of(data) in trusted_sha256()


def best_here(network: str = "edge") -> str:
    """The name of a shipped network's file that is best on this kind of processor: `edge_dynamic_range`.

    The fastest of those within half a point of the best accuracy, as measured on one of the kind; the int8
    file where none was measured, since it computes in integers alone.
    """
    kind = platform.machine()
    kind = {"AMD64": "x86_64", "arm64": "aarch64"}.get(kind, kind)  # Windows' and macOS' names
    measured: dict[str, dict[str, str]] = json.loads(BEST.read_text())
    return measured.get(kind, {}).get(network, f"{network}_int8")


def _first_folder(installed: Path, checkout: Path) -> Path:
    return installed if installed.is_dir() else checkout


def _find(wanted: str, found: list[Path], what: str, error: Callable[[str], FerEdgeError]) -> Path:
    by_name = {path.stem: path for path in found}
    if wanted in by_name:
        return by_name[wanted]
    path = Path(wanted).expanduser()
    if path.is_file():
        return path
    if path.is_dir():
        if error is ModelError and (path / "model.keras").is_file():  # a training's folder
            return path / "model.keras"
        raise error(f"{wanted} is a folder, not a {what}")
    near = difflib.get_close_matches(path.stem, by_name, n=3, cutoff=0.5)
    if near:
        hint = f"did you mean {' or '.join(near)}?"
    elif by_name:
        hint = f"there are {', '.join(by_name)}, or give a file's path"
    else:
        hint = "none ships with this installation: give a file's path"
    raise error(f"no {what} {wanted!r}: {hint}")
