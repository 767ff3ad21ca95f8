"""One call that analyses the faces in a picture."""

import functools
import os
import threading
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fer_edge.errors import SourceError
from fer_edge.model import shipped
from fer_edge.model.classifier import Classifier
from fer_edge.pictures import read_picture
from fer_edge.vision.analysis import Analyser
from fer_edge.vision.crop import to_bgr
from fer_edge.vision.faces import make_detector
from fer_edge.vision.frames import Face, Frame

_lock = threading.Lock()  # detectors and interpreters are not thread-safe


def analyze(
    frame: NDArray[Any] | str | os.PathLike[str],
    *,
    model: str | os.PathLike[str] = shipped.DEFAULT_MODEL,
    card: str | os.PathLike[str] | None = None,
    detector: str = "auto",
    detector_model: str | os.PathLike[str] | None = None,
    min_size_px: int | None = None,
    min_confidence: float = 0.0,
    num_threads: int = 1,
) -> tuple[Face, ...]:
    """The faces in one picture, largest first, each with its box and its expressions' probabilities.

    frame: uint8 (or uint16) array of (H, W) gray levels or (H, W, 3 or 4) in OpenCV's order BGR(A); or the
    path of a picture, which is turned upright.
    model: name of a shipped model or path of a .tflite file; it is loaded once and kept. card: see
    `Classifier`. detector: one of `vision.DETECTORS`; auto is BlazeFace where it is installed, else Haar.
    detector_model: its file. min_size_px: smallest face to look for, by default a twelfth of the shorter side
    with Haar. min_confidence: 0..1; below it a face's label is None, as where its quality is too low.

    `Face.box_xywh` is in pixels inside the frame; `Face.probabilities` is float32 (labels,) in the order
    of the model's labels and sums to 1; `Face.label` is the most probable one and `Face.confidence` its
    probability. Calls are independent, so `track` means nothing here. May be called from several threads.

    Raises SourceError for anything that is not a picture, ModelError for an unusable model.
    """
    if isinstance(frame, str | os.PathLike):
        picture = read_picture(Path(frame))[0]
    elif isinstance(frame, np.ndarray) and frame.ndim in (2, 3) and frame.size:
        picture = to_bgr(np.ascontiguousarray(frame))
    else:
        shape = getattr(frame, "shape", type(frame).__name__)
        wanted = "an array (height, width) or (height, width, channels)"
        raise SourceError(f"a frame must be {wanted}, not {shape}")
    card_file, detector_file = (None if file is None else Path(file) for file in (card, detector_model))
    named = os.fspath(model), num_threads, card_file
    finder = detector, detector_file, min_size_px, num_threads
    where = os.stat(".").st_ino, Path(model).stat().st_mtime_ns if Path(model).is_file() else 0
    with _lock:
        faces = _analyser(where, named, finder, min_confidence).analyse(Frame(picture, 0.0, ""))
    return tuple(sorted(faces, key=lambda face: -face.box_xywh[2] * face.box_xywh[3]))


@functools.lru_cache(maxsize=8)
def _analyser(where: Any, classifier: Any, detector: Any, min_confidence: float) -> Analyser:
    """where: the working folder, and when the model changed. The others are arguments of what is made."""
    both = make_detector(*detector), Classifier(*classifier)
    return Analyser(*both, min_confidence=min_confidence, still=True)
