"""Draws on a frame: each face's box, label and confidence, and a bar for each expression."""

import functools
from collections import defaultdict
from collections.abc import Sequence

from fer_edge import console
from fer_edge.vision.frames import Box, Face, Picture, common_area
from fer_edge.vision.opencv import cv2

FONT = cv2.FONT_HERSHEY_SIMPLEX
Color = tuple[int, int, int]
_COLORS: dict[str | None, Color] = {
    "angry": (60, 60, 230),
    "disgust": (60, 160, 60),
    "fear": (200, 80, 160),
    "happy": (40, 200, 250),
    "sad": (230, 150, 60),
    "surprise": (60, 150, 250),
    "neutral": (200, 200, 200),
    "contempt": (150, 200, 60),  # of FER+
    None: (130, 130, 130),
}
_IN_TURN = tuple(_COLORS.values())[:8]
COLORS: defaultdict[str | None, Color] = defaultdict(lambda: _IN_TURN[len(COLORS) % 8], _COLORS)
"""Of each label; those of a foreign model get ours in turn, as they come."""
WHITE: Color = (255, 255, 255)


def draw(canvas: Picture, faces: tuple[Face, ...], labels: tuple[str, ...], *, bars: bool = True) -> None:
    """Draws on uint8 (H, W, 3). labels: the model's. bars: of each face's expressions, too."""
    names = drawn_names(labels)
    unit = max(min(canvas.shape[:2]) / 24, 10.0)  # height of a line, never below what can be read
    taken = [face.box_xywh for face in faces]
    for face in faces if bars else ():
        taken.append(_draw_bars(canvas, face, names, unit, taken))
    for face in faces:
        _draw_box(canvas, face, names, unit)


@functools.cache  # its line is printed once
def drawn_names(labels: tuple[str, ...]) -> dict[str | None, str]:
    """Label -> text to draw, in order. OpenCV's font has only ASCII, so accents are dropped, and a label in
    other letters becomes `label N`, counted from 1. Prints a line if any is changed."""
    names: dict[str | None, str] = {}
    for n, label in enumerate(labels, 1):
        plain = label
        if not label.isascii():
            import unicodedata  # few need its tables

            plain = unicodedata.normalize("NFKD", label).encode("ascii", "ignore").decode()
        names[label] = plain or f"label {n}"
    changed = ", ".join(f"{label} as '{name}'" for label, name in names.items() if label != name)
    if changed:
        console.say(f"OpenCV's font has only ASCII letters: {changed}")
    return names


def hex_color(label: str | None) -> str:
    """A label's colour as pages and plots write it: `#rrggbb`."""
    blue, green, red = COLORS[label]
    return f"#{red:02x}{green:02x}{blue:02x}"


def _put_text(canvas: Picture, text: str, corner: tuple[int, int], *, height: float, color: Color) -> None:
    """Text whose lower left corner is `corner`; `height` is the line's."""
    scale = height / 32  # a capital of this font is 22 px high at scale 1
    thickness = max(1, round(height / 16))
    cv2.putText(canvas, text, corner, FONT, scale, color, thickness, cv2.LINE_AA)


def _text_width(text: str, height: float) -> int:
    return int(cv2.getTextSize(text, FONT, height / 32, max(1, round(height / 16)))[0][0])


def _draw_box(canvas: Picture, face: Face, names: dict[str | None, str], unit: float) -> None:
    x, y, w, h = face.box_xywh
    color = COLORS[face.label]
    cv2.rectangle(canvas, (x, y), (x + w - 1, y + h - 1), color, max(1, round(unit / 8)))
    text = f"{names[face.label]} {face.confidence:.0%}" if face.label else "uncertain"
    line, width = round(unit * 1.3), _text_width(text, unit) + round(unit / 2)
    top = y - line if y >= line else y  # inside the box if there is no room above it
    left = max(0, min(x, canvas.shape[1] - width))
    cv2.rectangle(canvas, (left, top), (left + width, top + line), color, cv2.FILLED)
    _put_text(canvas, text, (left + round(unit / 4), top + round(unit)), height=unit, color=(0, 0, 0))


def panel_place(
    box_xywh: Box, size: tuple[int, int], frame_wh: tuple[int, int], taken: Sequence[Box] = ()
) -> tuple[int, int]:
    """Upper left corner of a panel of `size` (w, h) inside the frame: the first position beside the box or in
    a corner of the frame that covers least of the box and of what is `taken`."""
    (x, y, w, h), (width, height), (frame_w, frame_h) = box_xywh, size, frame_wh
    right, bottom = max(0, frame_w - width), max(0, frame_h - height)
    places = [(x + w, y), (x - width, y), (x, y + h), (x, y - height)]
    places += [(left, top) for top in (bottom, 0) for left in (0, right)]
    inside = [(min(max(left, 0), right), min(max(top, 0), bottom)) for left, top in places]

    def covered(place: tuple[int, int]) -> int:
        return sum(common_area((*place, width, height), other) for other in (box_xywh, *taken))

    return min(inside, key=covered)  # the first of equals


def _draw_bars(
    canvas: Picture, face: Face, drawn: dict[str | None, str], unit: float, taken: Sequence[Box]
) -> Box:
    """Gives the panel's place."""
    frame_h, frame_w = canvas.shape[:2]
    small = max(unit * 0.75, 9.0)
    row = round(small * 1.25)
    names = max(_text_width(name, small) for name in drawn.values()) + round(small / 2)
    bar = round(small * 4)
    width, height = names + bar + round(small / 2), row * len(drawn) + round(small / 2)
    left, top = panel_place(face.box_xywh, (width, height), (frame_w, frame_h), taken)
    ground = canvas[top : top + height, left : left + width]
    ground[:] = cv2.convertScaleAbs(ground, alpha=0.35)
    for i, ((label, name), share) in enumerate(zip(drawn.items(), face.smoothed, strict=True)):
        y = top + round(small / 4) + i * row
        _put_text(canvas, name, (left + round(small / 4), y + round(small)), height=small, color=WHITE)
        start, filled = left + names, max(1, round(bar * float(share)))
        ends = (start, y + row // 5), (start + filled, y + row - row // 5)
        cv2.rectangle(canvas, *ends, COLORS[label], cv2.FILLED)
    return left, top, width, height
