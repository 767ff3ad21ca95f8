import re

import doc_tables


def page(tmp_path, lines, command, text="before\n<!-- t -->\n<!-- /t -->\nafter\n"):
    path = tmp_path / "page.md"
    if not path.exists():
        path.write_text(text)
    doc_tables.put(path, "t", lines, command)
    return re.sub(r" on \d{4}-.*", "", path.read_text())


def table(*rows):
    return ["| kind | n |", "| --- | --: |", *rows]


def test_the_first_table_stands_between_its_markers_with_what_made_it(tmp_path):
    assert page(tmp_path, table("| a | 1 |"), "c") == (
        "before\n<!-- t -->\n| kind | n |\n| --- | --: |\n| a | 1 |\n\nMade by `c`\n<!-- /t -->\nafter\n"
    )


def test_rows_that_were_not_made_anew_stay_with_their_command(tmp_path):
    page(tmp_path, table("| a | 1 |", "| b | 2 |"), "c")
    found = page(tmp_path, table("| b | 3 |"), "d b")
    assert "| a | 1 |\n| b | 3 |\n\nb: made by `d b`\n\na: made by `c`\n" in found
    found = page(tmp_path, table("| a | 4 |", "| b | 5 |"), "c")
    assert "| a | 4 |\n| b | 5 |\n\nMade by `c`\n" in found


def test_old_cells_go_by_the_names_of_their_columns(tmp_path):
    page(tmp_path, table("| a | 1 |"), "c")
    found = page(tmp_path, ["| kind | m | n |", "| --- | --: | --: |", "| b | 2 | 3 |"], "d")
    assert "| kind | m | n |\n| --- | --: | --: |\n| a |  | 1 |\n| b | 2 | 3 |\n" in found
