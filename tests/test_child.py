import os
import time

import pytest

from fer_edge import child
from fer_edge.errors import ModelError
from fer_edge.model import file, keras_files, shipped


def test_what_a_function_returns_and_our_own_errors_come_back():
    assert child.run(os.path.join, "a", "b", what="x") == "a/b"
    with pytest.raises(ModelError, match=r"^x: no model 'zzz'"):
        child.run(shipped.find_model, "zzz", what="x")


@pytest.mark.parametrize(
    ("function", "arguments", "said"),
    [
        (os.abort, (), r"\(signal 6\): "),
        (os._exit, (0,), r"\(exit 0\): no message"),  # no answer, no success
        (int, ("x",), r"\(exit 1\): ValueError: "),
    ],
)
def test_a_process_without_an_answer_has_failed(function, arguments, said):
    with pytest.raises(child.ChildError, match=r"^x\.tflite crashed its process " + said):
        child.run(function, *arguments, what="x.tflite")


def test_one_that_does_not_end_is_ended():
    with pytest.raises(child.ChildError, match="took over 1 s"):
        child.run(time.sleep, 60, what="x", timeout_s=1)


def test_nothing_is_imported_from_the_working_folder(tmp_path, monkeypatch):
    for name in ("json", "numpy", "h5py", "cv2"):
        (tmp_path / f"{name}.py").write_text("open('was-here', 'w'); raise SystemExit(0)")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ModelError, match="signature"):
        child.run(keras_files._read_weights, 9, what="m.keras", data=b"not HDF5")
    with pytest.raises(ModelError, match=r"not a \.tflite file"):
        file.check(b"this is no model", "m.tflite")
    assert not (tmp_path / "was-here").exists()
