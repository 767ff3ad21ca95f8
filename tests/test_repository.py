"""What may be in the repository, and what may not."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def guard(*names, cwd=ROOT):
    return subprocess.run(
        [sys.executable, ROOT / ".ci/guard", *names], check=False, capture_output=True, text=True, cwd=cwd
    )


def test_no_data_is_tracked():
    done = guard()
    assert done.returncode == 0, done.stdout


def test_the_guard_finds_what_it_is_for(tmp_path):
    (tmp_path / "face.png").write_bytes(b"x")
    (tmp_path / "fer.csv").write_text("emotion,pixels\n0," + "70 " * 2304)
    (tmp_path / "big.bin").write_bytes(bytes(10_000_001))
    (tmp_path / "fine.csv").write_text("epoch,loss\n1,2\n")
    (tmp_path / "hidden.dat").write_bytes(b"\xff\xd8\xff\xe0JFIF")
    done = guard("face.png", "fer.csv", "big.bin", "fine.csv", "hidden.dat", cwd=tmp_path)
    assert done.returncode == 1
    found = [line.split(":")[0] for line in done.stdout.splitlines()]
    assert found == ["face.png", "fer.csv", "big.bin", "hidden.dat"]


def test_the_version_is_the_changelog_s_and_the_citation_s():
    from fer_edge import __version__

    assert f"\n## {__version__}\n" in (ROOT / "CHANGELOG.md").read_text()
    assert f"\nversion: {__version__}\n" in (ROOT / "CITATION.cff").read_text()
