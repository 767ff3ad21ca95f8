"""The documentation: its blocks are run one after the other, each command exists as it is written."""

import importlib.util
import os
import re
import shlex
import shutil
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import typer
from doc_blocks import PAGES, blocks
from drawn_clip import drawn_clip, write_table
from processes import ended

from fer_edge.cli import application
from fer_edge.data import ferplus
from fer_edge.data.drawn import drawn_faces
from fer_edge.model.shipped import models_folder
from fer_edge.spec import LABELS

NEEDS = {
    "--camera": "a camera", "-": "a camera's pipe", "--target": "tools of others", "sweep": "hours",
    "/shared/plain": "several machines",
}  # fmt: skip
"""Words of commands that are looked at and not run."""
SHORTER = {
    "demo": {"--epochs": "2", "--batch-size": "8"},
    "train": {"--epochs": "1"},
    "convert": {"--calibration-samples": "105"},
    "bench": {"--runs": "2", "--patience": "0"},
}
"""What is added to commands with these words; where the page itself says how many, that stays."""
TRIED_ELSEWHERE = ("formats.md", "targets.md")  # their Python, by the tests of what it extends


@pytest.fixture(scope="module")
def group():
    return typer.main.get_command(application())


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_has_the_options_that_are_written_and_every_link_leads_somewhere(page, group):
    for words in (words for block in blocks(page) if block.language == "sh" for words in block.commands):
        name, *rest = [word for word in words[1:] if word != "..." and not word.startswith(">")]
        with group.make_context("fer-edge", [name], resilient_parsing=True) as context:
            command = group.get_command(context, name)
            assert command is not None, words
            with command.make_context(name, list(rest), parent=context) as parsed:
                assert not parsed.args, parsed.args
    for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), target


def _of_the_reader(folder):
    """What a reader brings, by the pages' names for it, with drawn faces in it; `models/` is a clone's."""
    seed = 6  # `edge` knows no drawn faces: on those of 5, int8 differs in more answers than chance explains
    faces, labels = drawn_faces(700, seed)
    write_table(folder / "fer2013.csv", len(faces), seed=seed)
    votes = [["Usage", *ferplus.COLUMNS]]
    for label, row in zip(labels, (folder / "fer2013.csv").read_text().splitlines()[1:], strict=True):
        own = ferplus.LABELS.index(LABELS[label])
        votes.append([row.split(",")[-1], *("10" if n == own else "0" for n in range(len(ferplus.COLUMNS)))])
    (folder / "fer2013new.csv").write_text("\n".join(map(",".join, votes)))
    for n, (face, label) in enumerate(zip(faces, labels, strict=True)):
        path = folder / "my_faces" / ("test" if n % 4 == 3 else "train") / LABELS[label] / f"{n}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), face)
    shutil.copy(drawn_clip(folder / "clip.avi"), folder / "clip.mp4")
    cv2.imwrite(str(folder / "photo.jpg"), np.full((120, 160, 3), 90, np.uint8))
    (folder / "models").symlink_to(models_folder())
    shutil.copyfile(models_folder() / "edge_int8.tflite", folder / "other.tflite")
    for name, end in (("edge.keras", "model.keras"), ("edge.json", "card.json")):
        (folder / "runs/edge").mkdir(parents=True, exist_ok=True)
        shutil.copyfile(models_folder() / name, folder / "runs/edge" / end)


def _run(words, place):
    """On a terminal of 80 columns, in which no table may cut a cell."""
    here = {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "FER_EDGE_CACHE": str(place / "cache"),
    }
    on_terminal = ("script", "--return", "--quiet", "--command", shlex.join(words), "/dev/null")
    done = ended(*on_terminal, cwd=place, variables={**here, "COLUMNS": "80"}, code=0)
    assert "…" not in done.stdout, f"{shlex.join(words)}: a cell is cut"


def _shortened(words, options, again):
    """As a test has it; again: other pages came before, and left their outputs."""
    added = next((more for word, more in SHORTER.items() if word in words), {})
    more = [word for name, value in added.items() if name not in words for word in (name, value)]
    if again and "--force" in options and "--force" not in words:
        more.append("--force")
    return words + more


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("keras") is None, reason="needs Keras")
def test_the_blocks_of_all_pages_run_one_after_the_other_in_one_folder(tmp_path, group):
    _of_the_reader(tmp_path)
    options = {name: {o for p in command.params for o in p.opts} for name, command in group.commands.items()}
    for page in PAGES:
        for block in blocks(page):
            if block.file:
                (tmp_path / block.file).write_text(block.code)
            elif block.language == "python" and page.name not in TRIED_ELSEWHERE:
                given = "import numpy as np; faces = np.zeros((1, 48, 48), np.uint8)\n"
                _run([sys.executable, "-c", given + block.code], tmp_path)
            for words in block.commands:
                if not NEEDS.keys() & set(words):
                    _run(_shortened(words, options[words[1]], page != PAGES[0]), tmp_path)
