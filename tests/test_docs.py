"""Every command in the documentation exists as it is written; the blocks of the short pages are run."""

import importlib.util
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import typer
from doc_blocks import PAGES, ROOT, blocks, commands, mentioned
from drawn_clip import write_table

from fer_edge.cli import application
from fer_edge.data.drawn import drawn_faces
from fer_edge.model.shipped import models_folder
from fer_edge.spec import LABELS

BIN = Path(sys.executable).parent
HAS_KERAS = importlib.util.find_spec("keras") is not None
RUN = [page for page in PAGES if any(block.marked for block in blocks(page))]
OF_OTHERS = {"sudo", "python3", "pip", ".", "rpicam-vid"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_has_the_options_that_are_written(page):
    group = typer.main.get_command(application())
    for words in mentioned(page):
        name, *rest = [word for word in words[1:] if word != "..." and not word.startswith(">")]
        if name.startswith("--") or name == "COMMAND" or "--help" in rest:
            continue
        with group.make_context("fer-edge", [name], resilient_parsing=True) as context:
            command = group.get_command(context, name)
            assert command is not None, words
            with command.make_context(name, list(rest), parent=context) as parsed:
                assert not parsed.args, parsed.args


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """What the pages speak of: my_faces/, fer2013.csv, clip.avi, photo.jpg, models/."""
    folder = tmp_path_factory.mktemp("docs")
    write_table(folder / "fer2013.csv", 700, seed=5)
    for n, (image, label) in enumerate(zip(*drawn_faces(700, 5), strict=True)):
        path = folder / "my_faces" / ("test" if n % 4 == 3 else "train") / LABELS[label] / f"{n}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), image)
    writer = cv2.VideoWriter(str(folder / "clip.avi"), cv2.VideoWriter.fourcc(*"MJPG"), 25.0, (160, 120))
    for seed in range(5):
        writer.write(np.random.default_rng(seed).integers(0, 256, (120, 160, 3), np.uint8))
    writer.release()
    cv2.imwrite(str(folder / "photo.jpg"), np.full((120, 160, 3), 90, np.uint8))
    (folder / "models").symlink_to(models_folder())
    return folder


def _run(words, place):
    env = {
        **os.environ,
        "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
        "FER_EDGE_CACHE": str(place / "cache"),
    }
    done = subprocess.run(words, check=False, capture_output=True, text=True, cwd=place, env=env)
    assert done.returncode == 0, f"{shlex.join(map(str, words))}: {done.stderr or done.stdout}"


def _stand_in(folder):
    folder.mkdir(parents=True, exist_ok=True)
    for name, end in (("tuned.keras", "model.keras"), ("tuned.json", "card.json")):
        shutil.copyfile(models_folder() / name, folder / end)


@pytest.mark.slow
def test_a_newcomer_walks_from_nothing_to_a_measured_model_in_80_columns(tmp_path):
    env = {**os.environ, "COLUMNS": "80", "FER_EDGE_CACHE": str(tmp_path / "cache"), "TERM": "xterm"}
    for words in (
        "train --recipe demo --data drawn --epochs 4",
        "convert --data drawn --all",
        "bench runs/demo --data drawn",
        "evaluate edge --data drawn",
        "models",
    ):
        on_terminal = ["script", "--return", "--quiet", "--command", f"{BIN}/fer-edge {words}", "/dev/null"]
        done = subprocess.run(on_terminal, check=False, capture_output=True, text=True, cwd=tmp_path, env=env)
        assert done.returncode == 0, done.stdout
        assert "…" not in done.stdout, f"{words}: a cell is cut"


@pytest.mark.slow
@pytest.mark.parametrize("page", RUN, ids=lambda page: page.name)
def test_the_blocks_of_a_page_run(page, place):
    for block in blocks(page):
        how = block.how or ""
        if not block.marked or how == "parse":
            continue
        if how.startswith("file "):
            (place / how.removeprefix("file ")).write_text(block.code)
        elif block.language == "python":
            _run([sys.executable, "-c", block.code], place)
        else:
            if how.startswith("stand-in "):
                _stand_in(place / how.removeprefix("stand-in "))
            for words in commands(block.code):
                if words[1] in ("train", "convert", "evaluate") and not HAS_KERAS:
                    continue
                extra = shlex.split(how.removeprefix("append ")) if how.startswith("append ") else []
                _run([*words, *(extra if words[1] == "train" else [])], place)


@pytest.mark.parametrize("page", RUN, ids=lambda page: page.name)
def test_blocks_that_are_not_tried_hold_nothing_of_ours(page):
    for block in blocks(page):
        if block.language == "sh" and not block.marked:
            assert {words[1] for words in commands(block.code)} <= {"doctor"}
            assert {line.split()[0] for line in block.code.splitlines()} <= OF_OTHERS | {"fer-edge"}


def test_the_recipe_that_the_page_shows_is_one(tmp_path):
    pytest.importorskip("keras")
    from fer_edge.training import recipes

    shown, *_ = [block.code for block in blocks(ROOT / "docs/recipes.md") if block.language == "toml"]
    (tmp_path / "mine.toml").write_text(shown)
    recipe = recipes.read(tmp_path / "mine.toml")
    assert (recipe.name, recipe.epochs, recipe.augmentation.shift_px) == ("mine", 30, 3.0)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_into_the_repository_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), target
