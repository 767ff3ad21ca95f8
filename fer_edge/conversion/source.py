"""The inputs of a conversion: the float32 Keras model, and the pictures for calibration and checks.

The rows of FER-2013 for calibration are committed (`COMMITTED`, made by convert/draw_calibration.py), so that
included files can be made again; for other data they are drawn in the same way.
"""

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fer_edge import console, evaluation
from fer_edge.conversion import gate
from fer_edge.data.dataset import Dataset
from fer_edge.errors import DataError, ModelError
from fer_edge.model import keras_files, shipped
from fer_edge.spec import LABELS, ModelCard
from fer_edge.vision.crop import resize_faces

SHIPPED = "tuned"  # the included Keras model, converted if there is no training run
SPLIT = "PublicTest"  # the split on which files are checked, and on which one may choose
COMMITTED = shipped.recipes_folder("convert") / "calibration_fer2013.json"
LEAST_PER_CLASS = 5
LEAST_PICTURES = 70
LEAST_CONTRAST = 32
"""Gray levels between a picture's darkest and brightest pixel, median of all calibration pictures;
FER-2013 has 225. Pictures scaled to 0..1 have 1."""


def find(model: str | None, runs: Path = Path("runs")) -> Path:
    """The .keras file of `model`, else the newest runs/*/model.keras, else `SHIPPED`'s. Raises ModelError."""
    found = runs.glob("*/model.keras") if model is None else ()
    newest = max(found, key=lambda path: (path.stat().st_mtime_ns, str(path)), default=None)
    return newest or shipped.find_network(model or SHIPPED)


def load(path: Path) -> Any:
    """The Keras model of a .keras file, in float32: a file trained in mixed precision keeps its policy.

    Raises ModelError as `keras_files.load` does, and if Keras uses another backend than TensorFlow.
    """
    model = keras_files.load(path)
    import keras

    if (backend := keras.backend.backend()) != "tensorflow":
        raise ModelError(f"converting needs Keras on TensorFlow, not on {backend}: unset KERAS_BACKEND")
    single = all(layer.compute_dtype == "float32" for layer in keras_files.layers_of(model))
    single &= type(model) is not keras.Sequential  # its layers were called before, in other graphs
    if len(model.inputs) == len(model.outputs) == 1:  # without their names or lists
        model = keras.Model(model.inputs[0], model.outputs[0], name=model.name)
    return model if single else keras_files.in_float32(model)


@dataclass(frozen=True)
class Reference:
    """A Keras model, its card if any, and the pictures on which files are compared with it.

    views: number per picture in `model`. what: labels the bar while it runs.
    """

    path: Path
    card: ModelCard | None
    model: Any
    pictures: evaluation.Selection
    views: int = 1
    what: str = "float32 in Keras"

    @property
    def labels(self) -> tuple[str, ...]:
        """Of the model's output, in its order."""
        return self.card.labels if self.card else LABELS

    @cached_property
    def probabilities(self) -> NDArray[np.float32]:
        """The model's, (N, labels), in the order of the data set's `label_names`. Raises ModelError."""
        return self.ask(evaluation.Predictor.of_keras(self.model, str(self.path), self.labels), self.what)

    def ask(self, subject: evaluation.Predictor, what: str) -> NDArray[np.float32]:
        """Probabilities of a file or another network for these pictures; `what` labels the bar."""
        dataset = self.pictures.dataset
        return evaluation.probabilities_of(subject, dataset.images, dataset.label_names, what=what)

    def judge(self, probabilities: NDArray[np.float32], limits: gate.Thresholds) -> gate.Parity:
        """Compares those of a file or another network with the Keras model's."""
        part = self.pictures.dataset
        return gate.compare(probabilities, self.probabilities, part.labels, limits, part.label_names)


def measure(path: Path, dataset: Dataset, most: int, seed: int, *, views: int = 1) -> Reference:
    """Loads the Keras model to compare files with it on at most `most` pictures of `proving_split`.

    A model without a card is assumed to have labels in FER-2013's order. views: 2 for `mirror.mirrored`.
    Raises ModelError for a model that cannot be converted, DataError for data without those pictures.
    """
    pictures = evaluation.select(dataset, "official", proving_split(dataset), limit=most, seed=seed)
    if (count := len(pictures.dataset)) < gate.LEAST_PICTURES:
        raise DataError(
            f"{count} pictures to check files on: PublicTest and PrivateTest together need at least "
            f"{gate.LEAST_PICTURES} (in a folder tree: validation/ or else a tenth of train/, and test/)"
        )
    card = evaluation.keras_card(path)
    with console.working(f"loading {path.name}"):
        model = load(path)
        if views == 2:
            from fer_edge.conversion.mirror import mirrored

            model = mirrored(model)
    found = Reference(path, card, model, pictures, views)
    gate.check_probabilities(found.probabilities, str(path))
    return found


def proving_split(dataset: Dataset) -> str:
    """The split, or splits joined by `+`, on which a file is checked.

    If `SPLIT` has fewer than `gate.ENOUGH` pictures, those of PrivateTest are added: no network was trained
    on them either, and checking that a file agrees with its network does not choose anything.
    """
    alone = len(dataset.part(SPLIT)) >= gate.ENOUGH or not len(dataset.part("PrivateTest"))
    return SPLIT if alone else f"{SPLIT}+PrivateTest"


def calibration(
    dataset: Dataset, samples: int, seed: int, size_hw: tuple[int, int] = (48, 48)
) -> tuple[NDArray[np.uint8], str]:
    """Faces, uint8 (N, *size_hw), of Training rows, resized as in `run`, and the origin of the choice.

    The committed rows if they are for this data, number and seed, else those of `draw`. Raises DataError,
    with the figure, for too few pictures, a missing class and the wrong scale.
    """
    stored = json.loads(COMMITTED.read_text())
    ids, origin = np.array(stored["ids"], np.int64), "committed rows"
    is_for = stored["data_sha256"], len(ids), stored["seed"], LABELS
    if is_for != (dataset.sha256, samples, seed, dataset.label_names):
        ids, origin = draw(dataset, samples, seed), f"drawn with seed {seed}"
    chosen = dataset.rows(np.isin(dataset.ids, ids)).part("Training")
    counts = {name: (chosen.labels == label).sum() for label, name in enumerate(chosen.label_names)}
    few = ", ".join(f"{name} {n}" for name, n in counts.items() if n < LEAST_PER_CLASS)
    if few or len(chosen) < LEAST_PICTURES:
        raise DataError(
            f"too few pictures for calibration: {len(chosen)} in Training, "
            f"{few or 'enough of each expression'}; at least {LEAST_PICTURES} are needed, and "
            f"{LEAST_PER_CLASS} of each expression"
        )
    levels = chosen.images.reshape(len(chosen), -1)
    contrast = float(np.median(levels.max(axis=1).astype(int) - levels.min(axis=1)))
    if contrast < LEAST_CONTRAST:
        raise DataError(
            f"calibration pictures span {contrast:g} gray levels (median; brightest pixel {levels.max()}): "
            f"at least {LEAST_CONTRAST} of 0..255 are needed; were they scaled?"
        )
    faces = resize_faces(np.asarray(chosen.images), size_hw).copy()
    # So that the input's range is 0..255, scale 1, whatever the pictures are; whole black and white ones
    # would widen inner ranges.
    faces[0, 0, 0], faces[0, 0, 1] = 0, 255
    return faces, f"{origin} of {Path(dataset.path).name}"


def draw(dataset: Dataset, samples: int, seed: int) -> NDArray[np.int64]:
    """Ids, sorted int64, of `samples` Training rows or all, the same number of each class if possible.

    A class with too few gives all it has, and the others fill up.
    """
    training = dataset.part("Training")
    order = np.random.default_rng(seed).permutation(len(training))
    ranked = [order[training.labels[order] == label] for label in range(len(dataset.label_names))]
    rounds = max((len(rows) for rows in ranked), default=0)
    turns = [rows[k] for k in range(rounds) for rows in ranked if k < len(rows)]
    return np.sort(training.ids[np.array(turns[:samples], np.int64)])
