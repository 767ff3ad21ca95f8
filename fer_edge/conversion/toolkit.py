"""tensorflow-model-optimization: pruning, clustering and quantisation-aware training.

It supports only Keras 2, and a process has one Keras inside TensorFlow. So it runs in a separate process, on
a tf_keras network with the same results as the Keras 3 network within 1e-5. The weights are then copied back
for the usual conversion. The targets are the float network's probabilities and the labels.
"""

import json
import re
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fer_edge import child, console
from fer_edge.conversion import folding, rounding
from fer_edge.conversion.formats import Material, Recipe
from fer_edge.errors import ModelError
from fer_edge.model import keras_files
from fer_edge.vision.crop import resize_faces

_ENVIRONMENT = {"TF_USE_LEGACY_KERAS": "1", "TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONWARNINGS": "ignore"}
_TIMEOUT_S = 24 * 3600.0
_CHECKED = 64
_EQUAL = 1e-5
_IN_FLOAT = ("Rescaling", "BatchNormalization", *rounding.MEANS, "Softmax")


def retrain(
    material: Material, images: NDArray[np.uint8], labels: NDArray[np.int64], recipe: Recipe, seed: int
) -> Material:
    """The material with its network pruned, clustered and trained for int8, according to the recipe.

    images: of Training, uint8 (N, height, width), of any size; labels: int64 (N,), in the model's order.
    Raises ModelError for layers that Keras 2 lacks, or if the toolkit refuses the network.
    """
    import keras

    network, ranges = folding.folded(material.network, centred=True), {}
    centre = folding.centre_of(network)
    if recipe.qat:
        with console.working("measuring ranges"):
            ranges = rounding.measured(network, material.faces, float_end=True)
        ranges["quantize_layer"] = -centre, 255 - centre  # the toolkit's, which rounds the input
    job = {"ranges": ranges, "centre": centre, "seed": seed, "recipe": asdict(recipe)}
    job["network"] = _described(network)
    probe = resize_faces(images[:_CHECKED], network.inputs[0].shape[1:3])
    wanted = np.asarray(network(probe[..., None].astype(np.float32), training=False))
    given: dict[str, Any] = {"images": images, "labels": labels, "probe": probe, "wanted": wanted}
    given |= {"job": json.dumps(job), **_weights(network, "network")}
    steps = recipe.steps * ((recipe.sparsity > 0) + (recipe.clusters > 0)) + recipe.qat_steps * recipe.qat
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        np.savez(folder / "given.npz", **given)
        with console.progress("training with tensorflow-model-optimization", steps) as advance:
            learnt = child.run(
                work, name, what="tensorflow-model-optimization", timeout_s=_TIMEOUT_S,
                environment=_ENVIRONMENT, heard=lambda line: advance(line == "step"),
            )  # fmt: skip
        with np.load(folder / "found.npz") as stored:
            found = dict(stored)
    if recipe.compresses:
        trained = _set_weights(keras.models.clone_model(network), found, "network")
        material = replace(material, network=trained, compressed=True)
    if recipe.qat:
        trained = _set_weights(keras.models.clone_model(network), found, "aware")
        material = replace(material, aware=trained, ranges={n: (a, b) for n, (a, b) in learnt.items()})
    return material


def _weights(model: Any, of: str) -> dict[str, Any]:
    return {f"{of}/{la.name}/{k}": w for la in model.layers for k, w in enumerate(la.get_weights())}


def _set_weights(model: Any, found: dict[str, Any], of: str) -> Any:
    for layer in model.layers:
        weights = [found[f"{of}/{layer.name}/{k}"] for k in range(len(layer.weights))]
        keras_files.set_weights(layer, weights)
    return model


def _described(network: Any) -> dict[str, Any]:
    """Its Keras 2 configuration, without the centring of gray levels, which the toolkit refuses."""
    names = {id(layer.output): layer.name for layer in network.layers}
    if folding.centre_of(network):
        names[id(network.layers[1].output)] = network.layers[0].name
    first, *others = [layer for layer in network.layers if names[id(layer.output)] == layer.name]
    start = {"batch_input_shape": first.output.shape, "name": first.name}
    layers = [{"class_name": "InputLayer", "name": first.name, "config": start, "inbound_nodes": []}]
    plain = (int, float, str, list, tuple)
    for layer in others:
        config = {name: value for name, value in layer.get_config().items() if isinstance(value, plain)}
        if type(layer).__name__ == "LeakyReLU":  # Keras 2's name for it
            config["alpha"] = config.pop("negative_slope")
        given = [[names[id(tensor)], 0, 0, {}] for tensor in folding.inputs_of(layer)]
        told = {"class_name": type(layer).__name__, "name": layer.name, "config": config}
        layers.append(told | {"inbound_nodes": [given]})
    ends = {"input_layers": [[first.name, 0, 0]], "output_layers": [[others[-1].name, 0, 0]]}
    return {"name": network.name, "layers": layers, **ends}


# From here on: in the child.


def work(name: str) -> rounding.Ranges:
    """Does what `retrain` wrote into the folder `name`, writes `found.npz`, returns the ranges."""
    import tensorflow as tf
    import tf_keras

    folder = Path(name)
    with np.load(folder / "given.npz") as stored:
        given = dict(stored)
    job = json.loads(str(given["job"]))
    recipe, centre = Recipe(**job["recipe"]), np.float32(job["centre"])
    tf_keras.utils.set_random_seed(job["seed"])
    tf.config.experimental.enable_op_determinism()
    for layer in job["network"]["layers"]:
        if not hasattr(tf_keras.layers, layer["class_name"]):
            raise ModelError(f"Keras 2 has no layer {layer['class_name']}")
    built = (tf_keras.Model.from_config(job["network"]) for _ in range(2))
    twin, teacher = (_set_weights(model, given, "network") for model in built)
    got = twin(given["probe"][..., None].astype(np.float32) - centre, training=False).numpy()
    if (difference := np.abs(got - given["wanted"]).max()) > _EQUAL:
        raise ModelError(f"its copy in Keras 2 differs by {difference:.2g} in a probability")
    lesson = _Lesson(teacher, given["images"], given["labels"], recipe, job["seed"], centre)
    if recipe.sparsity:
        twin = _pruned(twin, lesson)
    if recipe.clusters:
        twin = _clustered(twin, lesson)
    if recipe.compresses:
        _onto_steps(twin)
    found, learnt = _weights(twin, "network"), {}
    if recipe.qat:
        learnt = _aware(twin, lesson, job["ranges"])
        if recipe.compresses:
            _onto_steps(twin)
        found |= _weights(twin, "aware")
    np.savez(folder / "found.npz", **found)
    return learnt


def _onto_steps(model: Any) -> None:
    for layer in model.layers:
        layer.set_weights([rounding.on_one_step(weight) for weight in layer.get_weights()])


@dataclass(frozen=True)
class _Lesson:
    """Training pictures, and what decides their targets: the labels and the float network."""

    teacher: Any
    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    recipe: Recipe
    seed: int
    centre: np.float32

    def fit(self, model: Any, steps: int, rate: float, *callbacks: Any) -> None:
        """Trains the model; each step is a line on standard output."""
        import tf_keras

        def batches() -> Iterator[tuple[Any, Any]]:
            rng, share = np.random.default_rng(self.seed), self.recipe.label_share
            of_label = np.eye(self.teacher.output_shape[-1], dtype=np.float32)
            while True:
                rows = rng.integers(0, len(self.images), self.recipe.batch)
                faces = resize_faces(self.images[rows], self.teacher.input_shape[1:3])
                faces = np.where(rng.random((len(rows), 1, 1)) < 0.5, faces[:, :, ::-1], faces)
                given = faces[..., None].astype(np.float32) - self.centre
                answers = self.teacher.predict_on_batch(given)
                yield given, share * of_label[self.labels[rows]] + (1 - share) * answers

        told = tf_keras.callbacks.LambdaCallback(on_batch_end=lambda batch, logs: print("step", flush=True))
        schedule = tf_keras.optimizers.schedules.CosineDecay(rate, steps)
        model.compile(tf_keras.optimizers.Adam(schedule), "categorical_crossentropy")
        model.fit(batches(), steps_per_epoch=steps, verbose=0, callbacks=[told, *callbacks])


def _weighted(model: Any) -> list[str]:
    """Names of the layers with a kernel, except the first, which is small and matters most."""
    return [layer.name for layer in model.layers if hasattr(layer, "kernel")][1:]


def _wrapped(model: Any, names: list[str], wrap: Any) -> Any:
    """Wraps only these, since the toolkit refuses others. All are shared with `model`, which learns too."""
    import tf_keras

    def wrapped(layer: Any) -> Any:
        return wrap(layer) if layer.name in names else layer

    return tf_keras.models.clone_model(model, clone_function=wrapped)


def _pruned(model: Any, lesson: _Lesson) -> Any:
    """The smallest weights become 0 during the first half, along a polynomial; the others compensate."""
    from tensorflow_model_optimization import sparsity

    toolkit, recipe = sparsity.keras, lesson.recipe
    half = max(recipe.steps // 2, 1)
    schedule = toolkit.PolynomialDecay(0.0, recipe.sparsity, 0, half, frequency=max(half // 20, 1))
    model = _wrapped(model, _weighted(model), lambda layer: toolkit.prune_low_magnitude(layer, schedule))
    lesson.fit(model, recipe.steps, recipe.rate, toolkit.UpdatePruningStep())
    return toolkit.strip_pruning(model)


def _clustered(model: Any, lesson: _Lesson) -> Any:
    """Each layer keeps this many distinct values, which are trained; zeros from pruning stay.

    They start evenly spaced: k-means++ makes all of them about equally frequent, which compresses badly.
    """
    from tensorflow_model_optimization import clustering
    from tensorflow_model_optimization.python.core.clustering.keras.experimental import cluster

    toolkit, recipe = clustering.keras, lesson.recipe
    how = (recipe.clusters, toolkit.CentroidInitialization.LINEAR)
    keep = {"preserve_sparsity": recipe.sparsity > 0}
    model = _wrapped(model, _weighted(model), lambda layer: cluster.cluster_weights(layer, *how, **keep))
    lesson.fit(model, recipe.steps, recipe.rate)
    return toolkit.strip_clustering(model)


def _aware(model: Any, lesson: _Lesson, ranges: rounding.Ranges) -> rounding.Ranges:
    """Trains with int8 rounding of all but the normalisation and the float end; returns the learned ranges.

    ranges: where they begin; from the toolkit's own, -6 to 6, they would need thousands of steps to settle.
    """
    from tensorflow_model_optimization import quantization
    from tensorflow_model_optimization.python.core.quantization.keras.collab_opts import (
        cluster_preserve,
        prune_preserve,
    )

    toolkit, recipe = quantization.keras, lesson.recipe
    end = rounding.last_weighted(model)
    rounded = [layer.name for layer in model.layers[1:end] if type(layer).__name__ not in _IN_FLOAT]
    keep_zeros = recipe.sparsity > 0
    combined = []
    if recipe.clusters:
        with_clusters = cluster_preserve.default_8bit_cluster_preserve_quantize_scheme
        combined = [with_clusters.Default8BitClusterPreserveQuantizeScheme(keep_zeros)]
    elif keep_zeros:
        with_zeros = prune_preserve.default_8bit_prune_preserve_quantize_scheme
        combined = [with_zeros.Default8BitPrunePreserveQuantizeScheme()]
    with toolkit.quantize_scope():
        aware = toolkit.quantize_apply(_wrapped(model, rounded, toolkit.quantize_annotate_layer), *combined)
    ends = {weight.name: weight for weight in aware.weights}
    learnt = {}  # name -> smallest and largest value, as they are trained
    for name, smallest in ends.items():
        if of := re.fullmatch(r"(?:quant_)?(.+)/(post_activation|output|quantize_layer)_min:0", name):
            learnt[of[1]] = smallest, ends[name.replace("_min:0", "_max:0")]
            for variable, value in zip(learnt[of[1]], ranges.get(of[1], ()), strict=False):
                variable.assign(value)
    lesson.fit(aware, recipe.qat_steps, recipe.qat_rate)
    if recipe.clusters:
        aware = cluster_preserve.cluster_utils.strip_clustering_cqat(aware)
    values = {weight.name: weight.numpy() for weight in aware.weights}
    for layer in model.layers:
        found = [values[f"{layer.name}/{weight.name.split('/')[-1]}"] for weight in layer.weights]
        if found and keep_zeros:  # which drift by a fraction of a step
            found[0] = np.where(layer.get_weights()[0] == 0, 0, found[0])
        layer.set_weights(found)
    return {name: (float(low), float(high)) for name, (low, high) in learnt.items() if name in rounded}
