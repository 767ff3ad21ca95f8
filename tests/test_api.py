import contextlib
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest
from processes import python

import fer_edge
from fer_edge import Classifier, FerEdgeError, analyze
from fer_edge.model import shipped
from fer_edge.spec import LABELS
from fer_edge.vision.crop import crop_face

NAMES = {"LABELS", "Classifier", "Face", "FerEdgeError", "__version__", "analyze"}
FIELDS = {"box_xywh", "track", "label", "confidence", "probabilities", "smoothed", "quality", "keypoints"}


def test_the_public_names_are_these():
    assert set(fer_edge.__all__) == NAMES
    assert (Path(fer_edge.__file__).parent / "py.typed").is_file()
    assert all(hasattr(fer_edge, name) for name in NAMES)
    assert set(fer_edge.Face.__annotations__) == FIELDS
    with pytest.raises(AttributeError, match="analyse"):
        _ = fer_edge.analyse


def test_importing_the_package_loads_nothing_and_analyzing_no_tensorflow():
    code = (
        "import sys, fer_edge; early = {'numpy', 'cv2', 'typer'} & set(sys.modules);"
        "import numpy; fer_edge.analyze(numpy.zeros((90, 90), numpy.uint8));"
        "print(sorted(early), sorted({'tensorflow', 'keras', 'typer', 'rich'} & set(sys.modules)))"
    )
    assert python(code, code=0).stdout.strip() == "[] []"


def test_a_smiling_face_is_found_and_named(media):
    (face,) = analyze(media / "astronaut.png")
    x, y, w, h = face.box_xywh
    assert x < 220 < x + w  # the nose
    assert y < 120 < y + h
    assert (face.label, face.probabilities.argmax()) == ("happy", LABELS.index("happy"))
    assert face.confidence == pytest.approx(face.probabilities.max())
    assert face.probabilities.sum() == pytest.approx(1, abs=1e-3)


def test_it_says_what_the_classifier_says_of_the_crop(media):
    gray = cv2.imread(str(media / "obama_480p.jpg"), cv2.IMREAD_GRAYSCALE)
    (face,) = analyze(gray, detector="haar")  # whose boxes are cut out as they are
    expected = Classifier(shipped.DEFAULT_MODEL).predict(crop_face(gray, face.box_xywh)[None])[0]
    np.testing.assert_allclose(face.probabilities, expected, atol=1e-6)


def test_path_and_array_agree_and_the_larger_comes_first(media):
    path = media / "obama_480p.jpg"
    bgr = cv2.imread(str(path))
    frames = (path, str(path), bgr, cv2.cvtColor(bgr, cv2.COLOR_BGR2BGRA))
    assert len({analyze(frame)[0].box_xywh for frame in frames}) == 1
    first, second = (face.box_xywh for face in analyze(media / "two_people.jpg"))
    assert first[2] * first[3] >= second[2] * second[3]


def test_a_relative_name_is_the_working_folder_s(media, tmp_path, monkeypatch):
    for name in ("edge", "nano"):
        (tmp_path / name).mkdir()
        shutil.copy(shipped.find_model(f"{name}_int8"), tmp_path / name / "own.tflite")
        monkeypatch.chdir(tmp_path / name)
        (face,) = analyze(media / "astronaut.png", model="own.tflite")
        (expected,) = analyze(media / "astronaut.png", model=f"{name}_int8")
        np.testing.assert_array_equal(face.probabilities, expected.probabilities)
    assert len({face, expected, face}) == 2


def test_threads_may_share_it(media):
    bgr = cv2.imread(str(media / "obama_480p.jpg"))
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: analyze(bgr)[0].probabilities.tolist(), range(8)))
    assert all(p == found[0] for p in found)


def test_what_is_no_picture_is_an_error_in_a_line():
    for frame in (None, [[1, 2]], np.zeros(3, np.uint8), np.zeros((0, 4, 3), np.uint8), "nowhere.jpg"):
        with pytest.raises(FerEdgeError, match=r"^[^\n]+$"):
            analyze(frame)


SHAPES = [(), (3,), (0, 0), (0, 9), (1, 1), (1, 9000), (9000, 1), (7, 400), (90, 90), (400, 300)]
SHAPES += [*((90, 90, channels) for channels in range(6)), (2, 2, 2, 2)]


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int8", "int64", "float32", "bool"])
@pytest.mark.parametrize("shape", SHAPES)
def test_any_array_is_analysed_or_refused(shape, dtype):
    values = np.random.default_rng(0).integers(0, 2, shape).astype(dtype) * np.asarray(100).astype(dtype)
    for frame in (values, values[::-1], values[::2]) if shape else (values,):
        with contextlib.suppress(FerEdgeError):
            for face in analyze(frame):
                (height, width), (x, y, w, h) = frame.shape[:2], face.box_xywh
                assert 0 <= x < x + w <= width
                assert 0 <= y < y + h <= height
