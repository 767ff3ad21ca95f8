"""Meters as the system shows them, in a folder of the test's own."""

import pytest

from fer_edge.bench import energy


def zone(root, name, value, wrap=1_000_000):
    folder = root / "powercap" / name
    folder.mkdir(parents=True)
    (folder / "energy_uj").write_text(f"{value}\n")
    (folder / "max_energy_range_uj").write_text(f"{wrap}\n")
    return folder / "energy_uj"


def test_no_meter_is_said_plainly(tmp_path):
    reason = energy.find(tmp_path)
    assert isinstance(reason, str)
    assert reason.startswith("not readable here")
    assert energy.described(reason, None) == {"meter": None, "idle_w": None, "reason": reason}


def test_packages_are_added_up_and_their_parts_left_out(tmp_path):
    first = zone(tmp_path, "intel-rapl:0", 5)
    zone(tmp_path, "intel-rapl:0:0", 3)  # the cores of package 0, which package 0 includes
    second = zone(tmp_path, "intel-rapl:1", 7, wrap=99)
    meter = energy.find(tmp_path)
    assert (meter.microjoules, meter.wraps) == ((first, second), (1_000_000, 99))


def test_a_boards_sensor(tmp_path):
    (tmp_path / "hwmon" / "hwmon3").mkdir(parents=True)
    sensor = tmp_path / "hwmon" / "hwmon3" / "power1_input"
    sensor.write_text("4000000")
    assert energy.find(tmp_path).microwatts == (sensor,)


class Clock:
    now_s = 0.0

    def perf_counter(self):
        return self.now_s


def test_energy_above_idle_by_hand(tmp_path, monkeypatch):
    """Calls of 10 ms and 30 mJ each, 3 W, where idling takes 1 W: 20 mJ a call, round the counter's end."""
    clock = Clock()
    monkeypatch.setattr(energy, "time", clock)
    counter = zone(tmp_path, "intel-rapl:0", 900_000, wrap=1_000_000)

    def work():
        clock.now_s += 0.01
        counter.write_text(str((int(counter.read_text()) + 30_000) % 1_000_000))

    watts, millijoules = energy.measure(energy.find(tmp_path), work, seconds=1, idle_w=1.0)
    assert watts == pytest.approx(3)
    assert millijoules == pytest.approx(20)


def test_a_sensors_watts_over_the_time(tmp_path, monkeypatch):
    clock = Clock()
    monkeypatch.setattr(energy, "time", clock)
    (tmp_path / "hwmon" / "hwmon0").mkdir(parents=True)
    (tmp_path / "hwmon" / "hwmon0" / "power1_input").write_text("4000000")

    def work():
        clock.now_s += 0.005

    watts, millijoules = energy.measure(energy.find(tmp_path), work, seconds=0.1, idle_w=2.0)
    assert watts == pytest.approx(4)
    assert millijoules == pytest.approx(2 * 5)  # 2 W above idle for 5 ms
