"""Hashes; outputs refused before a command begins, and never half-written."""

import pytest

from fer_edge import files
from fer_edge.errors import OutputError

EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
ABC = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"  # FIPS 180-2, appendix B.1


def test_sha256_of_known_bytes(tmp_path):
    assert files.sha256_of(b"") == EMPTY
    assert files.sha256_of(b"abc") == ABC
    (tmp_path / "abc").write_bytes(b"abc")
    assert files.sha256(tmp_path / "abc") == ABC


def test_any_output_that_exists_is_refused_unless_forced(tmp_path):
    there = tmp_path / "there.json"
    there.write_text("kept")
    with pytest.raises(OutputError, match=r"there\.json exists already: .*--force"):
        files.refuse_to_overwrite_any((None, "-", tmp_path / "new.png", str(there)), force=False)
    files.refuse_to_overwrite_any((there,), force=True)
    files.refuse_to_overwrite_any((None, "-", tmp_path / "new.png"), force=False)
    assert there.read_text() == "kept"


def test_a_block_that_fails_leaves_the_file_as_it_was(tmp_path):
    path = tmp_path / "out.txt"
    path.write_text("old")

    def broken():
        with files.written_aside(path) as aside:
            aside.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        broken()
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["out.txt"]
