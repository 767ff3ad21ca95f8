"""Messages are one line whatever they quote."""

from fer_edge.errors import FerEdgeError, MissingExtraError


def test_plain_text_stays_as_it_is():
    assert str(FerEdgeError("row 3 (line 4): été 笑, not 0 to 6")) == "row 3 (line 4): été 笑, not 0 to 6"


def test_line_breaks_and_controls_of_a_quoted_file_do_not_reach_the_terminal():
    assert str(FerEdgeError("a\nb\x1b[31mc\x00\udc80")) == r"a b\x1b[31mc\x00\x80"


def test_the_middle_of_a_long_message_is_left_out():
    text = str(FerEdgeError("begin " + "x" * 10_000 + " end"))
    assert len(text) < 1100
    assert text.startswith("begin xxx")
    assert text.endswith("xxx end")


def test_a_missing_package_comes_with_its_command():
    assert str(MissingExtraError("keras", "train", "this")).endswith("pip install 'fer-edge[train]'")
