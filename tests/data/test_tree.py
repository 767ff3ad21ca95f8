from __future__ import annotations

import os

import cv2
import numpy as np
import pytest
from known_rows import CLASSES, face

from fer_edge import data
from fer_edge.errors import DataError

OTHER_SPELLINGS = ("Anger", "disgusted", "3-Fear", "happiness", "Sadness", "surprised", "NEUTRAL")


def test_official_tree(tree):
    root = tree({"Training": CLASSES, "PublicTest": CLASSES, "PrivateTest": CLASSES})
    read = data.load(str(root))
    assert read.protocol == "official"
    assert np.bincount(read.split).tolist() == [14, 14, 14]
    assert np.bincount(read.labels).tolist() == [6] * 7
    # sorted by name: PrivateTest/angry/im0 comes first; it was drawn as picture 29
    np.testing.assert_array_equal(read.images[0], face(29))
    assert data.SPLITS[read.split[0]] == "PrivateTest"
    assert read.ids.tolist() == list(range(1, 43))


def test_train_and_test_alone_hold_a_tenth_out(tree):
    root = tree({"train": CLASSES, "test": CLASSES}, n=20)
    read = data.load(str(root), seed=1)
    assert read.protocol == "holdout"
    for index, count in enumerate((18, 2, 20)):
        assert np.bincount(read.labels[read.split == index]).tolist() == [count] * 7
    again, other = data.load(str(root), seed=1), data.load(str(root), seed=2)
    np.testing.assert_array_equal(read.split, again.split)
    assert (read.split != other.split).any()
    assert data.protocol_splits(read, "official").name == "holdout"


@pytest.mark.parametrize(
    ("classes", "labels"),
    [
        (OTHER_SPELLINGS, range(7)),
        (("anger", "Disgust", "fearful", "Joy", "sad", "surprise", "neutrality"), range(7)),
        (("angry", "disgust", "scared", "happy", "sad", "surprise", "neutral"), range(7)),
        (("angry", "disgust", "Afraid", "happy", "sad", "surprise", "neutral"), range(7)),
        (tuple("0123456"), range(7)),
        (("0_angry", "1_disgust", "2_fear", "3_happy", "4_sad", "5_surprise", "6_neutral"), range(7)),
    ],
)
def test_usual_spellings(tree, classes, labels):
    """Each folder's first picture has its place in the list as label."""
    read = data.load(str(tree({"Train": classes, "Test": classes}, n=1)))
    for place, label in enumerate(labels):
        (row,) = np.flatnonzero((read.images == face(place + 1)).all((1, 2)))
        assert read.labels[row] == label


@pytest.mark.parametrize("name", ["validation", "valid", "val", "Val"])
def test_of_three_folders_the_validation_is_chosen_on(tree, name):
    read = data.load(str(tree({"train": CLASSES, name: CLASSES, "testing": CLASSES})))
    chosen_on = data.protocol_splits(read, "holdout").validation
    np.testing.assert_array_equal(chosen_on.images[0], face(15))  # the first after the 14 of train/


def test_numbers_from_1_are_asked_for(tree):
    """T2."""
    classes = tuple("1234567")
    root = str(tree({"train": classes, "test": classes}))
    with pytest.raises(DataError, match=r"train/ has 1 \(2 pictures\).*--class-names .* says which is which"):
        data.load(root)
    rafdb = "surprise,fear,disgust,happiness,sadness,anger,neutral"
    read = data.load(root, class_names=rafdb)
    (row,) = np.flatnonzero((read.images == face(7)).all((1, 2)))  # the first of train/4
    assert read.labels[row] == CLASSES.index("happy")


def test_numbers_from_0_are_assumed_aloud_and_can_be_named(tree, capsys, monkeypatch):
    """T2."""
    root = str(tree({"train": tuple("0123456"), "test": tuple("0123456")}))
    first = data.load(root)
    assert "0 to 6 are taken for FER-2013's (0 angry, 1 disgust, 2 fear" in capsys.readouterr().err
    backwards = ",".join(reversed(CLASSES))
    other = data.load(root, class_names=backwards)
    assert (other.labels == 6 - first.labels).all()
    assert "taken for" not in capsys.readouterr().err
    monkeypatch.setenv("FER_EDGE_CLASS_NAMES", backwards)
    assert (data.load(root).labels == other.labels).all()


@pytest.mark.parametrize(
    ("classes", "names"),
    [(tuple("0123456"), "angry,sad"), (tuple("0123456"), "a,b,c,d,e,f,g"), (CLASSES, ",".join(CLASSES))],
)
def test_class_names_that_do_not_fit_are_refused(tree, classes, names):
    with pytest.raises(DataError, match=r"--class-names .* in the order of class folders that are numbers"):
        data.load(str(tree({"train": classes, "test": classes})), class_names=names)


def test_every_ending_and_folder_below_the_class_is_read_and_the_rest_named(tree, capsys):
    """T1."""
    root = tree({"train": CLASSES, "test": CLASSES})
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
    assert {row.where: row.why for row in read.left_out.first} == {
        "extra": "is no split",
        "train/loose.png": "is in no class folder",
        "train/happy/linked": "is a link to a folder",
        "train/happy/notes.txt": "is no picture",
        "train/happy/phone.heic": "is no picture",
    }
    assert "5 left out: extra is no split" in capsys.readouterr().err
    assert data.summarise(read)["left_out"]["count"] == 5


def test_a_damaged_picture_that_can_be_read_in_part_is_used_and_named(tree, capsys):
    root = tree({"train": CLASSES, "test": CLASSES})
    jpeg = cv2.imencode(".jpg", face(5), [cv2.IMWRITE_JPEG_QUALITY, 98])[1].tobytes()
    (root / "train/sad/cut.jpg").write_bytes(jpeg[: len(jpeg) * 2 // 3])
    assert len(data.load(str(root))) == 29
    assert "cut.jpg is damaged (cut short" in capsys.readouterr().err


def test_tree_within_a_folder_and_jpeg(tree):
    root = tree({"train": CLASSES, "validation": CLASSES}, suffix=".jpg", under="archive/images")
    read = data.load(str(root))
    assert np.bincount(read.split).tolist()[2] == 14
    assert abs(read.images.mean() - 127) < 10


@pytest.mark.parametrize(
    ("pictures", "folders", "found"),
    [
        ((), (), "found no folder"),
        ((), ("train",), "found train/"),
        (("train",), (), "found train/"),
        ((), ("cats", "dogs"), "found cats/, dogs/"),
        ((), ("train", "test"), r"found train/ \(empty\), test/ \(empty\)"),
        (("test",), ("train/happy",), r"found train/ \(folders in it, no pictures\), test/ \(14 pictures\)"),
    ],
)
def test_empty_trees_say_what_is_expected_and_found(tmp_path, own_cache, tree, pictures, folders, found):
    """H1."""
    root = tmp_path / "tree"
    root.mkdir()
    tree(dict.fromkeys(pictures, CLASSES))
    for folder in folders:
        (root / folder).mkdir(parents=True)
        (root / folder / "notes.txt").write_text("x")
    with pytest.raises(DataError, match=found) as raised:
        data.load(str(root))
    assert "train/CLASS/*.jpg and test/CLASS/*.jpg" in str(raised.value)
    assert all(name in str(raised.value) for name in CLASSES)


@pytest.mark.parametrize(
    ("train", "test", "differences"),
    [
        (CLASSES, (*CLASSES, "contempt"), ["test/ has contempt (2 pictures)"]),
        ((*CLASSES, "contempt"), CLASSES, ["train/ has contempt (2 pictures)"]),
        (CLASSES, CLASSES[:-1], ["test/ lacks neutral"]),
        (CLASSES[1:], CLASSES, ["train/ lacks angry"]),
        (CLASSES[1:], CLASSES[1:], ["train/ lacks angry", "test/ lacks angry"]),
        (CLASSES, ("happy", "sad"), ["test/ lacks angry, disgust, fear, surprise, neutral"]),
        (("hapy", *CLASSES[:3]), CLASSES, ["train/ has hapy", "train/ lacks happy, sad, surprise, neutral"]),
    ],
)
def test_splits_with_other_classes_are_compared(tree, train, test, differences):
    """H2."""
    with pytest.raises(DataError) as raised:
        data.load(str(tree({"train": train, "test": test})))
    for difference in differences:
        assert difference in str(raised.value)


def test_two_folders_for_one_split(tree):
    with pytest.raises(DataError, match="both mean Training"):
        data.load(str(tree({"train": CLASSES, "Training": CLASSES, "test": CLASSES})))


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "is empty"),
        (b"hello", "is not a picture"),
        (cv2.imencode(".png", np.zeros((40, 60), np.uint8))[1].tobytes(), "has 60x40 pixels, not a square"),
    ],
)
def test_a_bad_picture_is_named_and_can_be_skipped(tree, content, why):
    root = tree({"train": CLASSES, "test": CLASSES})
    (root / "train/sad/im1.png").write_bytes(content)
    with pytest.raises(DataError, match=rf"train/sad/im1.png {why}.*1 bad row in all"):
        data.load(str(root))
    read = data.load(str(root), skip_bad_rows=True)
    assert (len(read), read.bad.count) == (27, 1)


def test_other_sizes_and_colours_become_faces(tree):
    root = tree({"train": CLASSES, "test": CLASSES})
    large = np.zeros((96, 96, 3), np.uint8)
    large[:, 48:] = (255, 255, 255)
    cv2.imwrite(str(root / "test/angry/im0.png"), large)
    read = data.load(str(root))
    np.testing.assert_array_equal(read.images[0], np.repeat([[0] * 24 + [255] * 24], 48, 0))


def test_a_changed_picture_is_read_again(tree):
    root = tree({"train": CLASSES, "test": CLASSES})
    first = data.load(str(root))
    cv2.imwrite(str(root / "test/angry/im0.png"), face(999))
    second = data.load(str(root))
    np.testing.assert_array_equal(second.images[0], face(999))
    assert first.sha256 != second.sha256


@pytest.mark.parametrize("leads_to", ["/dev/zero", "nowhere", "a pipe"])
def test_what_is_no_file_is_a_bad_picture_and_never_waited_for(tree, leads_to):
    root = tree({"train": CLASSES, "test": CLASSES})
    odd = next((root / "train").iterdir()) / "odd.png"
    if leads_to == "a pipe":
        os.mkfifo(odd)
    else:
        odd.symlink_to(leads_to)
    with pytest.raises(DataError, match=r"odd\.png (is no file|cannot be read): .*--skip-bad-rows"):
        data.load(str(root))
    assert data.load(str(root), skip_bad_rows=True).bad.count == 1


def test_a_folder_of_hidden_files_alone_counts_as_empty(tree):
    root = tree({"train": CLASSES, "test": CLASSES})
    for picture in (root / "test" / CLASSES[0]).iterdir():
        picture.rename(picture.with_name(f".{picture.name}"))
    with pytest.raises(DataError, match=f"test/ lacks {CLASSES[0]}"):
        data.load(str(root))
