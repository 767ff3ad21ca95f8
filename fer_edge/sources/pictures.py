"""Pictures, alone or in a folder, as a source of frames."""

from collections.abc import Sequence
from pathlib import Path

from fer_edge import console
from fer_edge.errors import SourceError
from fer_edge.pictures import SUFFIXES, in_folder, read_picture
from fer_edge.sources import Capture
from fer_edge.vision.frames import Frame

NAMED = 5  # skipped files of a folder; the others are counted


class Pictures(Capture):
    """A picture, or those directly in a folder; unreadable ones are named, counted and skipped, and the
    folder's other files named at the end. Raises SourceError for a folder without pictures."""

    is_still = True

    def __init__(self, path: Path) -> None:
        super().__init__(str(path))
        self.is_folder = path.is_dir()
        self._paths, self._left_out = in_folder(path) if self.is_folder else ([path], [])
        self._next = iter(self._paths)
        if not self._paths:
            found = f"; it has {_names(self._left_out)}" if self._left_out else ""
            looked_for = " ".join(sorted(SUFFIXES))
            raise SourceError(f"no pictures in the folder {path} (looked for {looked_for}){found}")

    def read(self) -> Frame | None:
        """The next readable picture. Raises SourceError if none could be read."""
        for path in self._next:
            try:
                picture, warning = read_picture(path)
            except SourceError as error:
                if len(self._paths) == 1:
                    raise
                self.unreadable += 1
                console.warn(f"{error}; skipped")
                continue
            if warning:
                console.warn(warning)
            return Frame(picture, 0.0, str(path))
        if self._left_out:
            console.warn(f"left out of {self.name}, no pictures that can be read: {_names(self._left_out)}")
        if self.unreadable == len(self._paths):
            raise SourceError(f"none of the {len(self._paths)} pictures in {self.name} could be read")
        return None


def _names(paths: Sequence[Path]) -> str:
    """`3 files: a.heic, b.gif, c`, the first few by name."""
    more = f" and {len(paths) - NAMED} more" if len(paths) > NAMED else ""
    count = "1 file" if len(paths) == 1 else f"{len(paths)} files"
    return f"{count}: {', '.join(path.name for path in paths[:NAMED])}{more}"
