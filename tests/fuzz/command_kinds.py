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
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any
from unittest import mock

import cv2
import numpy as np
import typer

from fer_edge import cli
from fer_edge.data.drawn import drawn_faces
from fer_edge.errors import DataError, UsageError
from fuzz.mutation import Random

NUMBERS = (
    "-1", "0", "1", "2", "3", "7", "0.5", "1e3", "1e400", "nan", "inf", "-inf", "", "x", "٣", "0x10", "1,2",
    "9" * 40, "4294967296", "-9223372036854775809", "1_0", " 1", "1 ", "--", "0,0", "1,x",
)  # fmt: skip
WORDS = (
    "", " ", "x", "é笑", "a\nb", "\x1b[31m", "x" * 300, "x/" * 2000 + "x", "-", "--", "..", ".", "nan",
    "%s%n", "{}", "tuned", "tuned_int8", "edge_int8", "demo", "default", "official", "paper", "holdout",
    "PublicTest", "float32", "bfloat16", "int8", "flip", "auto", "haar", "microcontroller", "onnx", "web",
    "ferplus:", "ferplus:x", "drawn", "drawn:42", "drawn:-1", "drawn:x", "drawn:9999999999", "0", "99", "pi",
    "rtsp://127.0.0.1:9/x", "http://127.0.0.1:9/x", "http://[", "file:///etc/passwd", "127.0.0.1", "::1",
)  # fmt: skip
PLACES = (
    "clip.avi", "photo.png", "table.csv", "recipe.toml", "log.jsonl", "card.json", "none.json", "new/o.json",
    ".", "folder", "photo.png/x", "/dev/null", "/dev/null/x", "/proc/x", "o.png", "o.avi", "o.csv", "o.jsonl",
)  # fmt: skip
SOUND = {
    "--data": ("drawn:42", "table.csv"), "--recipe": ("demo", "recipe.toml", "default"), "--out": ("new",),
    "--model": ("tuned_int8",), "--labels": ("fer2013",), "--card": ("card.json",), "--json": ("-", "o.json"),
    "models": ("tuned_int8", "edge_int8"), "model": ("tuned_int8", "tuned"), "log": ("log.jsonl",),
    "source": ("clip.avi", "photo.png"), "path": ("table.csv", "drawn:42"), "--weights": ("none.keras",),
}  # fmt: skip
"""What is right for an option or argument, so that not all is refused at the first word."""
LONG = ("--help", "-h", "--install-completion", "--show-completion")
"""Not tried: they print pages, or write to the user's home."""


_application = cache(cli.application)
_group = cache(typer.main.get_command)
"""Options are read from signatures once, not for every input."""


def _commands() -> dict[str, Any]:
    group: Any = _group(_application())
    return dict(group.commands)


@cache
def _place() -> Path:
    """The files that command lines name, made once."""
    import tempfile

    folder = Path(tempfile.mkdtemp(prefix="fuzz-place-"))
    images, labels = drawn_faces(56, 0)
    splits = ("Training", "Training", "PublicTest", "PrivateTest")
    rows = [
        f"{label},{' '.join(map(str, image.ravel()))},{splits[n // 7 % 4]}"
        for n, (image, label) in enumerate(zip(images, labels, strict=True))
    ]
    (folder / "table.csv").write_text("\n".join(["emotion,pixels,Usage", *rows]) + "\n")
    (folder / "recipe.toml").write_text('network = "nano"\nepochs = 1\n')
    (folder / "card.json").write_text("{}")
    face = {"box_xywh": [1, 2, 30, 30], "track": 1, "label": "happy", "confidence": 1.0, "probabilities": {}}
    frame = {"source": "s", "frame": 0, "time_s": 0.0, "faces": [face]}
    (folder / "log.jsonl").write_text(json.dumps(frame) + "\n")
    (folder / "folder").mkdir()
    cv2.imwrite(str(folder / "photo.png"), np.kron(images[3], np.ones((2, 2), np.uint8)))
    writer = cv2.VideoWriter(str(folder / "clip.avi"), cv2.VideoWriter.fourcc(*"MJPG"), 25.0, (96, 96))
    for image in images[:3]:
        writer.write(cv2.cvtColor(cv2.resize(image, (96, 96)), cv2.COLOR_GRAY2BGR))
    writer.release()
    return folder


def command_line(rng: Random) -> bytes:
    """A command with some of its arguments and options, some of them twice, seldom one that it has not."""
    commands = _commands()
    name = str(rng.choice(list(commands)))
    words = [name]
    parameters = [p for p in commands[name].params if p.opts[0] not in LONG]
    for parameter in [p for p in parameters if not p.opts[0].startswith("-")]:
        if rng.random() < 0.8:
            words.append(_value(parameter, rng))
    options = [p for p in parameters if p.opts[0].startswith("-")]
    for _ in range(int(rng.integers(0, 5))):
        option = options[int(rng.integers(len(options)))]
        words.append(str(option.opts[0]))
        if not getattr(option, "is_flag", False):
            words.append(_value(option, rng))
    if rng.random() < 0.05:
        words.insert(int(rng.integers(len(words) + 1)), str(rng.choice(["--frce", "-z", "x", "trian", "--"])))
    return json.dumps(words).encode()


def _value(parameter: Any, rng: Random) -> str:
    if parameter.type.name.startswith(("integer", "float")):
        return str(rng.choice(NUMBERS if rng.random() < 0.5 else ("1", "2", "3")))
    if rng.random() < 0.5 and (sound := SOUND.get(parameter.opts[0])):
        return str(rng.choice(sound))
    return str(rng.choice(PLACES if rng.random() < 0.6 else WORDS))


def _left_out(*_: Any, **__: Any) -> None:
    raise DataError("here the work would begin")


WORK = (
    "fer_edge.training.fit.train",
    "fer_edge.conversion.reference.measure",
    "fer_edge.targets.make.make",
    "fer_edge.targets.comparison.rows",
    "fer_edge.bench.latency.loaded",
    "fer_edge.bench.loop.run",
)


@contextlib.contextmanager
def _without_the_work() -> Iterator[None]:
    """Nothing is trained, converted or timed."""
    with contextlib.ExitStack() as stack:
        for name in WORK:
            stack.enter_context(mock.patch(name, _left_out))
        yield


def read_command_line(data: bytes, folder: Path) -> None:
    """Exit code 0, 1, 2 or 3; where it is not 0, an explanation, of one line unless it is the usage."""
    words = json.loads(data)
    shutil.copytree(_place(), folder / "place")
    os.chdir(folder / "place")
    os.environ["FER_EDGE_CACHE"] = str(folder / "cache")
    out, errors = io.StringIO(), io.StringIO()
    try:
        code = _run(words, out, errors)
    finally:
        os.chdir("/")
    text = errors.getvalue()
    assert code in (0, 1, 2, 3), f"exit code {code}"
    assert "Traceback" not in text + out.getvalue(), "a traceback"
    assert "fer-edge: unexpected" not in text, f"not foreseen: {text.strip()[-200:]}"
    last = [line for line in text.splitlines() if line.strip()]
    if code in (1, 3) or (code == 2 and text.startswith("fer-edge: ")):
        assert last, "failed without a word"
        assert last[-1].startswith("fer-edge: "), f"the last line is {last[-1]!r:.200}"
    if code == 2:
        assert last, "wrong usage, and no word about it"
    if code:
        raise UsageError("refused, as it should be")


def _run(words: list[str], out: io.StringIO, errors: io.StringIO) -> int:
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    with (
        mock.patch.object(sys, "argv", ["fer-edge", *words]),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(errors),
        mock.patch.object(cli, "application", lambda modules: _application(tuple(modules))),
        mock.patch.object(typer.main, "get_command", _group),
        _without_the_work(),
    ):
        try:
            cli.invoke()
        except SystemExit as end:
            return int(end.code or 0) if not isinstance(end.code, str) else 1
    return 0
