"""The pictures of a folder tree: keyed on names and bytes, decoded to faces."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fer_edge.data.dataset import BadRow, Dataset
from fer_edge.data.rows import Rows
from fer_edge.data.tree import Tree
from fer_edge.spec import INPUT_SHAPE

_MAX_PICTURE = 32 << 20  # bytes


def read_tree(tree: Tree, path: str, tick: Callable[[], None] = lambda: None) -> Dataset:
    """Decodes every picture: gray, upright, 48x48 (others are resized if square).

    ids: the picture's place in the order of names, from 1. Pictures that cannot be used are in `bad`.
    Raises DataError where none can.
    """
    rows = Rows()
    for place, picture in enumerate(tree.pictures, 1):
        try:
            rows.add(place, picture.label, picture.split, _face(picture.path).reshape(-1))
        except (OSError, ValueError) as error:
            why = f"an error: {error.strerror}" if isinstance(error, OSError) else str(error)
            rows.reject(BadRow(picture.name, why))
        tick()
    return rows.dataset(path, tree.protocol)


def stat_of(tree: Tree) -> tuple[list[object], int]:
    """What changes whenever a file of the tree does, without reading it; and the newest time, in ns."""
    digest, newest = hashlib.sha256(), 0
    for picture in tree.pictures:
        size, changed = _plain(picture.path)
        newest = max(newest, changed)
        digest.update(f"{picture.name}\0{size}\0{changed}\0".encode("utf-8", "surrogateescape"))
    return [len(tree.pictures), digest.hexdigest()], newest


def content_of(tree: Tree) -> str:
    """SHA-256 of all names and bytes."""
    digest = hashlib.sha256(tree.protocol.encode())
    for picture in tree.pictures:
        size, _ = _plain(picture.path)
        data = picture.path.read_bytes() if 0 <= size <= _MAX_PICTURE else b""
        digest.update(f"\0{picture.name}\0{len(data)}\0".encode("utf-8", "surrogateescape"))
        digest.update(data)
    return digest.hexdigest()


def _plain(path: Path) -> tuple[int, int]:
    """Size in bytes and time of the last change in ns; a size of -1 for what cannot be read like a file: a
    pipe or a device, which would never end, a link to nowhere, a file without permission."""
    try:
        found = path.stat()
    except OSError:
        return -1, 0
    plain = stat.S_ISREG(found.st_mode) and os.access(path, os.R_OK)
    return found.st_size if plain else -1, found.st_mtime_ns


def _face(path: Path) -> NDArray[np.uint8]:
    from fer_edge.vision.crop import resize_face, to_8_bit
    from fer_edge.vision.opencv import cv2

    size, _ = _plain(path)
    if size < 0:
        raise ValueError("no file that can be read: a link to nowhere, a pipe, or no permission")
    if not 0 < size <= _MAX_PICTURE:
        raise ValueError("no bytes" if size == 0 else f"{size >> 20} MiB, too many for a face")
    try:
        picture = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_GRAYSCALE)
    except cv2.error:
        picture = None
    if picture is None:
        raise ValueError("no picture in it that OpenCV can read")
    height, width = picture.shape
    if height != width:
        raise ValueError(f"{width}x{height} pixels, not a square of {INPUT_SHAPE[1]}x{INPUT_SHAPE[0]}")
    gray = to_8_bit(picture)
    return gray if gray.shape == INPUT_SHAPE[:2] else resize_face(gray, INPUT_SHAPE[:2])
