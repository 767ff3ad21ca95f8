"""Pictures, alone or in a folder, as a source of frames."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from fer_edge import console
from fer_edge.errors import SourceError
from fer_edge.pictures import SUFFIXES, in_folder, read_picture
from fer_edge.sources import Capture
from fer_edge.vision.frames import Frame

NAMED = 5
"""How many skipped files of a folder are named; the others are counted."""


class Pictures(Capture):
    """Pictures one after another; unreadable ones are named, counted and skipped.

    left_out: files of the folder that are not pictures, named at the end.
    """

    is_still = True

    def __init__(
        self, name: str, paths: Sequence[Path], *, is_folder: bool = False, left_out: Sequence[Path] = ()
    ) -> None:
        self.name = name
        self.is_folder = is_folder
        self._left_out = list(left_out)
        self._paths = list(paths)
        self._next = 0

    @classmethod
    def in_folder(cls, folder: Path) -> Pictures:
        """All pictures directly in a folder. Raises SourceError if there are none."""
        paths, others = in_folder(folder)
        if not paths:
            found = f"; it has {_names(others)}" if others else ""
            looked_for = " ".join(sorted(SUFFIXES))
            raise SourceError(f"no pictures in the folder {folder} (looked for {looked_for}){found}")
        return cls(str(folder), paths, is_folder=True, left_out=others)

    def read(self) -> Frame | None:
        """The next readable picture. Raises SourceError if none could be read."""
        while self._next < len(self._paths):
            path = self._paths[self._next]
            self._next += 1
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
        if self._left_out and not self.ended:
            console.warn(f"left out of {self.name}, no pictures that can be read: {_names(self._left_out)}")
        self.ended = True
        if self.unreadable == len(self._paths):
            raise SourceError(f"none of the {len(self._paths)} pictures in {self.name} could be read")
        return None


def _names(paths: Sequence[Path]) -> str:
    """`3 files: a.heic, b.gif, c`, the first few by name."""
    more = f" and {len(paths) - NAMED} more" if len(paths) > NAMED else ""
    count = "1 file" if len(paths) == 1 else f"{len(paths)} files"
    return f"{count}: {', '.join(path.name for path in paths[:NAMED])}{more}"
