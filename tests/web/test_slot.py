"""The newest value alone."""

import threading

from fer_edge.sources.newest import Newest


def test_a_reader_gets_the_newest_and_each_once():
    slot = Newest()
    assert slot.take(-1, 0) is None
    for value in "abc":
        slot.put(value)
    assert slot.take(-1, 0) == (2, "c")
    assert slot.take(2, 0.01) is None
    assert slot.take(0, 0) == (2, "c")


def test_closing_wakes_who_waits():
    slot, got = Newest(), []
    waiting = threading.Thread(target=lambda: got.append(slot.take(-1, 60)))
    waiting.start()
    slot.close()
    waiting.join(20)
    assert got == [None]
