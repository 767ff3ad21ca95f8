"""The blocks of code in the documentation: fenced ones, and shell or Python lines that are indented."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
_BLOCK = re.compile(
    r"(?:<!-- file: (?P<file>\S+) -->\n)?^```(?P<language>\w+)\n(?P<fenced>.*?)^```$"
    r"|(?:\A|\n\n)(?P<indented>(?: {4}[^\n]*\n+)+)",
    re.DOTALL | re.MULTILINE,
)


@dataclass(frozen=True)
class Block:
    """file: the name under which a reader saves it, None for what is run."""

    language: str
    code: str
    file: str | None


def blocks(page: Path) -> list[Block]:
    """In their order."""
    found = []
    for match in _BLOCK.finditer(page.read_text(encoding="utf-8")):
        code = match["fenced"] or re.sub("^    ", "", match["indented"], flags=re.MULTILINE)
        language = match["language"] or ("python" if code.startswith(("from ", "import ")) else "sh")
        found.append(Block(language, code, match["file"]))
    return found


def commands(page: Path) -> list[list[str]]:
    """The `fer-edge` commands of a page, as words; comments, variables before and pipes cut away."""
    return [words for block in blocks(page) if block.language == "sh" for words in commands_in(block.code)]


def commands_in(code: str) -> list[list[str]]:
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
