"""The machine's description, whether others were at work, and what doctor finds; no test asserts a speed."""

import json
import math
import os

import cv2
import pytest
from processes import fer_edge

from fer_edge import __version__, machine
from fer_edge.commands import doctor


def test_description_is_json_and_names_what_matters(monkeypatch):
    told = machine.describe()
    assert json.loads(json.dumps(told)) == told
    assert (told["fer_edge"], told["cores"]) == (__version__, os.cpu_count())
    assert told["numpy"].startswith("numpy ")
    assert {"cpu", "memory_mib", "system", "python", "opencv", "interpreter", "commit"} <= set(told)
    monkeypatch.setattr(machine, "_read", lambda path: None)  # a system that tells nothing
    told = machine.describe()
    assert told["memory_mib"] is None
    assert math.isnan(machine._clocks()[1])


@pytest.mark.parametrize(
    ("elapsed_s", "others_s", "cores", "share", "disturbed"),
    [
        (10, 0, 4, 0, False),
        (10, 10, 4, 0.25, True),
        (10, 9, 64, 9 / 640, True),  # one busy program on a machine of many cores
        (10, 3.9, 4, 0.0975, False),
        (0.2, 0.8, 4, None, False),  # too short for clocks of 10 ms
        (10, math.nan, 4, None, False),  # not told
    ],
)
def test_who_disturbs(monkeypatch, elapsed_s, others_s, cores, share, disturbed):
    clocks = iter([(100.0, 50.0), (100.0 + elapsed_s, 50.0 + others_s)])
    monkeypatch.setattr(machine, "_clocks", clocks.__next__)
    monkeypatch.setattr(machine.os, "cpu_count", lambda: cores)
    with machine.Watch() as meanwhile:
        pass
    assert (meanwhile.others_share, meanwhile.disturbed) == (pytest.approx(share), disturbed)
    assert meanwhile.elapsed_s == pytest.approx(elapsed_s)


@pytest.mark.parametrize(
    ("installed", "status"),
    [(("", "-headless"), "note"), (("-headless",), "ok"), ((), "ok")],
    ids=["two", "one", "the system's own"],
)
def test_two_opencv_packages_are_noticed(monkeypatch, installed, status):
    versions = {f"opencv-python{end}": "4.12" for end in installed}
    monkeypatch.setattr(machine, "version", versions.get)
    finding = next(one for one in doctor.examine() if one["what"] == "opencv package")
    assert finding["status"] == status
    assert finding["found"] == (", ".join(f"{name} 4.12" for name in versions) or "no pip package")
    assert (f"pip uninstall {' '.join(versions)}," in finding["advice"]) == (status == "note")


@pytest.mark.parametrize(
    ("names", "able", "status", "said", "advice"),
    [
        (["H200"], ["jax"], "note", "H200; used by jax", "KERAS_BACKEND=jax"),
        (["H200"], ["tensorflow"], "ok", "H200; used by tensorflow", ""),
        (["H200"], [], "note", "no backend of Keras", "pip install 'fer-edge[gpu]'"),
        ([], [], "ok", "none found", ""),
    ],
)
def test_a_gpu_comes_with_the_backend_that_would_use_it(monkeypatch, names, able, status, said, advice):
    monkeypatch.setattr(machine, "output", lambda *_, **how: "\n".join(names))
    monkeypatch.setattr(doctor, "find_spec", lambda name: name)
    monkeypatch.setattr(doctor.child, "run", lambda *_, what, **how: what in able)
    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    finding = doctor.gpus()
    assert finding["status"] == status
    assert said in finding["found"]
    assert finding["advice"].startswith(advice)


def test_this_machine_can_run_the_loop_in_a_table_and_json():
    done = fer_edge("doctor", "--json", "-", code=0)
    findings = json.loads(done.stdout)["findings"]
    assert list(findings[0].values()) == ["fer-edge", "ok", __version__, ""]
    status = {finding["what"]: finding["status"] for finding in findings}
    assert {"python", "opencv", "interpreter", "models", "cameras", "window", "gpu"} <= set(status)
    assert "missing" not in status.values()
    rows = [line.split()[:3] for line in done.stderr.splitlines()]
    assert ["opencv", "ok", f"{cv2.__version__},"] in rows
