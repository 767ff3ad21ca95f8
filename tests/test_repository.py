"""What may be in the repository, and that its list of reported faults is held by tests."""

import re
import shutil
import sys
from pathlib import Path

import pytest
from processes import ended

from fer_edge import __version__

TESTS = Path(__file__).parent
ROOT = TESTS.parent


def guard(*names, **how):
    return ended(sys.executable, ROOT / ".ci/guard", *names, **{"cwd": ROOT, **how})


def test_no_data_is_tracked_and_the_guard_finds_what_it_is_for(tmp_path):
    guard(code=0)
    (tmp_path / "face.png").write_bytes(b"x")
    (tmp_path / "fer.csv").write_text("emotion,pixels\n0," + "70 " * 2304)
    (tmp_path / "big.bin").write_bytes(bytes(10_000_001))
    (tmp_path / "fine.csv").write_text("epoch,loss\n1,2\n")
    (tmp_path / "hidden.dat").write_bytes(b"\xff\xd8\xff\xe0JFIF")
    done = guard("face.png", "fer.csv", "big.bin", "fine.csv", "hidden.dat", cwd=tmp_path, code=1)
    found = [line.split(":")[0] for line in done.stdout.splitlines()]
    assert found == ["face.png", "fer.csv", "big.bin", "hidden.dat"]


def test_the_version_is_the_changelog_s_and_the_citation_s():
    assert f"\n## {__version__}\n" in (ROOT / "CHANGELOG.md").read_text()
    assert f"\nversion: {__version__}\n" in (ROOT / "CITATION.cff").read_text()


@pytest.mark.skipif(shutil.which("make") is None, reason="needs make")
def test_what_make_trains_on_any_backend_is_converted_on_tensorflow():
    chain = ["edge", "edge_ferplus", "nano", "tuned", "paper", "DATA=/x", "VOTES=/y"]
    lines = ended("make", "-n", "-C", ROOT / "train", *chain, code=0).stdout.splitlines()
    converts = [line for line in lines if " convert " in line]
    assert len(converts) >= 9  # each network in all formats, three with two views, one with more samples
    assert all(" env -u KERAS_BACKEND " in line for line in converts)


def reported_faults():
    text = (ROOT / "docs/reported-faults.md").read_text()
    rows = re.findall(r"^\| ([A-Z]\d .*) \|$", text, re.MULTILINE)
    cells = [[cell.strip() for cell in row.split("|")] for row in rows]
    return {row[0]: row for row in cells}


def test_each_reported_fault_is_held_by_tests_that_exist_or_says_that_it_is_not():
    all_tests = "".join(path.read_text() for path in TESTS.rglob("test_*.py"))
    for number, (*_, here, named) in reported_faults().items():
        assert bool(named) != here.startswith("not held: "), number
        for test in filter(None, named.split(", ")):
            assert f"def {test}(" in all_tests, f"{number}: {test}"


def test_no_known_case_is_left_out(cases):
    known = re.findall(r"^\| ([A-Z]\d) \|", (cases / "README.md").read_text(), re.MULTILINE)
    assert set(known) == set(reported_faults())
