"""Faults that people reported of such programs: the list in docs, and tests that stand nowhere else."""

import itertools
import json
import os
import re
import subprocess
import sys
from pathlib import Path

TESTS = Path(__file__).parent
LIST = TESTS.parent / "docs/reported-faults.md"
FER_EDGE = Path(sys.executable).with_name("fer-edge")


def rows():
    lines = [line for line in LIST.read_text().splitlines() if re.match(r"\| [A-Z]\d ", line)]
    return {
        cells[0]: cells for cells in ([cell.strip() for cell in line.strip("|").split("|")] for line in lines)
    }


def test_each_test_that_is_named_exists():
    all_tests = "".join(path.read_text() for path in TESTS.rglob("test_*.py"))
    for number, (*_, named) in rows().items():
        for test in filter(None, named.split(", ")):
            assert f"def {test}(" in all_tests, f"{number}: {test}"


def test_each_row_is_held_by_a_test_or_says_that_it_is_not():
    for number, (*_, here, named) in rows().items():
        assert bool(named) != here.startswith("not held: "), number


def test_no_known_case_is_left_out(cases):
    known = re.findall(r"^\| ([A-Z]\d) \|", (cases / "README.md").read_text(), re.MULTILINE)
    assert set(known) == set(rows())


def test_k3_each_of_472_frames_has_its_line(media, tmp_path):
    log = tmp_path / "o.jsonl"
    command = [FER_EDGE, "run", media / "emotions_pexels.mp4", "--headless", "--every", "24", "--jsonl", log]
    environment = {key: value for key, value in os.environ.items() if "DISPLAY" not in key}
    subprocess.run(command, check=True, capture_output=True, env=environment)
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    times = [line["time_s"] for line in lines]
    assert [line["frame"] for line in lines] == list(range(472))
    assert all(a < b for a, b in itertools.pairwise(times))
