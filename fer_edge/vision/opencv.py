"""OpenCV, imported in one place: quiet, and with one plain line where it cannot be loaded.

Everything in fer_edge takes it from here: `from fer_edge.vision.opencv import cv2`.
"""

from __future__ import annotations

import os

from fer_edge.errors import FerEdgeError

_level_is_the_user_s = "OPENCV_LOG_LEVEL" in os.environ
# Read when the library loads. Its complaints reach the user through our own one-line errors.
os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
# Nothing here runs on OpenCL; looking for it costs memory and, with some drivers, seconds.
os.environ.setdefault("OPENCV_OPENCL_RUNTIME", "disabled")


def explain_import_error(error: ImportError) -> str:
    """One line: why OpenCV does not load and what to install."""
    text = str(error)
    if "libGL" in text or "libgthread" in text or "libglib" in text:
        library = text.split(":", maxsplit=1)[0]
        return (
            f"OpenCV needs {library}, which this machine lacks: apt install libgl1 libglib2.0-0, or "
            "pip uninstall opencv-python && pip install 'opencv-python-headless>=4.10,<5' (no window)"
        )
    return f"OpenCV cannot be loaded ({text}): pip install 'opencv-python>=4.10,<5'"


try:
    import cv2
except ImportError as error:
    raise FerEdgeError(explain_import_error(error)) from error

if not _level_is_the_user_s and hasattr(cv2.utils, "logging"):
    cv2.utils.logging.setLogLevel(0)  # somebody may have loaded OpenCV before us

__all__ = ["cv2", "explain_import_error"]
