"""How folders of pictures are called elsewhere: splits and expressions in any usual spelling."""

from __future__ import annotations

import re

from fer_edge.spec import LABELS

SPELLINGS = {
    "angry": ("angry", "anger"),
    "disgust": ("disgust", "disgusted"),
    "fear": ("fear", "fearful", "afraid", "scared"),
    "happy": ("happy", "happiness", "joy"),
    "sad": ("sad", "sadness"),
    "surprise": ("surprise", "surprised"),
    "neutral": ("neutral", "neutrality"),
}
_LABEL_OF = {word: LABELS.index(label) for label, words in SPELLINGS.items() for word in words}
_SPLIT_OF = {
    "training": 0,
    "train": 0,
    "publictest": 1,
    "validation": 1,
    "valid": 1,
    "val": 1,
    "privatetest": 2,
    "testing": 2,
    "test": 2,
}
OFFICIAL = frozenset({"training", "publictest", "privatetest"})
"""Folder names, as `plain` gives them, that mean FER-2013's own splits."""


def plain(name: str) -> str:
    """Letters and digits in lower case: `Public_Test` and `public test` are the same."""
    return re.sub(r"[\W_]+", "", name.lower())


def split_of(name: str) -> int | None:
    """Index into SPLITS, or None."""
    return _SPLIT_OF.get(plain(name))


def labels_of(names: list[str]) -> dict[str, int | None]:
    """Each class folder's label index, None if unknown.

    A number before the word is passed over (`3_happy`). Numbers alone are FER-2013's only if they are
    exactly 0 to 6: other data sets count from 1 and in another order.
    """
    if sorted(names) == [str(index) for index in range(len(LABELS))]:
        return {name: int(name) for name in names}
    return {name: _LABEL_OF.get(plain(name).lstrip("0123456789")) for name in names}
