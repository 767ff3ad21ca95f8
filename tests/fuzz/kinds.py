"""All kinds of input, by name; `probe`, which tries the harness itself, stands apart."""

from __future__ import annotations

from fuzz import command_kinds, data_kinds, media_kinds, model_kinds, probe, text_kinds, tree_kinds
from fuzz.harness import Kind

KINDS = {
    kind.name: kind
    for kind in (
        Kind("table", data_kinds.table, data_kinds.read_table),
        Kind("packed_table", data_kinds.packed, data_kinds.read_packed),
        Kind("tree", tree_kinds.tree, tree_kinds.read_tree),
        Kind("cache", data_kinds.kept, data_kinds.read_kept),
        Kind("picture", media_kinds.picture, media_kinds.read_picture),
        Kind("video", media_kinds.video, media_kinds.read_video),
        Kind("motion_jpeg", media_kinds.motion_jpeg, media_kinds.read_motion_jpeg),
        Kind("card", text_kinds.card, text_kinds.read_card),
        Kind("train_recipe", text_kinds.train_recipe, text_kinds.read_train_recipe),
        Kind("convert_recipe", text_kinds.convert_recipe, text_kinds.read_convert_recipe),
        Kind("benchmark", text_kinds.benchmark, text_kinds.read_benchmark),
        Kind("tflite", model_kinds.tflite, model_kinds.read_tflite, hang_s=180.0),
        Kind("keras", model_kinds.keras, model_kinds.read_keras, hang_s=60.0, bounded=False),
        Kind("checkpoint", model_kinds.checkpoint, model_kinds.read_checkpoint, hang_s=60.0, bounded=False),
        Kind(
            "command_line", command_kinds.command_line, command_kinds.read_command_line, 120.0, bounded=False
        ),
    )
}
PROBE = Kind("probe", probe.make, probe.attempt, hang_s=2.0)
