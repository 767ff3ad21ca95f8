"""Imports OpenCV in one place: silently, or with one plain line if it cannot be loaded.

Everything in fer_edge takes it from here: `from fer_edge.vision.opencv import cv2`.
"""

import os
import sys

from fer_edge.errors import FerEdgeError

MAX_PIXELS = 100_000_000  # of a picture or a video's frame that is read

# Read when the library loads. Users see our own one-line errors instead of its messages.
os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
# Its check before it decodes; its own default would let a picture of 130 kB take 6 GB.
BOUNDED = "cv2" not in sys.modules or "OPENCV_IO_MAX_IMAGE_PIXELS" in os.environ
"""Whether OpenCV has that limit: not if the program loaded it first."""
os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", str(MAX_PIXELS))
# OpenCL is not used; looking for it costs memory and, with some drivers, seconds.
os.environ.setdefault("OPENCV_OPENCL_RUNTIME", "disabled")
# Nor is anything used here faster on Intel's library, which takes 0.3 MiB.
os.environ.setdefault("OPENCV_IPP", "disabled")

try:
    import cv2
except ImportError as error:
    raise FerEdgeError(
        f"OpenCV cannot be loaded ({error}): pip install 'opencv-python>=4.10,<5'; if it lacks libGL or "
        "libglib, apt install libgl1 libglib2.0-0, or use opencv-python-headless (no window)"
    ) from error

if hasattr(cv2.utils, "logging"):
    cv2.utils.logging.setLogLevel(0)  # somebody may have loaded OpenCV before us

__all__ = ["BOUNDED", "MAX_PIXELS", "cv2"]
