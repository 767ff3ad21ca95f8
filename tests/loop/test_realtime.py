"""The loop through its capture interface: files, cameras, windows, failures; and what it counts."""

import collections
import math
import os
import threading
import time
import types
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest
from loop_fakes import Album, FakeCapture, FakeClassifier, ListSink, analyser, face, picture, result, until

from fer_edge import machine
from fer_edge.errors import OutputError, SourceError
from fer_edge.loop import Loop, Summary
from fer_edge.sinks.logs import CsvLog, JsonlLog
from fer_edge.sinks.window import Screen
from fer_edge.sources.newest import NewestFrame, Patience
from fer_edge.vision.analysis import KEPT, StageTimes


class HangingCapture(FakeCapture):
    """A camera whose driver never comes back from a read after its frames."""

    def read(self):
        if self._next >= len(self._frames):
            threading.Event().wait(30)
        return super().read()


class FakeWindow(types.SimpleNamespace):
    """OpenCV's functions for windows; remembers what was shown, and presses `key` after so many looks."""

    def __init__(self, key=-1, after=10**9):
        super().__init__(namedWindow=lambda *_: None, resizeWindow=lambda *_: None, imshow=self.show)
        vars(self).update(waitKeyEx=self.look, destroyAllWindows=self.close, getWindowProperty=lambda *_: 1)
        self.shown, self.closed = [], False
        self._key, self._left = key, after

    def show(self, title, picture):
        self.shown.append(int(picture[-1, -1, 0]))

    def look(self, wait_ms):
        time.sleep(wait_ms / 1000)
        self._left -= 1
        return self._key if self._left < 0 else -1

    def close(self):
        self.closed = True


SHORT = Patience(first_frame_s=0.2, silence_s=1.0, reconnect_waits_s=(0.01, 0.01))


def run(capture, *sinks, boxes=((10, 10, 20, 20),), make=None, classifier=None, **options):
    loop = Loop(analyser(*boxes, classifier=classifier), sinks, patience=SHORT, **options)
    loop.run(capture, make)
    return loop.summary


@pytest.mark.parametrize("seconds", [0.0, 0.02])
def test_every_frame_of_a_file_is_analysed_and_its_end_is_the_run_s(seconds):
    capture, sink = FakeCapture([picture(i) for i in range(5)]), ListSink()
    summary = run(capture, sink, classifier=FakeClassifier(seconds=seconds))
    assert [r.index for r in sink.results] == [0, 1, 2, 3, 4]
    assert [int(r.frame.bgr[0, 0, 0]) for r in sink.results] == [0, 1, 2, 3, 4]
    assert [r.frame.time_s for r in sink.results] == pytest.approx([0, 0.1, 0.2, 0.3, 0.4])
    assert (summary.frames, summary.dropped, capture.closed, sink.closed) == (5, 0, 1, 1)


def test_frames_are_counted_anew_in_each_source():
    class Folder(FakeCapture):
        def read(self):
            frame = super().read()
            return frame and frame._replace(source=f"{self._next // 3}.png", time_s=0.0)

    sink = ListSink()
    run(Folder([picture()] * 4), sink)
    counted = [(r.frame.source, r.index) for r in sink.results]
    assert counted == [("0.png", 0), ("0.png", 1), ("1.png", 0), ("1.png", 1)]


def test_a_live_frame_is_not_drawn_on_while_others_look_at_it():
    """The analysis may be at work on the very frame that is shown; a file's frame is nobody else's."""
    live, recorded = [picture(100) for _ in range(4)], [picture(100) for _ in range(4)]
    run(FakeCapture(live, live=True, interval_s=0.02, ends=True), Album())
    run(FakeCapture(recorded), Album())
    assert all((frame == 100).all() for frame in live)
    assert not any((frame == 100).all() for frame in recorded)


def test_no_face_is_an_empty_list_and_the_frame_is_shown_all_the_same():
    sink, window = Album(), FakeWindow()
    run(FakeCapture([picture(7)] * 3), sink, boxes=(), screen=Screen(window))
    assert [r.faces for r in sink.results] == [()] * 3
    assert (len(sink.pictures), set(window.shown), window.closed) == (3, {7}, True)


def test_passed_over_frames_have_a_line_and_say_so():
    sink = ListSink()
    run(FakeCapture([picture()] * 5), sink, every=2)
    assert [r.index for r in sink.results] == [0, 1, 2, 3, 4]
    assert [(r.analysed, len(r.faces)) for r in sink.results] == [(True, 1), (False, 0)] * 2 + [(True, 1)]


def test_max_frames_and_max_fps_hold_the_loop_back():
    start = time.monotonic()
    assert run(FakeCapture([picture()] * 9), max_fps=50, max_frames=5).frames == 5
    assert time.monotonic() - start >= 4 / 50
    start = time.monotonic()
    run(FakeCapture([picture()] * 3, fps=20), own_speed=True)  # at 0, 0.05 and 0.1 s
    assert time.monotonic() - start >= 0.1


def test_a_file_is_decoded_while_the_frame_before_is_analysed():
    capture = FakeCapture([picture()] * 5)

    class Watching(FakeClassifier):
        def predict(self, faces):
            until(lambda: capture._next == min(len(self.seen) + 2, 5))
            return super().predict(faces)

    run(capture, classifier=Watching())


def test_a_sink_that_fails_ends_the_run_and_the_others_are_closed():
    good = ListSink()
    with pytest.raises(OutputError, match="full"):
        run(FakeCapture([picture()] * 3), good, ListSink(OutputError("disk full")))
    assert (len(good.results), good.closed) == (1, 1)


def test_signs_of_life_come_while_a_camera_is_waited_for():
    beats = []
    with pytest.raises(SourceError):
        run(FakeCapture([], live=True), alive=lambda: beats.append(1))
    assert beats
    beats.clear()
    run(FakeCapture([picture()] * 2), max_fps=0.4, alive=lambda: beats.append(1))
    assert len(beats) >= 2 + 3  # once a second between frames, too


@pytest.mark.parametrize("live", [True, False])
def test_nothing_is_drawn_for_a_sink_that_sleeps(live):
    page = Album()
    page.asleep = True
    run(FakeCapture([picture()] * 3, live=live, ends=True, interval_s=0.05), page)
    assert (len(page.results) > 0, page.pictures) == (True, [])  # it hears of every frame


@pytest.mark.parametrize("kind", [FakeCapture, HangingCapture])
def test_a_camera_that_opens_and_gives_nothing_is_given_up_with_advice(kind):
    with pytest.raises(SourceError, match=r"camera 0 is open but delivered no frame in 0\.2 s.*--camera pi"):
        run(kind([], live=True, name="camera 0"))


def test_a_slow_analysis_gets_the_newest_frame_and_drops_are_counted():
    frames = [picture(i) for i in range(40)]
    capture = FakeCapture(frames, live=True, interval_s=0.01, ends=True)
    sink = ListSink()
    summary = run(capture, sink, classifier=FakeClassifier(seconds=0.05))
    seen = [int(r.frame.bgr[0, 0, 0]) for r in sink.results]
    assert seen == sorted(set(seen))
    assert seen[-1] == 39  # the last frame of all, not one that waited in a queue
    assert summary.dropped == 40 - len(seen) > 10
    assert [r.index for r in sink.results] == list(range(len(seen)))


def test_display_and_saved_video_of_a_camera_do_not_wait_for_the_classifier():
    capture = FakeCapture([picture(i) for i in range(30)], live=True, interval_s=0.02, ends=True)
    window, log, saved = FakeWindow(), ListSink(), Album()
    run(capture, log, saved, screen=Screen(window), classifier=FakeClassifier(seconds=0.5))
    assert len(log.results) <= 3
    assert min(len(window.shown), len(saved.pictures)) > 10


def test_a_slow_display_shows_the_last_frame_of_a_camera(monkeypatch):
    shown = []
    monkeypatch.setattr(Album, "show", lambda _, f, drawn: (time.sleep(0.1), shown.append(drawn[0, 0, 0])))
    run(FakeCapture([picture(i) for i in range(10)], live=True, interval_s=0.01, ends=True), Album())
    assert shown[-1] == 9


def test_a_file_in_a_window_keeps_the_window_alive_and_loses_no_frame():
    window, log = FakeWindow(), ListSink()
    capture = FakeCapture([picture(i) for i in range(3)])
    run(capture, log, screen=Screen(window), classifier=FakeClassifier(seconds=0.2))
    assert len(log.results) == 3
    assert window._left < 10**9 - 10  # its events were handled many times meanwhile


@pytest.mark.parametrize("key", [ord("q"), 27])
@pytest.mark.parametrize("live", [True, False])
def test_q_and_escape_end_the_run(key, live):
    capture = FakeCapture([picture()] * 10_000, live=live, interval_s=0.005)
    summary = run(capture, screen=Screen(FakeWindow(key, after=3)))
    assert 0 < summary.frames < 1000


def test_a_picture_stays_until_a_key_is_pressed():
    class Still(FakeCapture):
        is_still = True

    window = FakeWindow(ord(" "), after=4)
    assert run(Still([picture(1), picture(2)]), boxes=(), screen=Screen(window)).frames == 2
    assert window.shown == [1, 2]


def test_a_frozen_camera_is_opened_again_once_and_then_taken_as_it_is(capsys):
    made = []

    def make():
        made.append(FakeCapture([picture(5)] * 150, live=True, interval_s=0.01, ends=True, name="camera 0"))
        return made[-1]

    quick = Patience(first_frame_s=2, silence_s=0.5, reconnect_waits_s=(0.01,))
    first = FakeCapture([picture(5)] * 1000, live=True, interval_s=0.01, name="camera 0")
    Loop(analyser(), [ListSink()], patience=quick).run(first, make)
    opened = [capture for capture in made if capture.opened]
    assert len(opened) == 1  # its own still picture, for three times as long, led to nothing
    assert first.closed == opened[0].closed == 1
    said = capsys.readouterr().err
    assert said.count("camera 0 has delivered no new picture for 0.5 s: retrying") == 1


def test_a_camera_that_is_not_back_yet_is_waited_for():
    sink, back = ListSink(), FakeCapture([picture(9)], live=True, ends=True)
    run(FakeCapture([picture(5)], live=True), sink, make=Mock(side_effect=[SourceError("gone"), back]))
    assert [r.frame.bgr[0, 0, 0] for r in sink.results] == [5, 9]


def test_a_camera_that_opens_again_and_again_but_stays_silent_is_given_up():
    again = iter([HangingCapture([], live=True, name="camera 0") for _ in range(2)])  # as SHORT allows
    with pytest.raises(SourceError, match="did not come back"):
        run(FakeCapture([picture()], live=True, name="camera 0"), make=again.__next__)


def test_a_camera_that_works_is_not_frozen(capsys):
    noisy = [picture(7) for _ in range(100)]
    for n, frame in enumerate(noisy):
        frame[13, 29, 1] += n % 2  # one level of one pixel
    quick = Patience(silence_s=0.5)
    Loop(analyser(), [], patience=quick).run(FakeCapture(noisy, live=True, interval_s=0.01, ends=True))
    assert capsys.readouterr().err == ""


def test_of_two_threads_that_find_a_camera_silent_one_opens_it_again():
    newest = NewestFrame(FakeCapture([picture()], live=True), None, Patience(silence_s=0.1))
    other, opened = threading.Event(), []

    def connect(capture, why):
        opened.append(why)
        other.wait(0.3)  # for a second thread, which would come here too
        newest._heard_s = math.inf

    newest._connect = connect
    time.sleep(0.3)
    with ThreadPoolExecutor(2) as threads:
        list(threads.map(lambda after: newest.take(after, 0.01), (0, 0)))
    newest.close()
    assert opened == ["has delivered no new picture for 0.1 s"]


def test_a_failure_inside_the_reading_thread_reaches_the_user():
    class Broken(FakeCapture):
        def read(self):
            raise RuntimeError("driver fault")

    with pytest.raises(SourceError, match="driver fault"):
        run(Broken([], live=True))


def test_shares_changes_and_frames():
    """Of a face that changes, and of another that does not and is uncertain; at the end there is none."""
    summary = Summary(StageTimes())
    for n, (label, own) in enumerate([("happy", 0), ("happy", 1), ("happy", 0), ("sad", 1)]):
        faces = face(label, np.eye(3)[own], track=1), face(None, np.eye(3)[1], track=2)
        summary.write(result(*faces, time_s=n / 10))
    summary.write(result(time_s=0.4))
    value = summary.as_dict()
    assert (value["frames"], value["frames_with_face"], value["faces"], value["tracks"]) == (5, 4, 8, 2)
    assert value["shares"] == {"uncertain": 0.5, "happy": 0.375, "sad": 0.125}
    assert value["seconds"] == pytest.approx(0.4)  # of the clip; `took_s` is the run's
    assert value["label_changes_per_minute"] == pytest.approx(1 * 60 / 0.4)
    assert value["unsmoothed_label_changes_per_minute"] == pytest.approx(3 * 60 / 0.4)


def test_who_stays_is_one_track_however_many_come_and_go():
    summary = Summary(StageTimes())
    for n in range(100):
        summary.write(result(face(track=0), face(track=n + 1), analysed=n % 2 == 0))
    assert summary.as_dict()["tracks"] == 101
    assert "a face in 100 of 50 analysed" in summary.lines()[0]


def test_stage_times_are_percentiles_of_the_latest():
    times = StageTimes()
    for ms in range(1, 101):
        times.add("detect", ms / 1000)
    assert times.table() == {"detect": {"n": 100, "mean_ms": 50.5, "p50_ms": 50.5, "p95_ms": 95.05}}
    for _ in range(KEPT):
        times.add("detect", 0.002)
    expected = {"n": 100 + KEPT, "mean_ms": 2.0, "p50_ms": 2.0, "p95_ms": 2.0}
    assert times.table()["detect"] == expected


FRAMES, SETTLED = 20_000, 2_000  # days without a person, in small


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="no /proc/self/fd here")
@pytest.mark.parametrize("boxes", [(), ((3, 3, 12, 12),)], ids=["nobody", "somebody"])
def test_memory_and_handles_stay_as_they_are(tmp_path, boxes):
    looks = []

    class Watching(FakeCapture):
        def read(self):
            if self._next in (SETTLED, FRAMES - 1):
                looks.append((machine.rss_mib(), len(os.listdir("/proc/self/fd"))))
            return super().read()

    capture = Watching([picture(0, (24, 32)), picture(9, (24, 32))] * (FRAMES // 2))
    classifier = FakeClassifier()
    classifier.seen = collections.deque(maxlen=1)
    sinks = [JsonlLog(tmp_path / "o.jsonl", classifier.labels), CsvLog(tmp_path / "o.csv", classifier.labels)]
    Loop(analyser(*boxes, classifier=classifier), sinks).run(capture)
    assert (tmp_path / "o.jsonl").read_bytes().count(b"\n") == FRAMES
    (early_mib, early_handles), (late_mib, late_handles) = looks
    assert late_handles == early_handles
    assert late_mib - early_mib < 2
