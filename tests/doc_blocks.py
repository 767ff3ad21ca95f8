"""The blocks of code in the documentation, and how each is tried.

A fenced block follows a comment: `<!-- test -->` runs it; `append OPTIONS` adds them to each `fer-edge
train`; `stand-in FOLDER` puts a shipped network there first; `parse` reads options and runs nothing; `file
NAME` writes the block under that name. A block without a comment holds no command of ours but `doctor`.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md")])
_FENCE = re.compile(
    r"(?:<!-- test(?:: (?P<how>[^>]*?))? -->\n)?^```(?P<language>\w+)\n(?P<code>.*?)^```$",
    re.DOTALL | re.MULTILINE,
)


@dataclass(frozen=True)
class Block:
    """how: None without a comment, empty for a plain one."""

    language: str
    code: str
    how: str | None
    marked: bool


def blocks(page: Path) -> list[Block]:
    text = page.read_text(encoding="utf-8")
    return [
        Block(found["language"], found["code"], found["how"], found[0].startswith("<!--"))
        for found in _FENCE.finditer(text)
    ]


def commands(code: str) -> list[list[str]]:
    """The `fer-edge` commands of shell lines, as words; comments, variables before and pipes cut away."""
    found = []
    for line in code.replace("\\\n", " ").splitlines():
        for part in line.split("|"):
            try:
                words = shlex.split(part, comments=True)
            except ValueError:  # a quote that another line closes: no command of ours
                continue
            while words and re.match(r"[A-Z_]+=", words[0]):
                del words[0]
            if words[:1] == ["fer-edge"]:
                found.append(words)
    return found


def mentioned(page: Path) -> list[list[str]]:
    """Every command in blocks, fenced or indented, of a page."""
    text = page.read_text(encoding="utf-8")
    indented = "\n".join(line for line in text.splitlines() if re.match(r" {4,}.*\bfer-edge ", line))
    return commands("\n".join([*(b.code for b in blocks(page) if b.language == "sh"), indented]))
