"""Days without a person, in small: many frames, memory and handles as after the first ones."""

import collections
import os
from pathlib import Path

import pytest
from loop_fakes import LABELS, FakeCapture, FakeClassifier, analyser, picture

from fer_edge import machine
from fer_edge.loop import Loop
from fer_edge.sinks.logs import CsvLog, JsonlLog

pytestmark = pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="no /proc/self/fd here")
FRAMES, SETTLED = 20_000, 2_000


class Watching(FakeCapture):
    """Looks at the process when it has settled, and at the end."""

    looks = ()

    def read(self):
        if self._next in (SETTLED, FRAMES - 1):
            self.looks = *self.looks, (machine.rss_mib(), handles())
        return super().read()


def handles():
    return len(os.listdir("/proc/self/fd"))


@pytest.mark.parametrize("boxes", [(), ((3, 3, 12, 12),)], ids=["nobody", "somebody"])
def test_memory_and_handles_stay_as_they_are(tmp_path, boxes):
    capture = Watching([picture(0, (24, 32)), picture(9, (24, 32))] * (FRAMES // 2))
    classifier = FakeClassifier()
    classifier.seen = collections.deque(maxlen=1)
    sinks = [JsonlLog(tmp_path / "o.jsonl", LABELS), CsvLog(tmp_path / "o.csv", LABELS)]
    Loop(analyser(*boxes, classifier=classifier), sinks).run(capture)
    assert (tmp_path / "o.jsonl").read_bytes().count(b"\n") == FRAMES
    (early_mib, early_handles), (late_mib, late_handles) = capture.looks
    assert late_handles == early_handles
    assert late_mib - early_mib < 2
