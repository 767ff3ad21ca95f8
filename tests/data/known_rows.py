"""Rows and pictures whose content is known."""

import numpy as np

CLASSES = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")


def face(row: int) -> np.ndarray:
    return np.random.default_rng(row).integers(0, 256, (48, 48)).astype(np.uint8)


def pixels(row: int) -> str:
    return " ".join(str(value) for value in face(row).ravel())


def split_name(row: int) -> str:
    return ("Training", "Training", "PublicTest", "PrivateTest")[(row - 1) // 7 % 4]


def plain_rows(n: int = 28) -> list[str]:
    """emotion,pixels,Usage of rows 1 to n: emotion (row - 1) % 7."""
    return [f"{(row - 1) % 7},{pixels(row)},{split_name(row)}" for row in range(1, n + 1)]
