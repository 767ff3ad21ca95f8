"""What doctor finds, from made-up machines and on this one."""

import json

import cv2
import pytest
from processes import fer_edge

from fer_edge import __version__
from fer_edge.commands.doctor import gpus_of, opencv_packages


@pytest.mark.parametrize(
    ("installed", "status"),
    [(("", "-headless"), "note"), (("-headless",), "ok"), ((), "ok")],
    ids=["two", "one", "the system's own"],
)
def test_two_opencv_packages_are_noticed(installed, status):
    versions = {f"opencv-python{end}": "4.12" for end in installed}
    finding = opencv_packages(versions.get)
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
def test_a_gpu_comes_with_the_backend_that_would_use_it(names, able, status, said, advice):
    finding = gpus_of(names, able, "tensorflow")
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
    assert any(
        line.split()[:3] == ["opencv", "ok", f"{cv2.__version__},"] for line in done.stderr.splitlines()
    )
