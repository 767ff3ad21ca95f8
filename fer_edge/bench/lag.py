"""How late a smoothed label follows what the model says."""

from __future__ import annotations

from fer_edge.vision.frames import FrameResult


class LabelLag:
    """How late smoothing shows a change: from the first of the frames that said it to the label's change.

    worst_s: the longest of a video in seconds, None before the first change.
    """

    def __init__(self) -> None:
        self.worst_s: float | None = None
        self._own: dict[int, int] = {}
        self._since: dict[tuple[int, int], float] = {}
        self._shown: dict[int, str | None] = {}

    def add(self, result: FrameResult) -> None:
        """The next frame."""
        for face in result.faces:
            own, time_s = int(face.probabilities.argmax()), result.frame.time_s
            if self._own.get(face.track) != own:
                self._own[face.track] = own
                self._since[face.track, own] = time_s
            before = self._shown.get(face.track, face.label)
            self._shown[face.track] = face.label
            if face.label is not None and face.label != before:
                began_s = self._since.get((face.track, int(face.smoothed.argmax())), time_s)
                self.worst_s = max(self.worst_s or 0.0, round(time_s - began_s, 3))
