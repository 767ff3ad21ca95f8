"""tensorflow-model-optimization: pruning, clustering and quantisation-aware training.

It knows Keras 2 alone, and a process has one Keras inside TensorFlow. So it works in a process of its own, on
a tf_keras network that gives what the Keras 3 network gives within 1e-5; the weights come back, and
conversion goes on from there as ever. The float network teaches, its probabilities and the labels together.
"""

from __future__ import annotations

import contextlib
import json
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fer_edge import child, console
from fer_edge.conversion import rounding
from fer_edge.conversion.formats import Recipe
from fer_edge.conversion.rounding import Ranges, inputs_of, readers_of
from fer_edge.errors import ModelError

_ENVIRONMENT = {"TF_USE_LEGACY_KERAS": "1", "TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONWARNINGS": "ignore"}
_TIMEOUT_S = 24 * 3600.0
_CHECKED = 64
_EQUAL = 1e-5
_SHIFT_PX = 3
_IN_FLOAT = ("Rescaling", "GlobalAveragePooling2D", "AveragePooling2D", "Flatten", "Reshape", "Softmax")


@dataclass(frozen=True)
class Settings:
    """What is done, in this order. sparsity: share of weights that become 0, and clusters: values that a
    layer keeps; 0 for none. qat: whether the rounding of int8 is trained.

    steps, qat_steps: of `batch` pictures each, for pruning and for clustering, for QAT. rate, qat_rate:
    Adam's at the start; it falls to 0. label_share: of what is learnt, 0..1; the rest are the float
    network's probabilities.
    """

    sparsity: float
    clusters: int
    qat: bool
    steps: int
    qat_steps: int
    batch: int
    rate: float
    qat_rate: float
    label_share: float
    seed: int

    @classmethod
    def of(cls, recipe: Recipe, qat: bool, seed: int) -> Settings:
        """What a recipe asks for."""
        values = {f.name: getattr(recipe, f.name) for f in fields(cls) if f.name not in ("qat", "seed")}
        return cls(**values, qat=qat, seed=seed)

    def said(self, trained: bool) -> dict[str, Any]:
        """For the card of a file; trained: whether QAT was done to it."""
        names = ["sparsity", "clusters", "steps", "rate"] if self.sparsity or self.clusters else []
        names += ["qat_steps", "qat_rate"] if trained else []
        return {name: getattr(self, name) for name in (*names, *(("batch", "label_share") if names else ()))}


@dataclass(frozen=True)
class Lesson:
    """Training pictures, uint8 (N, height, width), and their labels, int64 (N,), in the model's order."""

    faces: NDArray[np.uint8]
    labels: NDArray[np.int64]


@dataclass(frozen=True)
class Retrained:
    """network: Keras 3, pruned and clustered. aware: the same after QAT, with the ranges that were learnt;
    None and none without QAT."""

    network: Any
    aware: Any
    ranges: Ranges


def retrain(network: Any, lesson: Lesson, settings: Settings, ranges: Ranges) -> Retrained:
    """What the toolkit makes of a folded Keras 3 network, which is left as it is.

    network: gray levels, float32 (N, height, width, 1), to probabilities, every layer used once. ranges: of
    its layers, where QAT begins; the toolkit's own, -6 to 6, would need thousands of steps to settle.
    Raises ModelError for layers that Keras 2 lacks, and where the toolkit refuses the network.
    """
    centre = rounding.centre_of(network)
    layers, relus = _described(network)
    own = {relu: convolution for convolution, relu in relus.items()}
    job = {
        "layers": layers,
        "centre": centre,
        "settings": asdict(settings),
        "ranges": {own.get(name, name): ends for name, ends in ranges.items()},
    }
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "job.json").write_text(json.dumps(job))
        np.savez(folder / "weights.npz", **_weights(network, "network"))
        probe = lesson.faces[:_CHECKED, ..., None].astype(np.float32)
        wanted = np.asarray(network(probe, training=False))
        np.savez(folder / "lesson.npz", faces=lesson.faces, labels=lesson.labels, wanted=wanted)
        with _bars() as heard:
            learnt = child.run(
                work,
                name,
                what="tensorflow-model-optimization",
                timeout_s=_TIMEOUT_S,
                environment=_ENVIRONMENT,
                heard=heard,
            )
        with np.load(folder / "found.npz") as found:
            return Retrained(
                _with_weights(network, found, "network"),
                _with_weights(network, found, "aware") if settings.qat else None,
                {relus.get(name, name): (low, high) for name, (low, high) in learnt.items()},
            )


def _with_weights(network: Any, found: Any, stage: str) -> Any:
    import keras

    copy = keras.models.clone_model(network)
    for layer in copy.layers:
        layer.set_weights([found[f"{stage}/{layer.name}/{k}"] for k in range(len(layer.weights))])
    return copy


def _described(network: Any) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """The layers as JSON has them, and convolution -> the ReLU that went into it.

    Without what only centres gray levels. The toolkit forgets to round the weights of a convolution whose
    ReLU is a layer of its own.
    """
    names = {id(layer.output): layer.name for layer in network.layers}
    readers = readers_of(network)
    relus = {
        layer.name: readers[layer.name][0].name
        for layer in network.layers
        if type(layer).__name__ == "Conv2D"
        and layer.get_config()["activation"] == "linear"
        and [type(reader).__name__ for reader in readers[layer.name]] == ["ReLU"]
    }
    instead = {relu: convolution for convolution, relu in relus.items()}
    if rounding.centre_of(network):  # the toolkit knows no Rescaling: pictures come centred
        instead[network.layers[1].name] = network.layers[0].name
    described = []
    for layer in network.layers:
        if layer.name in instead:
            continue
        kind, config = type(layer).__name__, layer.get_config()
        plain = {k: v for k, v in config.items() if isinstance(v, int | float | str | list | tuple)}
        plain.pop("dtype", None)
        if layer.name in relus:
            plain["activation"] = "relu"
        is_input = kind == "InputLayer"
        given = [] if is_input else [names[id(tensor)] for tensor in inputs_of(layer)]
        described.append(
            {
                "class": kind,
                "config": {"shape": layer.output.shape[1:]} if is_input else plain,
                "name": layer.name,
                "inputs": [instead.get(name, name) for name in given],
            }
        )
    return described, relus


@contextlib.contextmanager
def _bars() -> Iterator[Any]:
    """What turns the child's lines, `name total`, one a step, into a bar for each name."""
    with contextlib.ExitStack() as shown:
        shown.enter_context(console.working("starting tensorflow-model-optimization"))
        now = ""
        step: Callable[[int], object] = bool

        def heard(line: str) -> None:
            nonlocal now, step
            what, _, total = line.rpartition(" ")
            if what != now:
                now = what
                shown.close()
                step = shown.enter_context(console.progress(what, int(total)))
            step(1)

        yield heard


# From here on: in the process of its own.


def work(name: str) -> dict[str, tuple[float, float]]:
    """Reads what `retrain` wrote into the folder `name`, does it, writes `found.npz`, gives the ranges."""
    import tensorflow as tf
    import tf_keras

    folder = Path(name)
    job = json.loads((folder / "job.json").read_text())
    settings = Settings(**job["settings"])
    tf_keras.utils.set_random_seed(settings.seed)
    tf.config.experimental.enable_op_determinism()
    centre = np.float32(job["centre"])
    twin, teacher = _built(job["layers"]), _built(job["layers"])
    with np.load(folder / "weights.npz") as weights, np.load(folder / "lesson.npz") as lesson:
        for model in (twin, teacher):
            for layer in model.layers:
                layer.set_weights([weights[f"network/{layer.name}/{k}"] for k in range(len(layer.weights))])
        faces, labels, wanted = lesson["faces"], lesson["labels"], lesson["wanted"]
    got = twin(faces[: len(wanted), ..., None].astype(np.float32) - centre, training=False).numpy()
    if np.abs(got - wanted).max() > _EQUAL:
        raise ModelError(f"its copy in Keras 2 differs by {np.abs(got - wanted).max():.2g} in a probability")
    train = _Training(teacher, Lesson(faces, labels), settings, centre)
    if settings.sparsity:
        twin = _pruned(twin, train)
    if settings.clusters:
        twin = _clustered(twin, train)
    found, learnt = _weights(twin, "network"), {}
    if settings.qat:
        learnt = _aware(twin, train, job["ranges"])
        found |= _weights(twin, "aware")
    np.savez(folder / "found.npz", **found)
    return learnt


def _weights(model: Any, stage: str) -> dict[str, Any]:
    return {f"{stage}/{la.name}/{k}": w for la in model.layers for k, w in enumerate(la.get_weights())}


def _built(layers: list[dict[str, Any]]) -> Any:
    import tf_keras

    made: dict[str, Any] = {}
    for layer in layers:
        if layer["class"] == "InputLayer":
            made[layer["name"]] = tf_keras.Input(layer["config"]["shape"], name=layer["name"])
            continue
        kind = getattr(tf_keras.layers, layer["class"], None)
        if kind is None:
            raise ModelError(f"Keras 2 has no layer {layer['class']}")
        given = [made[name] for name in layer["inputs"]]
        made[layer["name"]] = kind.from_config(layer["config"])(given if len(given) > 1 else given[0])
    return tf_keras.Model(made[layers[0]["name"]], made[layers[-1]["name"]])


@dataclass(frozen=True)
class _Training:
    teacher: Any
    lesson: Lesson
    settings: Settings
    centre: np.float32

    def __call__(self, model: Any, what: str, steps: int, rate: float, *callbacks: Any) -> None:
        """Fits the model, printing `what` and the number of steps at each."""
        import tf_keras

        class Told(tf_keras.callbacks.Callback):  # type: ignore[misc]
            def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
                print(what, steps, flush=True)

        schedule = tf_keras.optimizers.schedules.CosineDecay(rate, steps)
        model.compile(tf_keras.optimizers.Adam(schedule), "categorical_crossentropy")
        model.fit(self._batches(), steps_per_epoch=steps, verbose=0, callbacks=[Told(), *callbacks])

    def _batches(self) -> Iterator[tuple[Any, Any]]:
        import tensorflow as tf

        rng, share = np.random.default_rng(self.settings.seed), self.settings.label_share
        probabilities = tf.function(lambda faces: self.teacher(faces, training=False))
        exact = np.eye(self.teacher.output_shape[-1], dtype=np.float32)
        while True:
            rows = rng.integers(0, len(self.lesson.faces), self.settings.batch)
            faces = changed(self.lesson.faces[rows], rng) - self.centre
            yield faces, share * exact[self.lesson.labels[rows]] + (1 - share) * probabilities(faces)


def changed(faces: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.float32]:
    """float32 (N, height, width, 1): half of them mirrored, shifted by up to 3 pixels, edges repeated."""
    count, height, width = faces.shape
    padded = np.pad(faces, ((0, 0), (_SHIFT_PX, _SHIFT_PX), (_SHIFT_PX, _SHIFT_PX)), mode="edge")
    out = np.empty((count, height, width, 1), np.float32)
    for k, picture in enumerate(padded):
        y, x = rng.integers(0, 2 * _SHIFT_PX + 1, 2)
        view = picture[y : y + height, x : x + width]
        out[k, ..., 0] = view[:, ::-1] if rng.random() < 0.5 else view
    return out


def _weighted(model: Any) -> list[str]:
    """Names of the layers with a kernel but the first, which is small and matters most."""
    return [layer.name for layer in model.layers if hasattr(layer, "kernel")][1:]


def _wrapped(model: Any, names: list[str], wrap: Any) -> Any:
    """Layer by layer, since the toolkit refuses some that it need not change. The layers are those of
    `model`: it gets what is trained."""
    import tf_keras

    return tf_keras.models.clone_model(
        model, clone_function=lambda layer: wrap(layer) if layer.name in names else layer
    )


def _pruned(model: Any, train: _Training) -> Any:
    """The smallest weights become 0 during the first half, along a polynomial; the rest makes up for it."""
    from tensorflow_model_optimization import sparsity

    toolkit, settings = sparsity.keras, train.settings
    half = max(settings.steps // 2, 1)
    schedule = toolkit.PolynomialDecay(0.0, settings.sparsity, 0, half, frequency=max(half // 20, 1))
    model = _wrapped(model, _weighted(model), lambda layer: toolkit.prune_low_magnitude(layer, schedule))
    train(model, "pruning", settings.steps, settings.rate, toolkit.UpdatePruningStep())
    return toolkit.strip_pruning(model)


def _clustered(model: Any, train: _Training) -> Any:
    """Each layer keeps so many values, found by k-means++ and then trained; zeros of pruning stay."""
    from tensorflow_model_optimization import clustering
    from tensorflow_model_optimization.python.core.clustering.keras.experimental.cluster import (
        cluster_weights,
    )

    toolkit, settings = clustering.keras, train.settings
    start = toolkit.CentroidInitialization.KMEANS_PLUS_PLUS
    keep = settings.sparsity > 0
    model = _wrapped(
        model,
        _weighted(model),
        lambda layer: cluster_weights(layer, settings.clusters, start, preserve_sparsity=keep),
    )
    train(model, "clustering", settings.steps, settings.rate)
    return toolkit.strip_clustering(model)


def _aware(
    model: Any, train: _Training, ranges: dict[str, tuple[float, float]]
) -> dict[str, tuple[float, float]]:
    """Trains `model` with all rounded as int8 rounds it but the normalisation and the float end; gives the
    ranges learnt. ranges: where they begin."""
    from tensorflow_model_optimization import quantization
    from tensorflow_model_optimization.python.core.quantization.keras.collab_opts.cluster_preserve.cluster_utils import (  # noqa: E501
        strip_clustering_cqat,
    )
    from tensorflow_model_optimization.python.core.quantization.keras.collab_opts.cluster_preserve.default_8bit_cluster_preserve_quantize_scheme import (  # noqa: E501
        Default8BitClusterPreserveQuantizeScheme,
    )
    from tensorflow_model_optimization.python.core.quantization.keras.collab_opts.prune_preserve.default_8bit_prune_preserve_quantize_scheme import (  # noqa: E501
        Default8BitPrunePreserveQuantizeScheme,
    )

    toolkit, settings = quantization.keras, train.settings
    end = [layer.name for layer in model.layers].index(_weighted(model)[-1])
    rounded = [layer.name for layer in model.layers[1:end] if type(layer).__name__ not in _IN_FLOAT]
    keep_zeros = settings.sparsity > 0
    combined = []
    if settings.clusters:
        combined = [Default8BitClusterPreserveQuantizeScheme(keep_zeros)]
    elif keep_zeros:
        combined = [Default8BitPrunePreserveQuantizeScheme()]
    with toolkit.quantize_scope():
        aware = toolkit.quantize_apply(_wrapped(model, rounded, toolkit.quantize_annotate_layer), *combined)
    ends = {weight.name: weight for weight in aware.weights}
    quantisers = {
        name: prefix
        for name in rounded
        for prefix in (f"quant_{name}/post_activation", f"quant_{name}/output")
        if f"{prefix}_min:0" in ends
    }
    starts = {prefix: ranges[name] for name, prefix in quantisers.items() if name in ranges}
    starts |= {
        weight.name.removesuffix("_min:0"): (-float(train.centre), 255 - float(train.centre))
        for layer in aware.layers
        if type(layer).__name__ == "QuantizeLayer"
        for weight in layer.weights
        if weight.name.endswith("_min:0")
    }
    for prefix, (low, high) in starts.items():
        ends[f"{prefix}_min:0"].assign(low)
        ends[f"{prefix}_max:0"].assign(high)
    train(aware, "quantisation-aware training", settings.qat_steps, settings.qat_rate)
    trained = strip_clustering_cqat(aware) if settings.clusters else aware
    values = {weight.name: weight.numpy() for weight in trained.weights}
    for layer in model.layers:
        found = [values[f"{layer.name}/{weight.name.split('/')[-1]}"] for weight in layer.weights]
        if found and keep_zeros:  # which drift by a fraction of a step
            found[0] = np.where(layer.get_weights()[0] == 0, 0, found[0])
        layer.set_weights(found)
    return {
        name: (float(ends[f"{prefix}_min:0"].numpy()), float(ends[f"{prefix}_max:0"].numpy()))
        for name, prefix in quantisers.items()
    }
