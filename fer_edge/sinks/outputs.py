"""What the user asked to be written, checked before anything is opened."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from fer_edge import files
from fer_edge.errors import UsageError

STDOUT = "-"


@dataclass(frozen=True)
class Outputs:
    """Paths by kind, None where not asked for; `-` is standard output for jsonl and csv."""

    save: Path | None = None
    jsonl: Path | None = None
    csv: Path | None = None
    snapshot: Path | None = None

    def check(self, json: str | None, force: bool) -> None:
        """Raises UsageError if two outputs are one, OutputError if a file exists and `force` is not given."""
        given = [str(path) for path in (self.save, self.jsonl, self.csv, self.snapshot) if path]
        given += [json] if json else []
        for name in given:
            if given.count(name) > 1:
                raise UsageError(f"two outputs cannot both go to {name}")
            path = Path(name)
            if name != STDOUT and not (path == self.save and path.is_dir()):
                files.refuse_to_overwrite(path, force)
