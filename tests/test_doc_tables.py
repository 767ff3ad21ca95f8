import re

import doc_tables


def test_rows_that_were_not_made_anew_stay_in_their_place(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- t -->\n<!-- /t -->\nafter\n")
    head = ["| kind | n |", "| --- | --: |"]
    doc_tables.put(page, "t", [*head, "| a | 1 |", "| b | 2 |"], "c")
    doc_tables.put(page, "t", [*head, "| a | 3 |"], "d")
    text = re.sub(r" on \d{4}-.*", "", page.read_text())
    assert text.startswith("before\n<!-- t -->\n| kind | n |\n| --- | --: |\n| a | 3 |\n| b | 2 |\n\n")
    assert text.endswith("\n\na: made by `d`\n<!-- /t -->\nafter\n")
    doc_tables.put(page, "t", ["| kind | m |", "| --- | --: |", "| a | 4 |"], "e")
    assert "| b |" not in page.read_text()
