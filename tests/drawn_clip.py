"""A video of a drawn face that the cascade finds, and a table as fer2013.csv: nobody's face."""

from pathlib import Path

import cv2
import numpy as np

from fer_edge.data.drawn import draw_face, drawn_faces


def drawn_clip(path: Path, labels=("happy",), frames_each=12, code="MJPG", size=(320, 240)) -> Path:
    """Ten frames a second, of each expression so many; the face wanders by a few pixels. MJPG is for .avi."""
    random = np.random.default_rng(4)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*code), 10.0, size)
    for label in labels:
        face = cv2.resize(draw_face(label, random), (140, 140), interpolation=cv2.INTER_CUBIC)
        for n in range(frames_each):
            gray = np.full((240, 320), int(np.median(face[0])), np.uint8)
            left, top = 90 + n % 5, 50 + n % 3
            gray[top : top + 140, left : left + 140] = face
            writer.write(cv2.cvtColor(cv2.resize(gray, size), cv2.COLOR_GRAY2BGR))
    writer.release()
    return path


def write_table(path: Path, count: int, seed: int = 0) -> Path:
    """So many drawn faces as a `fer2013.csv`: half Training, a quarter PublicTest, a quarter PrivateTest."""
    rows = ["emotion,pixels,Usage"]
    for n, (image, label) in enumerate(zip(*drawn_faces(count, seed), strict=True)):
        split = ("Training", "Training", "PublicTest", "PrivateTest")[n // 7 % 4]
        rows.append(f"{label},{' '.join(map(str, image.ravel()))},{split}")
    path.write_text("\n".join(rows) + "\n")
    return path
