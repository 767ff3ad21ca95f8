"""Target `web`: one HTML file that contains the model, LiteRT's runtime for browsers, and everything else."""

import base64
import gzip
import html
import json
import os
from pathlib import Path
from typing import Any

import numpy as np

from fer_edge.data import drawn_faces
from fer_edge.errors import FerEdgeError, ModelError
from fer_edge.model import file
from fer_edge.model.classifier import Classifier, stored_levels
from fer_edge.targets import Artifact, Pictures, template
from fer_edge.vision import blazeface
from fer_edge.vision.crop import LEVELLED_FROM_DEG, resize_faces

PACKAGE = "@litertjs/core"
VARIABLE = "FER_EDGE_LITERTJS"
"""The path of a `node_modules` folder, if there is none in the working folder or above it."""

VARIANT = "litert_wasm_compat_internal"
"""The runtime without relaxed SIMD, which runs in every current browser and rounds the same in each."""

CHECK_FACES = 14
DTYPES = ("uint8", "float32")
"""The dtypes of faces and probabilities that LiteRT's tensors in JavaScript support."""

DETECTOR = "face_detection_full_range_sparse.tflite"
DETECTION = {
    "side": 192,
    "stride": blazeface.GRIDS[192][0][0],
    "sure": blazeface.FOUND_AT,
    "least": blazeface.FOLLOWED_AT,
    "levelledFrom": LEVELLED_FROM_DEG,
}
"""The detector's input and cell in pixels, the scores that a new and a followed face need, and the tilt from
which a head is levelled."""


def runtime() -> Path:
    """The folder of the installed npm package. Raises FerEdgeError with what to install."""
    starts = [Path(os.environ[VARIABLE])] if os.environ.get(VARIABLE) else []
    here = Path.cwd()
    starts += [folder / "node_modules" for folder in (here, *here.parents)]
    for start in starts:
        if (start / PACKAGE / "wasm" / f"{VARIANT}.wasm").is_file():
            return start / PACKAGE
    raise FerEdgeError(
        f"the target web needs {PACKAGE}, which is not in node_modules here: npm install {PACKAGE}, "
        f"or name a node_modules folder in {VARIABLE}"
    )


def make(classifier: Classifier, pictures: Pictures) -> Artifact:
    """The page, which checks itself in the browser that opens it. Raises as `page` does."""
    return Artifact((page(classifier, find_detector()),))


def find_detector() -> Path | None:
    """The face detector for the page, from an installed package; None without one."""
    found = blazeface.find_blazeface()
    sparse = found and found.with_name(DETECTOR)
    return sparse if sparse and sparse.is_file() else None


def page(classifier: Classifier, detector: Path | None = None) -> bytes:
    """The HTML file. detector: the file DETECTOR, without which the user draws the square.

    Raises ModelError for a model whose input or output JavaScript does not support, FerEdgeError if the npm
    package is missing.
    """
    for what, tensor in (("takes", classifier.input), ("gives", classifier.output)):
        if tensor.dtype not in DTYPES:
            raise ModelError(
                f"{classifier.path} {what} {tensor.dtype}: LiteRT's JavaScript has {' and '.join(DTYPES)}"
            )
    package = runtime()
    flatbuffer = file.without_zip(file.read_bytes(classifier.path))
    core = (package / "dist" / "index.js").read_text()
    helper = (package.parent / "wasm-utils" / "dist" / "index.js").read_text()
    modules = {PACKAGE: core, "@litertjs/wasm-utils": helper}
    modules |= {f"page/{name}": template("page", name) for name in ("faces.js", "model.js", "picture.js")}
    urls = {name: f"data:text/javascript;base64,{_base64(text.encode())}" for name, text in modules.items()}
    height, width = classifier.input_size
    values = {
        "title": html.escape(classifier.path.stem),
        "summary": html.escape(f"{len(classifier.labels)} facial expressions of a gray face"),
        "style": template("page", "page.css"),
        "importmap": json.dumps({"imports": urls}),
        "height": str(height),
        "width": str(width),
        "facts": json.dumps(facts(classifier, detector)).replace("<", "\\u003c"),
        "model": _base64(flatbuffer),
        "detector": _base64(file.read_bytes(detector)) if detector else "",
        "wasm": _base64(gzip.compress((package / "wasm" / f"{VARIANT}.wasm").read_bytes(), mtime=0)),
        "loader": (package / "wasm" / f"{VARIANT}.js").read_text().replace("</script", "<\\/script"),
        "script": template("page", "page.js"),
    }
    return template("page", "index.html", values).encode()


def facts(classifier: Classifier, detector: Path | None = None) -> dict[str, Any]:
    """Data for the page's scripts: the models, and drawn faces with LiteRT's answers here."""
    check = resize_faces(drawn_faces(CHECK_FACES, seed=0)[0], classifier.input_size)
    probabilities = np.round(classifier.predict(check).astype(float), 7)
    rows, columns = classifier.input_size
    return {
        "labels": list(classifier.labels),
        "rows": rows,
        "columns": columns,
        "channels": classifier.channels,
        "shape": list(classifier.input.shape),
        "dtype": classifier.input.dtype,
        "stored": stored_levels(classifier.input).tolist(),
        "scale": classifier.output.scale,
        "zeroPoint": classifier.output.zero_point,
        "content": classifier.output.content,
        "detector": {**DETECTION, "margin": blazeface.BlazeFaceDetector.margin} if detector else None,
        "check": {"faces": _base64(check.tobytes()), "probabilities": probabilities.tolist()},
    }


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
