import re
import shlex
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(
    r"(?:<!-- file: (?P<file>\S+) -->\n)?^```(?P<language>\w+)\n(?P<fenced>.*?)^```$"
    r"|(?:\A|\n\n)(?P<indented>(?: {4}[^\n]*\n+)+)",
    re.DOTALL | re.MULTILINE,
)


class Block(NamedTuple):
    """A fenced block, or indented lines of shell or Python. file: the name under which a reader saves it."""

    language: str
    code: str
    file: str | None

    @property
    def commands(self):
        """Its `fer-edge` commands, as words; comments, variables before and pipes cut away."""
        found = []
        for part in re.split(r"\n|\|", self.code.replace("\\\n", " ")):
            try:
                words = shlex.split(part, comments=True)
            except ValueError:  # a quote that another line closes: no command of ours
                continue
            while words and re.match(r"[A-Z_]+=", words[0]):
                del words[0]
            if words[:1] == ["fer-edge"]:
                found.append(words)
        return found


def blocks(page):
    for match in BLOCK.finditer(page.read_text(encoding="utf-8")):
        code = match["fenced"] or re.sub("^    ", "", match["indented"], flags=re.MULTILINE)
        language = match["language"] or ("python" if code.startswith(("from ", "import ")) else "sh")
        yield Block(language, code, match["file"])
