"""Measures a model on a data set: any model file as one function, its metrics.json, and its accuracy on
pictures that a camera might have degraded.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from fer_edge import console, data
from fer_edge.data.dataset import Dataset
from fer_edge.errors import DataError, ModelError, UsageError
from fer_edge.evaluation import metrics
from fer_edge.model import shipped
from fer_edge.model.classifier import Classifier
from fer_edge.spec import LABELS, ModelCard, expressions
from fer_edge.vision.crop import resize_faces
from fer_edge.vision.frames import Picture
from fer_edge.vision.opencv import cv2


@dataclass(frozen=True)
class Predictor:
    """A loaded model: faces uint8 (N, *input_size) to probabilities float32 (N, len(labels)).

    views: 2 for a file that also looks at each picture's mirror image.
    """

    name: str
    labels: tuple[str, ...]
    input_size: tuple[int, int]
    predict: Callable[[Picture], NDArray[np.float32]]
    views: int = 1

    @classmethod
    def of(cls, classifier: Classifier) -> Self:
        """A converted file's."""
        known = classifier.card
        return cls(classifier.path.stem, known.labels, classifier.input_size, classifier.predict, known.views)

    @classmethod
    def of_keras(cls, model: Any, name: str, labels: tuple[str, ...]) -> Self:
        """A Keras model's, on any backend, from gray levels to probabilities.

        Raises ModelError unless it takes one gray picture and returns one value per label.
        """
        import keras

        taken, given = ([tuple(end.shape) for end in ends or ()] for ends in (model.inputs, model.outputs))
        if len(taken) != 1 or len(taken[0]) != 4 or None in taken[0][1:] or taken[0][3] != 1:
            raise ModelError(f"{name} takes {taken}: (None, height, width, 1), one gray picture, is needed")
        if given != [wanted := (None, len(labels))]:
            raise ModelError(f"{name} gives {given}: {wanted}, one value for each label, is needed")

        def predict(faces: Picture) -> NDArray[np.float32]:
            given = keras.tree.flatten(model(faces[..., None].astype(np.float32), training=False))[0]
            return np.asarray(keras.ops.convert_to_numpy(given), np.float32)

        return cls(name, labels, tuple(model.inputs[0].shape[1:3]), predict)


def open_model(name_or_path: str, card: Path | None = None) -> Predictor:
    """Opens an included model or network by name, or a file or the folder of a run by path.

    card: the user's; a `.keras` file's is else looked for beside it. Raises ModelError, MissingExtraError.
    """
    path = shipped.find_either(name_or_path)
    if path.suffix != ".keras":
        return Predictor.of(Classifier(path, card=card))
    from fer_edge.model import keras_files

    known = keras_card(path, card)
    labels = known.labels if known else LABELS
    with console.working("starting Keras"):
        network = keras_files.load(path)
    return replace(Predictor.of_keras(network, str(path), labels), name=path.stem)


def keras_card(path: Path, card: Path | None = None) -> ModelCard | None:
    """The card of a `.keras` file: `card`, else NAME.json or card.json beside it, else None.

    Raises ModelError for a `card` that is missing or not a card, and for other values than a network of ours
    takes and gives.
    """
    beside = path.with_suffix(".json"), path.with_name("card.json")
    if card and not card.is_file():
        raise ModelError(f"there is no card {card}")
    ours = (one for one in beside if one.is_file() and b'"labels"' in one.read_bytes())
    found = card or next(ours, None)
    if found is None:
        return None
    known = ModelCard.from_json(found.read_bytes(), str(found))
    if (known.input.real_min, known.input.real_max, known.output.content) != (0, 255, "probabilities"):
        raise ModelError(f"{found}: a .keras file takes gray levels 0 to 255, gives probabilities")
    return replace(known, labels=expressions(known.labels))


@dataclass(frozen=True)
class Selection:
    """The rows to evaluate. seen: bool (N,), whether a picture is in Training too; None without it."""

    dataset: Dataset
    protocol: str
    split: str
    seen: NDArray[np.bool_] | None

    def about(self) -> dict[str, Any]:
        """Their description in metrics.json and `bench --json`."""
        about = {"path": self.dataset.path, "sha256": self.dataset.sha256, "protocol": self.protocol}
        return {**about, "split": self.split, "n": len(self.dataset)}


def select(
    dataset: Dataset, protocol: str, split: str | None, *, limit: int | None = None, seed: int = 0
) -> Selection:
    """The rows of `split` (several joined by `+`), by default those that `protocol` reports on.

    limit: at most this many, drawn with the seed, in the data's order.
    Raises UsageError for a split that does not exist, DataError for one without rows.
    """
    if protocol not in data.dataset.PROTOCOLS:
        raise UsageError(f"no protocol {protocol!r}: choose from {', '.join(data.dataset.PROTOCOLS)}")
    if split is None:
        chosen = data.protocol_splits(dataset, protocol)
        part, split, protocol = chosen.report, chosen.report_split, chosen.name
    else:
        part, protocol = dataset.part(split), protocol if dataset.protocol == "official" else "holdout"
    if len(part) == 0:
        raise DataError(f"{dataset.path} has no {split} rows: choose another --split")
    rows, training = part.sample(limit, seed), dataset.part("Training")
    return Selection(rows, protocol, split, data.seen_in_training(rows, training) if len(training) else None)


def evaluate(
    model: Predictor, selection: Selection, *, flip: bool = False, what: str = "evaluating"
) -> dict[str, Any]:
    """The metrics.json value of a model on a selection; the parameters as in `probabilities_of`."""
    part = selection.dataset
    probabilities = probabilities_of(model, part.images, part.label_names, flip=flip, what=what)
    return result_of(probabilities, selection, model.name)


def probabilities_of(
    model: Predictor, images: Picture, labels: tuple[str, ...] = LABELS, *, flip: bool = False, what: str = ""
) -> NDArray[np.float32]:
    """Probabilities, float32 (N, len(labels)) in the order of `labels`, of images uint8 (N, 48, 48).

    flip: averages each picture with its mirror image. what: shown with a progress bar. Raises ModelError if
    the model has other labels.
    """
    if sorted(model.labels) != sorted(labels):
        raise ModelError(
            f"{model.name} names {', '.join(model.labels)}, and the data {', '.join(labels)}: "
            "its accuracy cannot be measured on them (a model of FER+ needs --labels ferplus:FILE)"
        )
    columns = [model.labels.index(label) for label in labels]
    out = np.empty((len(images), len(labels)), np.float32)
    chunk = 256  # pictures between two steps of the bar
    starts = range(0, len(images), chunk)
    for start in console.each(what, starts) if what else starts:
        faces = resize_faces(images[start : start + chunk], model.input_size)
        p = model.predict(faces)
        if flip:
            p += model.predict(np.ascontiguousarray(faces[:, :, ::-1]))
            p /= 2
        out[start : start + chunk] = p[:, columns]
    return out


def result_of(probabilities: NDArray[np.floating], selection: Selection, model: str) -> dict[str, Any]:
    """The value of metrics.json (DESIGN, "Command line"), in plain Python types.

    probabilities: (N, classes) in the order of the data set's `label_names`, for its N rows. If no row is
    known to be new, `accuracy_without_duplicates` is null. model: its name.
    Raises ModelError for probabilities that are not finite.
    """
    dataset, seen = selection.dataset, selection.seen
    if not np.isfinite(probabilities).all():
        raise ModelError(f"{model} returns values that are NaN or infinite: its weights are broken")
    predicted = probabilities.argmax(axis=1)
    cm = metrics.confusion_matrix(dataset.labels, predicted, len(dataset.label_names))
    scores = metrics.scores(cm, dataset.label_names)
    unseen = None if seen is None or seen.all() else float((predicted == dataset.labels)[~seen].mean())
    about = {"model": model, "data": selection.about(), "accuracy": scores["accuracy"]}
    return {**about, "accuracy_without_duplicates": unseen, **scores, "confusion_matrix": cm.tolist()}


_TURN, _AREA = cv2.getRotationMatrix2D((23.5, 23.5), 15.0, 1), cv2.INTER_AREA
CONDITIONS: dict[str, Callable[[Picture, np.random.Generator], Any]] = {
    "clean": lambda face, rng: face,
    "tight crop 5 px": lambda face, rng: cv2.resize(face[5:-5, 5:-5], (48, 48)),
    "face at 80 %": lambda face, rng: np.pad(cv2.resize(face, (38, 38), interpolation=_AREA), 5, "edge"),
    "dark x0.4": lambda face, rng: (face * 0.4).astype(np.uint8),
    "gamma 2.2": lambda face, rng: (255 * (face / 255.0) ** 2.2).astype(np.uint8),
    "rotated 15°": lambda face, rng: cv2.warpAffine(face, _TURN, (48, 48), borderMode=cv2.BORDER_REPLICATE),
    "blur sigma 1.5": lambda face, rng: cv2.GaussianBlur(face, (0, 0), 1.5),
    "noise sigma 15": lambda face, rng: np.uint8((face + rng.normal(0, 15.0, (48, 48))).clip(0, 255).round()),
}
"""Name of a condition -> its function, which takes a face, uint8 (48, 48), and returns a new one; only noise
uses the generator. Each strength is fixed, so that tables can be compared with older ones."""


def robustness(model: Predictor, selection: Selection, seed: int = 0, flip: bool = False) -> dict[str, Any]:
    """Accuracy and macro-F1 of a model under each of CONDITIONS, in plain Python types.

    At most 1500 pictures of the selection are drawn with the seed, then the noise with the same generator, so
    seed and split determine the pictures. flip: as in `probabilities_of`.
    """
    rng = np.random.default_rng(seed)
    whole = selection.dataset
    chosen = whole.rows(rng.permutation(len(whole))[:1500])
    conditions: dict[str, dict[str, float]] = {}
    for name, change in CONDITIONS.items():
        images = np.stack([change(face, rng) for face in chosen.images])
        spoilt = replace(selection, dataset=replace(chosen, images=images), seen=None)
        result = evaluate(model, spoilt, flip=flip, what=name)
        low, high = metrics.wilson_interval(int(np.trace(result["confusion_matrix"])), len(chosen))
        conditions[name] = {key: result[key] for key in ("accuracy", "macro_f1")} | {"low": low, "high": high}
    return {"seed": seed, "n": len(chosen), "conditions": conditions}
