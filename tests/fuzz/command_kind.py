"""Command lines: every option of every command with numbers and words that nobody thought of.

The work itself is left out where it would take minutes (training, converting, timing): all that looks at the
options is there. An input is JSON, a list of words.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import sys
import tempfile
from functools import cache
from pathlib import Path
from random import Random
from typing import Any
from unittest import mock

import cv2
import numpy as np
import typer
from drawn_clip import drawn_clip, write_table

from fer_edge import cli
from fer_edge.data.drawn import drawn_faces
from fer_edge.errors import DataError, UsageError
from fuzz.harness import Kind

NUMBERS = (
    "-1", "0", "2", "0.5", "1e400", "nan", "-inf", "", "x", "٣", "1,2", "9" * 40, "4294967296", "1_0", "--",
)  # fmt: skip
WORDS = (
    "", " ", "x", "é笑", "a\nb", "\x1b[31m", "x" * 300, "x/" * 2000 + "x", "-", "--", "..", "%s%n", "tuned",
    "demo", "official", "PublicTest", "int8", "flip", "onnx", "ferplus:x", "drawn", "drawn:-1",
    "99", "pi", "rtsp://127.0.0.1:9/x", "http://[", "file:///etc/passwd", "::1", "clip.avi", "photo.png",
    "table.csv", "recipe.toml", "log.jsonl", "card.json", "new/o.json", "folder", "photo.png/x", "/dev/null",
    "/dev/null/x", "/proc/x", "o.png", "o.avi", "o.csv", "o.jsonl",
)  # fmt: skip
SOUND = {
    "--data": "drawn:42", "--recipe": "demo", "--out": "new", "--model": "tuned_int8", "--labels": "fer2013",
    "--card": "card.json", "--json": "-", "models": "edge_int8", "model": "tuned", "log": "log.jsonl",
    "source": "clip.avi", "path": "table.csv", "--weights": "none.keras",
}  # fmt: skip
"""What is right for an option or argument, so that not all is refused at the first word."""
LONG = ("--help", "-h", "--install-completion", "--show-completion")
WORK = (
    "fer_edge.training.fit.train",
    "fer_edge.conversion.source.measure",
    "fer_edge.targets.write_all",
    "fer_edge.bench.latency.loaded",
    "fer_edge.bench.loop.run",
)
_application, _group = cache(cli.application), cache(typer.main.get_command)  # read once, not for every input


@cache
def _place() -> Path:
    """The files that command lines name, made once."""
    folder = Path(tempfile.mkdtemp(prefix="fuzz-place-"))
    write_table(folder / "table.csv", 56)
    (folder / "recipe.toml").write_text('network = "nano"\nepochs = 1\n')
    (folder / "card.json").write_text("{}")
    face = {"box_xywh": [1, 2, 30, 30], "track": 1, "label": "happy", "confidence": 1.0, "probabilities": {}}
    (folder / "log.jsonl").write_text(json.dumps({"source": "s", "frame": 0, "time_s": 0.0, "faces": [face]}))
    (folder / "folder").mkdir()
    cv2.imwrite(str(folder / "photo.png"), np.kron(drawn_faces(7, 0)[0][3], np.ones((2, 2), np.uint8)))
    drawn_clip(folder / "clip.avi", frames_each=3)
    return folder


def command_line(rng: Random) -> bytes:
    """A command with some of its arguments and options, some of them twice, seldom one that it has not."""
    commands: dict[str, Any] = _group(_application()).commands
    name = str(rng.choice(sorted(commands)))
    parameters = [p for p in commands[name].params if p.opts[0] not in LONG]
    options = [p for p in parameters if p.opts[0].startswith("-")]
    words = [name, *(_value(p, rng) for p in parameters if p not in options and rng.random() < 0.8)]
    for option in rng.choices(options, k=rng.randrange(5)):
        words += [option.opts[0]] + [_value(option, rng)] * (not option.is_flag)
    if rng.random() < 0.05:
        words.insert(rng.randrange(len(words) + 1), str(rng.choice(["--frce", "-z", "x", "trian", "--"])))
    return json.dumps(words).encode()


def _value(parameter: Any, rng: Random) -> str:
    if parameter.type.name.startswith(("integer", "float")):
        return str(rng.choice(NUMBERS if rng.random() < 0.5 else ("1", "2", "3")))
    sound = SOUND.get(parameter.opts[0])
    return sound if sound and rng.random() < 0.5 else rng.choice(WORDS)


def read_command_line(data: bytes, folder: Path) -> None:
    """Exit code 0, 1, 2 or 3; where it is not 0, an explanation, of one line unless it is the usage."""
    shutil.copytree(_place(), folder / "place")
    os.environ["FER_EDGE_CACHE"] = str(folder / "cache")
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    out, errors, code = io.StringIO(), io.StringIO(), 0
    with contextlib.ExitStack() as here:
        for one in (
            *(mock.patch(name, side_effect=DataError("here the work would begin")) for name in WORK),
            mock.patch.object(sys, "argv", ["fer-edge", *json.loads(data)]),
            mock.patch.object(cli, "application", lambda names: _application(tuple(names))),
            mock.patch.object(typer.main, "get_command", _group),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(errors),
            contextlib.chdir(folder / "place"),
        ):
            here.enter_context(one)
        try:
            cli.invoke()
        except SystemExit as end:
            code = end.code or 0
    text = errors.getvalue()
    assert code in (0, 1, 2, 3), f"exit code {code}"
    assert "Traceback" not in text + out.getvalue(), "a traceback"
    assert "fer-edge: unexpected" not in text, f"not foreseen: {text.strip()[-200:]}"
    if code:
        last = [line for line in text.splitlines() if line.strip()][-1:]
        assert last, "failed without a word"
        usage = code == 2 and not text.startswith("fer-edge: ")
        assert usage or last[0].startswith("fer-edge: "), f"the last line is {last[0]!r:.200}"
        raise UsageError("refused, as it should be")


KINDS = {"command_line": Kind(command_line, read_command_line, 240.0, bounded=False)}
