"""fer-edge: facial-expression recognition from a training set to a small device.

The public names are those of `__all__`; each is imported on first use, and none of them needs TensorFlow.
"""

TYPE_CHECKING = False  # type checkers accept this; importing `typing` takes longer than all of this module
if TYPE_CHECKING:
    from fer_edge.api import analyze
    from fer_edge.errors import FerEdgeError
    from fer_edge.model.classifier import Classifier
    from fer_edge.spec import LABELS
    from fer_edge.vision.frames import Face

__version__ = "0.2.0"  # only here: a shallow clone lacks tags, and metadata is slow to read

__all__ = ["LABELS", "Classifier", "Face", "FerEdgeError", "__version__", "analyze"]

_HOMES = {
    "LABELS": "spec",
    "Classifier": "model.classifier",
    "Face": "vision.frames",
    "FerEdgeError": "errors",
    "analyze": "api",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'fer_edge' has no attribute {name!r}")
    import importlib

    value = getattr(importlib.import_module(f"fer_edge.{_HOMES[name]}"), name)
    globals()[name] = value  # next time it is found without this function
    return value
