"""All kinds of input, by name; `probe` tries the harness itself."""

from __future__ import annotations

import os
import signal
import time
from functools import partial
from pathlib import Path

from fer_edge.errors import DataError
from fuzz import data_kinds as data
from fuzz import model_kinds as model
from fuzz.command_kind import command_line, read_command_line
from fuzz.damage import damaged, damaged_after_name, reshaped_json
from fuzz.harness import Kind


def _misbehave(content: bytes, folder: Path) -> None:
    if content == b"die":
        os.kill(os.getpid(), signal.SIGSEGV)
    elif content == b"wait":
        time.sleep(600)
    elif content == b"raise":
        raise ValueError("not one of ours")
    elif content == b"refuse":
        raise DataError("no")


def _of(valid, change=damaged):
    """Makes inputs out of one of the valid ones."""
    return lambda rng: change(rng.choice(valid()), rng)


KINDS = {
    "table": Kind(data.table, data.read_table),
    "packed_table": Kind(data.packed, data.read_packed),
    "tree": Kind(data.tree, data.read_tree),
    "cache": Kind(_of(data.cached, damaged_after_name), data.read_cached),
    "picture": Kind(_of(data.pictures), data.read_picture),
    "video": Kind(_of(data.videos, damaged_after_name), data.read_video),
    "motion_jpeg": Kind(_of(data.motion_jpeg), data.read_motion_jpeg),
    "card": Kind(_of(model.cards, reshaped_json), model.read_card),
    "train_recipe": Kind(_of(partial(model.recipes, "train"), model.reshaped_toml), model.read_train_recipe),
    "convert_recipe": Kind(
        _of(partial(model.recipes, "convert"), model.reshaped_toml), model.read_convert_recipe
    ),
    "benchmark": Kind(_of(model.benchmarks, reshaped_json), model.read_benchmark),
    "tflite": Kind(model.tflite, model.read_tflite, hang_s=180.0),
    "keras": Kind(model.keras, model.read_keras, 240.0, False),
    "checkpoint": Kind(
        _of(model.checkpoints, damaged_after_name), model.read_checkpoint, 240.0, bounded=False
    ),
    "command_line": Kind(command_line, read_command_line, 240.0, False),
    "probe": Kind(lambda rng: rng.randbytes(4), _misbehave, hang_s=2.0),
}
