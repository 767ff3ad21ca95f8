"""PyTorch's own kernels in place of Keras' compositions: the same values, the same gradients.

PyTorch runs in a process of its own, since Keras has one backend a process.
"""

import importlib.util
import os
import subprocess
import sys

import pytest

if missing := [name for name in ("keras", "torch") if importlib.util.find_spec(name) is None]:
    pytest.skip(f"needs pip install {' '.join(missing)}", allow_module_level=True)

PROGRAM = """
import sys
import keras, numpy as np, torch
from keras import layers
from fer_edge.training import networks, torch_layers

name, side = sys.argv[1], int(sys.argv[2])
pad, stride = sys.argv[3], int(sys.argv[4])
rng = np.random.default_rng(0)
faces = rng.normal(size=(6, side, side, 3)).astype("float32")

def network(made_of):
    keras.utils.set_random_seed(1)
    x = inputs = keras.Input((side, side, 3))
    if name == "convolution":
        x = made_of.Conv2D(4, 5, strides=stride, padding=pad, activation="relu")(x)
    elif name == "pooling":
        x = made_of.MaxPooling2D(stride)(x)
    else:
        x = made_of.BatchNormalization()(x)
    return keras.Model(inputs, x)

def gone_through(made_of):
    # Outputs, gradients of the mean of their cubes, and the state after it.
    model = network(made_of)
    given = torch.tensor(faces, requires_grad=True)
    out = model(given, training=True)
    (out ** 3).mean().backward()
    gradients = [given.grad] + [v.value.grad for v in model.trainable_variables]
    return [out.detach()] + gradients + [v.value.detach() for v in model.non_trainable_variables]

ours, keras_own = gone_through(networks.fastest_layers()), gone_through(layers)
assert type(network(torch_layers).layers[1]) is not type(network(layers).layers[1])
assert len(ours) == len(keras_own) > 1
n = 6 * side * side
for k, (one, two) in enumerate(zip(ours, keras_own)):
    one, two = one.numpy(), two.numpy()
    if name == "normalisation" and k == len(ours) - 1:  # PyTorch's estimate of the variance has no bias
        two = 0.99 + (two - 0.99) * n / (n - 1)
    assert one.shape == two.shape
    np.testing.assert_allclose(one, two, rtol=1e-4, atol=1e-6)
print("same")
"""


@pytest.mark.parametrize(
    ("name", "side", "padding", "stride"),
    [
        ("convolution", 12, "same", 1),
        ("convolution", 12, "same", 2),  # one pixel more after than before
        ("convolution", 13, "same", 2),
        ("convolution", 12, "valid", 2),
        ("pooling", 12, "valid", 2),
        ("pooling", 13, "valid", 2),
        ("normalisation", 12, "valid", 1),
    ],
)
def test_a_layer_gives_what_keras_own_gives(name, side, padding, stride):
    env = {**os.environ, "KERAS_BACKEND": "torch"}
    words = [sys.executable, "-c", PROGRAM, name, str(side), padding, str(stride)]
    done = subprocess.run(words, check=False, capture_output=True, text=True, env=env)
    assert done.stdout.split() == ["same"], done.stderr[-3000:]
