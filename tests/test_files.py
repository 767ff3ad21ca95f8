"""Hashes; outputs refused before a command begins, and never half-written."""

import os

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


def test_an_output_below_a_file_is_refused_before_and_while_it_is_written(tmp_path):
    (tmp_path / "file").write_text("x")
    path = tmp_path / "file" / "below" / "out.txt"
    with pytest.raises(OutputError, match=r"file is a file, not a folder"):
        files.refuse_to_overwrite(path, force=True)
    with pytest.raises(OutputError, match=r"cannot write .*out\.txt: Not a directory"):
        files.write_text(path, "text")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_permission_is_refused_before_anything_is_worked_out(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(OutputError, match="no permission to write in"):
        files.refuse_to_overwrite(tmp_path / "new" / "out.txt", force=False)


def test_json_that_is_none_is_a_value_error():
    assert files.parse_json(b'{"a": [1, 2.5, null]}') == {"a": [1, 2.5, None]}
    for bad in (b"", b"{", b"NaN", b"[1, -Infinity]", b"[" * 100_000, b"\xff\xfe"):
        with pytest.raises(ValueError, match=r".+"):
            files.parse_json(bad)


def test_the_light_hash_is_the_same_without_python_s_own_modules(monkeypatch):
    def absent(name):
        raise ImportError(name)

    light = files.sha256_of(b"abc")
    monkeypatch.setattr(files.importlib, "import_module", absent)
    assert files.sha256_of(b"abc") == light == ABC


def test_a_table_is_put_between_its_markers_or_none_is_lost():
    page = "a\n<!-- t -->\nold\n<!-- /t -->\nb\n<!-- u -->\nc\n"
    assert files.put_between_markers(page, "t", "\nnew\n") == page.replace("old", "new")
    for missing in ("u", "v"):
        with pytest.raises(LookupError, match=f"<!-- /{missing} -->"):
            files.put_between_markers(page, missing, "new")


def test_a_link_stays_and_what_it_leads_to_is_replaced(tmp_path):
    (tmp_path / "there").mkdir()
    target = tmp_path / "there" / "out.txt"
    target.write_text("old")
    link = tmp_path / "link.txt"
    link.symlink_to(target)
    files.write_text(link, "new")
    assert link.is_symlink()
    assert target.read_text() == "new"
    (tmp_path / "circle").symlink_to(tmp_path / "circle")
    with pytest.raises(OutputError, match="lead in a circle"):
        files.write_text(tmp_path / "circle", "text")


def test_a_pipe_is_written_to_and_not_replaced(tmp_path):
    pipe = tmp_path / "pipe.json"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    files.refuse_to_overwrite(pipe, force=False)
    files.write_text(pipe, "{}")
    assert os.read(reader, 10) == b"{}"
    os.close(reader)
    assert pipe.is_fifo()


def test_a_folder_is_no_name_for_a_file(tmp_path):
    with pytest.raises(OutputError, match="it is a folder"):
        files.refuse_to_overwrite(tmp_path, force=True)


def test_folders_deeper_than_python_makes_them_are_refused_in_a_line(tmp_path):
    path = tmp_path / ("x/" * 1500 + "out.txt")  # Path.mkdir calls itself for each missing folder
    with pytest.raises(OutputError, match="folders nested too deeply"):
        files.write_text(path, "text")
    assert not list(tmp_path.iterdir())
