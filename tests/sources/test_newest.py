"""The newest value alone, and cameras that go on giving the same picture."""

import threading

from loop_fakes import FakeCapture, ListSink, analyser, picture

from fer_edge.loop import Loop
from fer_edge.sources.newest import Newest, NewestFrame, Patience


def test_a_reader_gets_the_newest_and_each_once_and_wakes_when_there_will_be_no_more():
    newest, got = Newest(), []
    assert (newest.number, newest.take(-1, 0)) == (-1, None)
    for value in "abc":
        newest.put(value)
    assert [newest.take(after, 0) for after in (-1, 2, 0)] == [(2, "c"), None, (2, "c")]
    waiting = threading.Thread(target=lambda: got.append(newest.take(2, 60)))
    waiting.start()
    newest.close()
    waiting.join(20)
    assert got == [None]


def test_a_picture_is_frozen_once_after_its_time():
    source = NewestFrame(FakeCapture([], live=True, ends=True), lambda: None, Patience(frozen_s=10))
    asked = [(7, 0), (7, 10), (7, 10.1), (7, 60), (2, 70), (2, 90), (7, 100), (7, 120)]
    assert [t for level, t in asked if source._is_frozen(picture(level), t)] == [10.1, 90, 120]
    noisy = picture(7)
    noisy[13, 29, 1] += 1  # one level of one pixel, off the grid that is compared first; and another size
    assert not any(source._is_frozen(noisy if t % 2 else picture(7), 200 + 9 * t) for t in range(20))
    assert not source._is_frozen(picture(7, (30, 40)), 900)


def test_a_frozen_camera_is_opened_again_once_and_then_taken_as_it_is(capsys):
    made = []

    def make():
        made.append(FakeCapture([picture(5)] * 60, live=True, interval_s=0.01, ends=True, name="camera 0"))
        return made[-1]

    quick = Patience(first_frame_s=2, silence_s=2, frozen_s=0.1, reconnect_waits_s=(0.01,))
    first = FakeCapture([picture(5)] * 1000, live=True, interval_s=0.01, name="camera 0")
    Loop(analyser(), [ListSink()], patience=quick).run(first, make)
    opened = [capture for capture in made if capture.opened]
    assert len(opened) == 1  # its own still picture, for six times as long, led to nothing
    assert first.closed
    said = capsys.readouterr().err
    assert said.count("camera 0 has delivered the same picture for 0.1 s: retrying") == 1
