"""The newest value alone, and cameras that go on giving the same picture."""

import threading

import numpy as np
import pytest
from loop_fakes import FakeCapture, ListSink, analyser, picture

from fer_edge.loop import Loop
from fer_edge.sources.newest import Newest, Patience, Stillness


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


def feed(stillness, *pictures_and_times):
    return [stillness.is_suspicious(np.array(shown), time_s) for shown, time_s in pictures_and_times]


def test_a_picture_is_suspicious_once_after_its_time():
    times_s = (0, 5, 10, 10.1, 15, 30, 60)
    assert feed(Stillness(10), *((picture(7), t) for t in times_s)) == [t == 10.1 for t in times_s]
    stillness = Stillness(1)  # another picture may freeze again, and the first one too
    asked = [feed(stillness, (picture(v), t), (picture(v), t + 2))[1] for v, t in ((1, 0), (2, 10), (1, 20))]
    assert asked == [True, True, True]


def test_noise_of_one_level_in_one_pixel_and_a_change_of_size_are_life():
    noisy = picture(7)
    noisy[13, 29, 1] += 1  # off the grid that is compared first
    assert not any(feed(Stillness(10), *((noisy if n % 2 else picture(7), 3.0 * n) for n in range(20))))
    assert feed(Stillness(1), (picture(0), 0), (picture(0, (30, 40)), 9)) == [False, False]


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
    assert said.count("camera 0 has given the same picture for 0.1 s: opening it again") == 1


@pytest.mark.parametrize("frozen_s", [0.1, 10.0])
def test_a_living_camera_is_left_alone(frozen_s):
    capture = FakeCapture([picture(n % 2) for n in range(40)], live=True, interval_s=0.01, ends=True)

    def make():
        return FakeCapture([], live=True, opens=False)

    Loop(analyser(), [ListSink()], patience=Patience(frozen_s=frozen_s)).run(capture, make)
    assert capture.ended
