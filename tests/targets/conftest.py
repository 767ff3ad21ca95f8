"""Tiny models whose outputs can be worked out by hand, as files with cards."""

import pytest
from tiny_models import Spec, dense, picks, shipped_card, shipped_style

from fer_edge.model import file
from fer_edge.spec import ModelCard, TensorSpec

SIDE = 8
"""Small, so that C sources and pages of these models are too."""


@pytest.fixture(scope="session")
def tiny(tmp_path_factory):
    """uint8 gray in, float32 probabilities of three labels out: softmax over the first three pixels."""
    card = shipped_card("happy", "sad", "so-so", side=SIDE)
    path = tmp_path_factory.mktemp("tiny") / "tiny_int8.tflite"
    path.write_bytes(file.embed_card(shipped_style(side=SIDE), card))
    return path


@pytest.fixture(scope="session")
def whole(tmp_path_factory):
    """int8 in and out, logits of two labels: the first two pixels, in steps of 2; range 0..1."""
    face = TensorSpec("int8", (1, SIDE, SIDE, 1), 1 / 255, -128, real_max=1.0)
    answer = TensorSpec("int8", (1, 2), 2 / 255, -128, content="logits")
    card = ModelCard("whole", "full_integer", ("yes", "no"), face, answer)
    ends = {"entry": Spec("int8", 1 / 255, -128), "output": Spec("int8", 2 / 255, -128)}
    flatbuffer = dense((1, SIDE, SIDE, 1), picks(SIDE * SIDE, 0, 1), **ends)
    path = tmp_path_factory.mktemp("whole") / "whole_full_integer.tflite"
    path.write_bytes(file.embed_card(flatbuffer, card))
    return path
