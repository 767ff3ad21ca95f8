#!/usr/bin/env python3
"""Puts the table of a benchmark into README.md, between its markers.

Usage: python benchmarks/update_readme.py benchmarks/results/shipped.md
"""

import sys
from pathlib import Path

README = Path(__file__).parents[1] / "README.md"
BEGIN, END = "<!-- bench -->", "<!-- /bench -->"

table = Path(sys.argv[1]).read_text(encoding="utf-8").strip()
text = README.read_text(encoding="utf-8")
head, _, rest = text.partition(BEGIN)
_, _, tail = rest.partition(END)
README.write_text(f"{head}{BEGIN}\n{table}\n{END}{tail}", encoding="utf-8")
