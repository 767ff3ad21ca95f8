"""The included models and recipes, found by name in an installed package or in a checkout."""

import json
import platform
from pathlib import Path

from fer_edge import files
from fer_edge.errors import FerEdgeError, ModelError, UsageError
from fer_edge.spec import split_name

DEFAULT_MODEL = "edge_int8"  # of the Python API, the same on every machine; `run` uses `best_here`

BEST = Path(__file__).with_name("best.json")
"""Kind of processor -> network -> the file to run; written by benchmarks/run_all.py."""

_PACKAGE = Path(__file__).resolve().parents[1]


def models_folder() -> Path:
    """The folder of the included models: inside an installed wheel, else the checkout's `models/`."""
    installed = _PACKAGE / "_models"
    return installed if installed.is_dir() else _PACKAGE.parent / "models"


def recipes_folder(kind: str) -> Path:
    """The folder of recipes; kind: `train` or `convert`."""
    installed = _PACKAGE / "_recipes" / kind
    return installed if installed.is_dir() else _PACKAGE.parent / kind / "recipes"


def models(suffix: str = ".tflite") -> list[Path]:
    """The included .tflite or .keras files, sorted by name."""
    return sorted(models_folder().glob(f"*{suffix}"))


def recipes(kind: str) -> list[Path]:
    """The included TOML files of `kind` (`train` or `convert`), sorted by name."""
    return sorted(recipes_folder(kind).glob("*.toml"))


def find_model(name_or_path: str) -> Path:
    """The .tflite file for an included model's name (`tuned_int8`), a file, or the folder of a run with one.

    Raises ModelError otherwise. A missing path is never replaced by an included model.
    """
    return _find(name_or_path, models(), "model", "*.tflite", ModelError)


def find_network(name_or_path: str) -> Path:
    """The same for .keras files (`tuned`). Raises ModelError for a converted file too."""
    path = _find(name_or_path, models(".keras"), "trained network", "*.keras", ModelError)
    if path.suffix == ".tflite":
        raise ModelError(f"{path} is a converted model: give the .keras file that it was converted from")
    return path


def find_either(name_or_path: str) -> Path:
    """The same for either kind; for the folder of a run, its trained network."""
    return _find(name_or_path, [*models(), *models(".keras")], "model", "*.keras", ModelError)


def find_models(name_or_path: str) -> list[Path]:
    """The files of an included network (`edge`) or in the folder of a run, else the one of `find_model`.

    Raises ModelError if there are none.
    """
    own = [path for path in models() if split_name(path.stem)[0] == name_or_path]
    folder = Path(name_or_path).expanduser()
    if own or not folder.is_dir():
        return own or [find_model(name_or_path)]
    found = sorted(path for how in ("*.tflite", "*/*.tflite") for path in folder.glob(how))
    found = [path for path in found if "_ethos-u" not in path.stem]  # runs on no processor
    if not found:
        raise ModelError(f"no .tflite file in {folder}: create one with fer-edge convert")
    return found


def recipe(kind: str, name_or_path: str) -> Path:
    """The TOML file of an included recipe (`tuned`), or `name_or_path` itself. Raises UsageError."""
    return _find(name_or_path, recipes(kind), f"{kind} recipe", "*.toml", UsageError)


def ships(data: bytes) -> bool:
    """Whether a file is byte for byte an included model: its hash is in `SHA256SUMS`."""
    sums = models_folder() / "SHA256SUMS"
    return sums.is_file() and f"{files.sha256_of(data)} " in sums.read_text()


def best_here(network: str = "edge") -> str:
    """Name of an included network's best file for this kind of processor, such as `edge_dynamic_range`.

    The fastest one within half a point of the best accuracy, as measured on this kind; the int8 file if none
    was measured, since it computes with integers.
    """
    measured: dict[str, dict[str, str]] = json.loads(BEST.read_text())
    return measured.get(platform.machine(), {}).get(network, f"{network}_int8")


def _find(wanted: str, found: list[Path], what: str, in_folder: str, error: type[FerEdgeError]) -> Path:
    by_name = {path.stem: path for path in found}
    path = by_name.get(wanted) or Path(wanted).expanduser()
    if path.is_file():
        return path
    if path.is_dir():
        held = list(path.glob(in_folder))
        if len(held) == 1:
            return held[0]
        raise error(f"{wanted} is a folder with {len(held)} {what}s, not one: give the path of a file")
    if path.suffix or not {"/", "\\"}.isdisjoint(wanted):
        raise error(f"there is no file {wanted}")
    raise error(f"no {what} {wanted!r}: choose from {', '.join(by_name)}, or give the path of a file")
