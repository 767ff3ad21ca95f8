import contextlib
import hashlib
import json
import os

import pytest
from processes import python

from fer_edge import files
from fer_edge.errors import OutputError

EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
ABC = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"  # FIPS 180-2, appendix B.1


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_sha256_of_known_bytes_also_without_python_s_own_modules(tmp_path, monkeypatch):
    def absent(name):
        if name != "hashlib":
            raise ImportError(name)
        return hashlib

    assert files.sha256_of(b"") == EMPTY
    assert files.sha256_of(b"abc") == ABC
    (tmp_path / "abc").write_bytes(b"abc")
    assert files.sha256(tmp_path / "abc") == ABC
    monkeypatch.setattr(files.importlib, "import_module", absent)
    assert files.sha256_of(b"abc") == ABC


def test_outputs_are_refused_before_a_command_begins(tmp_path):
    there, new, below = tmp_path / "x.out", tmp_path / "new.png", tmp_path / "x.out/below/o.txt"
    same, hard, link = tmp_path / "dir/../x.out", tmp_path / "hard.out", tmp_path / "link.out"
    (tmp_path / "dir").mkdir()
    there.write_text("kept")
    (tmp_path / "m.json").touch()
    os.link(there, hard)
    link.symlink_to(there)
    for outputs, force, inputs, reason in [
        ((None, "-", new, str(there)), False, (), r"x\.out exists already: .*--force"),
        ((same,), True, (there,), "the input"),
        ((hard,), True, (there,), "the input"),
        ((link,), True, (there,), "the input"),
        ((tmp_path / "m.json",), True, (tmp_path / "m.tflite",), "the input's card"),
        ((tmp_path,), True, (), "it is a folder"),
        ((below,), True, (), r"x\.out is a file, not a folder"),
    ]:
        with pytest.raises(OutputError, match=reason):
            files.refuse_to_overwrite_any(outputs, force, inputs)
    files.refuse_to_overwrite_any((there, "/dev/null", "/dev/null", "-", "-", None), True, ("-", None))
    files.refuse_to_overwrite_any((new, tmp_path / "n.json"), False, (tmp_path / "n.tflite",))
    with pytest.raises(OutputError, match=r"cannot write .*o\.txt: Not a directory"):
        files.write_text(below, "text")
    assert there.read_text() == "kept"


def test_long_names_are_written_and_folders_deeper_than_python_makes_them_refused(tmp_path):
    path = tmp_path / ("x/" * 1500 + "out.txt")  # Path.mkdir calls itself for each missing folder
    with pytest.raises(OutputError, match="folders nested too deeply"):
        files.write_text(path, "text")
    assert names(tmp_path) == []
    path = tmp_path / ("x" * 246 + ".png")
    files.write_text(path, "text")
    assert path.read_text() == "text"
    assert names(tmp_path) == [path.name]


def test_a_block_that_fails_leaves_the_file_as_it_was(tmp_path):
    path = tmp_path / "out.txt"
    path.write_text("old")
    with contextlib.suppress(RuntimeError), files.written_aside(path) as aside:
        aside.write_text("half")
        raise RuntimeError
    assert path.read_text() == "old"
    assert names(tmp_path) == ["out.txt"]


def test_a_link_stays_and_what_it_leads_to_is_replaced(tmp_path):
    target, link, circle = (tmp_path / name for name in ("out.txt", "link.txt", "circle"))
    link.symlink_to(target)
    circle.symlink_to(circle)
    for text in ("old", "new"):
        files.write_text(link, text)
        assert (link.is_symlink(), target.read_text()) == (True, text)
    with pytest.raises(OutputError, match="lead in a circle"):
        files.write_text(circle, "text")


def test_the_temporary_file_is_new_and_follows_no_link(tmp_path):
    o, p = tmp_path / "o.mp4", tmp_path / "p.mp4"
    mask = os.umask(0o022)
    with files.written_aside(o) as aside, files.written_aside(p) as other:
        assert (aside.suffix, aside.name != other.name, aside.is_symlink()) == (".mp4", True, False)
        assert aside.stat().st_mode & 0o777 == 0o644
        aside.write_text("o")
    os.umask(mask)
    assert o.read_text() == "o"


def test_two_writers_of_one_file_the_second_is_refused_at_once(tmp_path):
    path = tmp_path / "o.mp4"
    with files.written_aside(path) as aside:
        aside.write_text("first")
        with pytest.raises(OutputError, match="another process is writing it"):
            files.write_text(path, "second")
        files.write_text(tmp_path / "other.mp4", "text")
    assert path.read_text() == "first"


@pytest.mark.parametrize("force", [False, True])
def test_what_came_meanwhile_is_not_replaced_unless_forced(tmp_path, force):
    path = tmp_path / "o.json"
    refused = pytest.raises(OutputError, match="exists already") if not force else contextlib.nullcontext()
    with refused, files.written_aside(path, force) as aside:
        aside.write_text("mine")
        path.write_text("theirs")
    assert path.read_text() == ("mine" if force else "theirs")
    assert names(tmp_path) == ["o.json"]


def test_what_a_killed_process_left_is_removed_at_the_next_start(tmp_path):
    code = (
        "import os, pathlib, sys; from fer_edge import files\n"
        "with files.written_aside(pathlib.Path(sys.argv[1])) as aside:\n"
        "    aside.write_text('half'); os.kill(os.getpid(), 9)"
    )
    python(code, tmp_path / "o.mp4", code=-9)
    assert [name[:10] for name in names(tmp_path)] == [".fer-edge-"]
    files.write_text(tmp_path / "other.txt", "text")
    assert names(tmp_path) == ["other.txt"]


def test_a_log_is_one_process_s_and_exclusive_unless_forced(tmp_path):
    path = tmp_path / "new/o.jsonl"
    with files.open_log(path, force=False) as log:
        log.write(b"line")
        with pytest.raises(OutputError, match="exists already"):
            files.open_log(path, force=False)
        with pytest.raises(OutputError, match="another process is writing it"):
            files.open_log(path, force=True)
    assert path.read_bytes() == b"line"
    files.open_log(path, force=True).close()
    assert path.read_bytes() == b"line"  # until there is something to write
    (tmp_path / "link").symlink_to("later.jsonl")
    files.open_log(tmp_path / "link", force=False).close()
    assert (tmp_path / "later.jsonl").is_file()


def test_a_pipe_is_written_to_where_somebody_reads_it(tmp_path):
    pipe = tmp_path / "pipe.json"
    os.mkfifo(pipe)
    for write in (files.open_log, lambda path: files.write_text(path, "{}")):
        with pytest.raises(OutputError, match="nobody reads this pipe"):
            write(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    with files.open_log(pipe) as log:
        log.write(b"x")
    files.refuse_to_overwrite(pipe, force=False)
    files.write_text(pipe, "{}")
    assert os.read(reader, 10) == b"x{}"
    os.close(reader)
    assert pipe.is_fifo()


def test_json_that_is_none_is_a_value_error():
    assert files.parse_json(b'{"a": [1, 2.5, null]}') == {"a": [1, 2.5, None]}
    for bad in (b"", b"{", b"NaN", b"[1, -Infinity]", b"[" * 100_000, b"\xff\xfe"):
        with pytest.raises(ValueError, match=r".+"):
            files.parse_json(bad)


def test_json_of_any_text_is_utf_8_that_says_nothing_to_a_terminal():
    value = {"b\udce9.jpg": ["été 笑", "\x1b[31m\x9b1m\u202e\n\U000e0001", "\ud800"]}
    text = files.to_json(value)
    assert text.isprintable()
    assert "été 笑" in text
    first, second, third = json.loads(text.encode())[r"b\xe9.jpg"]
    assert (first, second, third) == ("été 笑", value["b\udce9.jpg"][1], r"\ud800")


def test_a_table_is_put_between_its_markers_or_none_is_lost():
    page = "a\n<!-- t -->\nold\n<!-- /t -->\nb\n<!-- u -->\nc\n"
    assert files.put_between_markers(page, "t", "\nnew\n") == page.replace("old", "new")
    for missing in ("u", "v"):
        with pytest.raises(LookupError, match=f"<!-- /{missing} -->"):
            files.put_between_markers(page, missing, "new")
