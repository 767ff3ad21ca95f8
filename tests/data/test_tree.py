"""FER-2013 as a folder tree in every spelling, and what is said of one that is wrong or hostile."""

import json
import os
from pathlib import Path
from random import Random

import cv2
import numpy as np
import pytest
from known_rows import CLASSES, face

from fer_edge import data, files
from fer_edge.data.dataset import SPLITS
from fer_edge.errors import DataError
from fer_edge.spec import SPELLINGS

TWO = {"train": CLASSES, "test": CLASSES}


def test_official_tree(tree):
    read = data.load(str(tree(dict.fromkeys(SPLITS, CLASSES))))
    assert (read.protocol, read.ids.tolist()) == ("official", [*range(1, 43)])
    assert (np.bincount(read.split).tolist(), np.bincount(read.labels).tolist()) == ([14] * 3, [6] * 7)
    # sorted by name: PrivateTest/angry/im0 comes first; it was drawn as picture 29
    assert SPLITS[read.split[0]] == "PrivateTest"
    np.testing.assert_array_equal(read.images[0], face(29))


@pytest.mark.parametrize("name", ["validation", "valid", "val", "Val"])
def test_of_three_folders_the_validation_is_chosen_on_and_two_for_one_split_are_refused(tree, name):
    root = tree({"train": CLASSES, name: CLASSES, "testing": CLASSES})
    chosen_on = data.protocol_splits(data.load(str(root)), "official").validation
    np.testing.assert_array_equal(chosen_on.images[0], face(15))  # the first after the 14 of train/
    (root / "Training").mkdir()
    with pytest.raises(DataError, match="both mean Training"):
        data.load(str(root))


def test_train_and_test_alone_hold_a_tenth_out(tree):
    root = str(tree(TWO, n=20))
    read, other = (data.load(root, seed=seed) for seed in (1, 2))
    assert read.protocol == data.protocol_splits(read, "official").name == "holdout"
    for index, count in enumerate((18, 2, 20)):
        assert np.bincount(read.labels[read.split == index]).tolist() == [count] * 7
    assert (read.split == other.split).all()  # or `evaluate` would see what `train --seed` has seen


def spelt(seed):
    """The seven in any of their spellings, as people write folders' names."""
    rng = Random(seed)
    ways = (str.upper, str.title, str.lower, "{} ".format, "0{}".format, "12-{}".format, "7_{}_".format)
    return tuple(rng.choice(ways)(rng.choice(SPELLINGS[label])) for label in CLASSES)


def label_of(read, row):
    """Of the picture that was drawn as number `row`."""
    (label,) = read.labels[(read.images == face(row)).all((1, 2))]
    return label


@pytest.mark.parametrize("classes", [tuple("0123456"), *map(spelt, range(8))])
def test_usual_spellings(tree, classes):
    """Each folder's first picture has its place in the list as label."""
    read = data.load(str(tree({"Train": classes, "Test": classes}, n=1)))
    assert [label_of(read, row) for row in range(1, 8)] == [*range(7)]


def test_numbers_from_1_are_asked_for_from_0_assumed_aloud_and_both_can_be_named(tree, capsys):
    root = str(tree({"train": tuple("1234567"), "test": tuple("1234567")}))
    with pytest.raises(DataError, match=r"train/ has 1 \(2 pictures\).*--class-names sets the order"):
        data.load(root)
    with pytest.raises(DataError, match="does not exist"):
        data.load(f"{root}/gone", class_names="a,b")
    read = data.load(root, class_names="surprise,fear,disgust,happiness,sadness,anger,neutral")  # RAF-DB's
    assert label_of(read, 7) == CLASSES.index("happy")  # the first of train/4
    root = str(tree({"train": tuple("0123456"), "test": tuple("0123456")}, under="other"))
    first = data.load(f"{root}/other")
    assert "0 to 6 are taken for FER-2013's (0 angry, 1 disgust, 2 fear" in capsys.readouterr().err
    other = data.load(f"{root}/other", class_names=",".join(reversed(CLASSES)))
    assert (other.labels == 6 - first.labels).all()
    assert "taken for" not in capsys.readouterr().err
    tree(TWO, under="words")
    for under, names in (("other", "angry,sad"), ("other", "a,b,c,d,e,f,g"), ("words", ",".join(CLASSES))):
        with pytest.raises(DataError, match=r"--class-names .* in the order of class folders that are num"):
            data.load(f"{root}/{under}", class_names=names)


def test_every_ending_and_folder_below_the_class_is_read_and_the_rest_named(tree, capsys):
    root = tree(TWO)
    happy = root / "train/happy"
    png = (happy / "im0.png").read_bytes()
    for suffix in (".tif", ".webp", ".JP2", ".gif", ".ppm"):
        cv2.imwrite(str(happy / f"other{suffix.lower()}"), np.dstack([face(90)] * 3))
    (happy / "session 1/b").mkdir(parents=True)
    for name in ("session 1/b/deep.png", "no_ending", "wrong.txt"):
        (happy / name).write_bytes(png)
    (happy / "notes.txt").write_text("x")
    (happy / "phone.heic").write_bytes(b"\0\0\0\x18ftypheic" + bytes(20))
    (happy / "linked").symlink_to(root / "test")
    (root / "train/loose.png").write_bytes(png)
    (root / "extra").mkdir()
    read = data.load(str(root))
    assert len(read) == 28 + 5 + 3
    assert {row.where: row.why for row in read.left_out} == {
        "extra": "is no split",
        "train/loose.png": "is in no class folder",
        "train/happy/linked": "is a link to a folder",
        "train/happy/notes.txt": "is no picture",
        "train/happy/phone.heic": "is no picture",
    }
    assert "5 left out: extra is no split" in capsys.readouterr().err
    assert data.summarise(read)["left_out"]["count"] == 5


def test_jpeg_one_of_them_cut_short(tree, capsys):
    root = tree(TWO, suffix=".jpg")
    jpeg = cv2.imencode(".jpg", face(5), [cv2.IMWRITE_JPEG_QUALITY, 98])[1].tobytes()
    (root / "train/sad/cut.jpg").write_bytes(jpeg[: len(jpeg) * 2 // 3])
    read = data.load(str(root))
    assert (len(read), abs(read.images.mean() - 127) < 10) == (29, True)
    assert "cut.jpg is damaged or cut short" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("pictures", "folders", "found"),
    [
        ((), "", "found no folder"),
        ((), "train", "found train/"),
        (("train",), "", "found train/"),
        ((), "cats dogs", "found cats/, dogs/"),
        ((), "train test", r"found train/ \(0 pictures\), test/ \(0 pictures\)"),
        (("test",), "train/happy", r"found train/ \(0 pictures\), test/ \(14 pictures\)"),
    ],
)
def test_empty_trees_say_what_is_expected_and_found(tmp_path, tree, pictures, folders, found):
    (root := tmp_path / "tree").mkdir()
    tree(dict.fromkeys(pictures, CLASSES))
    for folder in folders.split():
        (root / folder).mkdir(parents=True)
        (root / folder / "notes.txt").write_text("x")
    with pytest.raises(DataError, match=found) as raised:
        data.load(str(root))
    assert all(name in str(raised.value) for name in (*CLASSES, "train/CLASS/*.jpg and test/CLASS/*.jpg"))


@pytest.mark.parametrize(
    ("train", "test", "differences"),
    [
        (CLASSES, (*CLASSES, "contempt"), ["test/ has contempt (2 pictures)"]),
        (CLASSES[1:], CLASSES, ["train/ lacks angry"]),
        (CLASSES[1:], CLASSES[1:], ["train/ lacks angry", "test/ lacks angry"]),
        (CLASSES, ("happy", "sad"), ["test/ lacks angry, disgust, fear, surprise, neutral"]),
        (("hapy", *CLASSES[:3]), CLASSES, ["train/ has hapy", "train/ lacks happy, sad, surprise, neutral"]),
        (CLASSES, (".angry", *CLASSES[1:]), ["test/ lacks angry"]),  # hidden
    ],
)
def test_splits_with_other_classes_are_compared(tree, train, test, differences):
    with pytest.raises(DataError) as raised:
        data.load(str(tree({"train": train, "test": test})))
    assert all(difference in str(raised.value) for difference in differences)


def test_odd_names_of_folders_and_pictures_are_escaped_and_harmless(tree, capsys):
    odd = ("\x1b[31mred", "not\udce9utf8", "x" * 250, "line\nbreak", " ", "-rf", "*", "\u202eyppah", "%s{0}")
    root = tree(TWO)
    png = (root / "train/happy/im0.png").read_bytes()
    for name in odd:
        (root / name).mkdir()
        (root / "train/happy" / name).write_bytes(png)
        (root / "train/happy" / f"{name}.jpg").write_bytes(b"no picture")
    for _ in range(2):  # from the cache, too
        read = data.load(str(root), skip_bad_rows=True)
        assert (len(read), len(read.left_out)) == (28 + len(odd), len(odd))
        assert {row.where for row in read.bad} == {f"train/happy/{name}.jpg" for name in odd}
        assert {row.why[:16] for row in read.bad} == {"is not a picture"}
        json.loads(files.to_json(data.summarise(read)))
    for name in odd:
        (root / "test" / name).mkdir()
        (root / "test" / name / "a.png").write_bytes(png)
    with pytest.raises(DataError, match=r"test/ has .* \(1 pictures\)") as raised:
        data.load(str(root))
    assert str(raised.value).isprintable()
    shown = capsys.readouterr().err.splitlines()
    assert len(shown) == 2  # one a reading: what was left out
    assert all(line.isprintable() for line in shown)


def test_bad_pictures_are_named_and_can_be_skipped_and_are_never_waited_for(tree):
    root = tree(TWO)
    flat = cv2.imencode(".png", np.zeros((40, 60), np.uint8))[1].tobytes()
    sad = root / "train/sad"
    for name, content in {"empty": b"", "text": b"hello", "flat": flat, "large": b"x"}.items():
        (sad / f"{name}.png").write_bytes(content)
    os.truncate(sad / "large.png", 33 << 20)
    os.mkfifo(sad / "pipe.png")
    (sad / "zero.png").symlink_to("/dev/zero")
    (sad / "lost.png").symlink_to("nowhere")
    with pytest.raises(DataError, match=r"tree: train/sad/empty.png is empty; bad rows in all: 7; --skip"):
        data.load(str(root))
    read = data.load(str(root), skip_bad_rows=True)
    assert len(read) == 28
    assert {Path(where).stem: why.split(":")[0] for where, why in read.bad} == {
        "empty": "is empty",
        "text": "is not a picture that OpenCV can read",
        "flat": "has 60x40 pixels, not a square of 48x48",
        "large": "is too large for a picture (33 MiB)",
        "pipe": "is no file",
        "zero": "is no file",
        "lost": "cannot be read",
    }


def test_a_changed_picture_of_any_size_and_colour_is_read_again_and_an_unchanged_one_not(tree, monkeypatch):
    root = tree(TWO)
    first = data.load(str(root))
    large = np.zeros((96, 96, 3), np.uint8)
    large[:, 48:] = (255, 255, 255)
    cv2.imwrite(str(root / "test/angry/im0.png"), large)
    second = data.load(str(root))
    np.testing.assert_array_equal(second.images[0], np.repeat([[0] * 24 + [255] * 24], 48, 0))
    assert first.sha256 != second.sha256
    monkeypatch.setattr(data.Tree, "read", lambda *_: pytest.fail("read again"))
    assert data.load(str(root)).sha256 == second.sha256
