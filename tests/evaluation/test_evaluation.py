import dataclasses
import json

import numpy as np
import pytest
from known_rows import rows_of

from fer_edge import evaluation
from fer_edge.data.drawn import draw_face
from fer_edge.errors import DataError, ModelError
from fer_edge.evaluation import CONDITIONS, Predictor, Selection, keras_card, metrics, open_model, robustness
from fer_edge.evaluation import report as printing
from fer_edge.spec import LABELS, ModelCard, TensorSpec

CARD = ModelCard(
    name="small",
    format="keras",
    labels=tuple(reversed(LABELS)),
    input=TensorSpec("float32", (1, 8, 6, 1)),
    output=TensorSpec("float32", (1, 7), content="probabilities"),
)


def test_a_keras_file_s_card_is_its_own_before_the_folder_s(tmp_path):
    path = tmp_path / "small.keras"
    assert keras_card(path) is None
    (tmp_path / "card.json").write_text(dataclasses.replace(CARD, name="folder").to_json())
    (tmp_path / "small.json").write_text('{"class_name": "Functional"}')  # of Keras' own to_json
    assert keras_card(path).name == "folder"
    spelt = (*CARD.labels[:-1], "Anger")
    (tmp_path / "small.json").write_text(dataclasses.replace(CARD, labels=spelt).to_json())
    assert keras_card(path) == CARD
    logits = dataclasses.replace(CARD, output=TensorSpec("float32", (1, 7), content="logits"))
    (tmp_path / "logits.json").write_text(logits.to_json())
    with pytest.raises(ModelError, match="gives probabilities"):
        keras_card(tmp_path / "logits.keras")
    with pytest.raises(ModelError, match="small"):
        open_model(str(path))
    path.write_bytes(b"x")
    with pytest.raises(ModelError, match=r"no card .*c\.json"):
        open_model(str(path), card=tmp_path / "c.json")


@pytest.mark.slow
def test_a_keras_model_gives_probabilities_in_its_card_s_order(tmp_path):
    keras = pytest.importorskip("keras")
    face = keras.Input((8, 6, 1))
    keras.Model(face, keras.layers.Flatten()(face)[:, :7]).save(tmp_path / "small.keras")
    (tmp_path / "small.json").write_text(CARD.to_json())
    model = open_model(str(tmp_path / "small.keras"))
    (tmp_path / "small.keras").rename(tmp_path / "model.keras")  # as in a training's folder
    assert open_model(str(tmp_path), card=tmp_path / "small.json").labels == model.labels
    assert (model.name, model.labels, model.input_size) == ("small", tuple(reversed(LABELS)), (8, 6))
    faces = np.zeros((2, 8, 6), np.uint8)
    faces[0, 0, 2] = faces[1, 0, 5] = 255
    p = model.predict(faces)
    assert p.dtype == np.float32
    assert p.argmax(axis=1).tolist() == [2, 5]


def report(probabilities, labels, seen=None):
    chosen = Selection(rows_of(np.zeros(len(labels)), labels), "official", "PrivateTest", seen)
    return evaluation.result_of(np.asarray(probabilities, np.float32), chosen, "m")


def test_report_has_the_keys_of_the_design_and_the_right_figures():
    got = report(np.eye(7)[[0, 3, 3, 6]], [0, 3, 4, 6], seen=np.array([True, False, False, False]))
    assert " ".join(got) == (
        "model data accuracy accuracy_without_duplicates macro_precision macro_recall macro_f1 per_class "
        "confusion_matrix"
    )
    assert list(got["data"].values()) == ["faces.csv", "ab", "official", "PrivateTest", 4]
    figures = got["accuracy"], got["accuracy_without_duplicates"], got["macro_recall"]
    assert figures == pytest.approx((0.75, 2 / 3, 3 / 7))
    happy = {"precision": 0.5, "recall": 1, "f1": 2 / 3, "support": 1}
    assert got["per_class"]["happy"] == pytest.approx(happy)
    assert list(got["per_class"]) == list(LABELS)
    assert got["confusion_matrix"][4] == [0, 0, 0, 1, 0, 0, 0]
    assert json.loads(json.dumps(got)) == got
    for seen in (None, np.array([True])):  # duplicates unknown, or nothing else
        assert report(np.eye(7)[:1], [0], seen)["accuracy_without_duplicates"] is None
    with pytest.raises(ModelError, match="NaN"):
        report(np.full((1, 7), np.nan), [0])


def brightest(labels=LABELS, size=(48, 48)):
    """Names class i where pixel i of the first row is brightest."""

    def predict(faces):
        assert faces.shape[1:] == size
        return faces[:, 0, :7].astype(np.float32) / 255

    return Predictor("m", tuple(labels), size, predict)


def test_probabilities_are_in_the_order_of_the_data_whatever_the_models_is():
    images = np.zeros((300, 48, 48), np.uint8)
    images[np.arange(300), 0, np.arange(300) % 7] = 255
    alphabetical = sorted(LABELS)
    p = evaluation.probabilities_of(brightest(labels=alphabetical), images)
    assert [LABELS[i] for i in p.argmax(axis=1)] == [alphabetical[n % 7] for n in range(300)]
    with pytest.raises(ModelError, match="contempt"):
        evaluation.probabilities_of(brightest(labels=(*LABELS[:6], "contempt")), images)


def test_flip_averages_with_the_mirror_image_and_faces_are_resized_to_what_the_model_wants():
    images = np.zeros((1, 48, 48), np.uint8)
    images[0, 0, 2], images[0, 0, 47 - 5] = 255, 51
    p = evaluation.probabilities_of(brightest(), images, flip=True)
    assert p[0] == pytest.approx([0, 0, 0.5, 0, 0, 0.1, 0])
    p = evaluation.probabilities_of(brightest(size=(64, 64)), np.full((2, 48, 48), 128, np.uint8))
    assert p == pytest.approx(np.full((2, 7), 128 / 255), abs=0.01)


def test_select_takes_what_the_protocol_reports_or_is_named_and_marks_duplicates():
    """Of six rows of Training, two of PublicTest, two of PrivateTest; the last is a copy of the first."""
    whole = rows_of([*range(9), 0], np.arange(10) % 7, [0] * 6 + [1] * 2 + [2] * 2)

    def rows(*how, **more):
        got = evaluation.select(whole, *how, **more)
        return got.protocol, got.split, got.dataset.ids.tolist()

    both = "PublicTest+PrivateTest"
    assert rows("official", None) == ("official", "PrivateTest", [9, 10])
    assert rows("paper", None) == ("paper", "PublicTest", [7, 8])
    assert rows("official", both) == ("official", both, [7, 8, 9, 10])
    *_, some = rows("official", "Training", limit=3, seed=1)
    assert some == sorted(some) == rows("official", "Training", limit=3, seed=1)[2]
    assert (len(some), set(some) < set(range(1, 7))) == (3, True)
    assert evaluation.select(whole, "official", None).seen.tolist() == [False, True]
    assert evaluation.select(whole.part("PublicTest"), "official", "PublicTest").seen is None
    with pytest.raises(DataError, match="no PublicTest"):
        evaluation.select(whole.part("Training"), "official", "PublicTest")


def test_each_condition_changes_a_drawn_face_as_much_as_when_older_tables_were_made():
    face = draw_face("happy", np.random.default_rng(1))
    noted = {  # mean change in gray levels
        "clean": 0, "tight crop 5 px": 15.22, "face at 80 %": 12.0, "dark x0.4": 98.29, "gamma 2.2": 62.96,
        "rotated 15°": 10.13, "blur sigma 1.5": 4.82, "noise sigma 15": 11.87,
    }  # fmt: skip
    spoilt = {name: change(face, np.random.default_rng(3)) for name, change in CONDITIONS.items()}
    changes = {name: np.abs(other.astype(float) - face).mean() for name, other in spoilt.items()}
    assert changes == pytest.approx(noted, abs=0.2)
    assert all(other.dtype == np.uint8 and other.shape == face.shape for other in spoilt.values())


def test_accuracy_of_each_condition_by_hand():
    """Flat pictures; a label says whether its picture's level is below 128, as the model does."""
    levels = 40 + 5 * np.arange(40)
    rows = rows_of(levels, np.where(levels < 128, 0, 3))

    def predict(faces):
        return np.eye(7, dtype=np.float32)[np.where(faces.mean(axis=(1, 2)) < 128, 0, 3)]

    chosen = Selection(rows, "official", "PrivateTest", np.zeros(40, bool))
    got = robustness(Predictor("m", LABELS, (48, 48), predict), chosen)
    by_name = got["conditions"]
    assert (got["n"], got["seed"], len(by_name)) == (40, 0, 8)
    for name in ("clean", "tight crop 5 px", "face at 80 %", "rotated 15°", "blur sigma 1.5"):
        assert by_name[name]["accuracy"] == 1
    dark = by_name["dark x0.4"]  # every picture is below 128: right are those that were so before
    assert 0 < dark["low"] < dark["accuracy"] == np.mean(levels < 128) < dark["high"] < 1
    bright = (levels < 128) | (255 * (levels / 255) ** 2.2 >= 128)
    assert by_name["gamma 2.2"]["accuracy"] == np.mean(bright)
    assert by_name["clean"]["macro_f1"] == pytest.approx(2 / 7)  # two of seven classes are there
    assert json.loads(json.dumps(got)) == got
    table = {row[0]: row for row in printing.robustness_table(got, "m", "PrivateTest").rows}
    assert table["dark x0.4"][1::2] == ("45.0", "-55.0")  # 18 of 40 levels lie below 128


def test_printed_figures_beside_the_paper_s_for_its_own_data_only(capsys):
    """Class i has 10 + i pictures, of which 5 are named rightly and the rest neutral."""
    cm = np.diag([5] * 7)
    cm[:, 6] += np.arange(5, 12)
    data = {"path": "d", "sha256": "ab", "protocol": "official", "split": "PrivateTest", "n": 91}
    result = {"model": "tuned_$int8", "data": data, **metrics.scores(cm, LABELS)}
    result |= {"accuracy_without_duplicates": 0.4321, "confusion_matrix": cm.tolist()}
    printing.show_evaluation(result)
    text = capsys.readouterr().out
    cells = [line.split() for line in text.splitlines()]
    assert ["happy", "100.0", "38.5", "55.6", "13"] in cells
    assert ["macro", "average", "89.5", "49.2", "55.4", "91"] in cells  # neutral: precision 16 of 61
    assert ["happy", "0", "0", "0", "5", "0", "0", "8", "38.5"] in cells
    # 46 of 91 is 50.55; Wilson: centre 0.5053, half-width 0.1007
    assert "accuracy 50.55 % (46 of 91; 95 % interval 40.5 to 60.6), macro F1" in text
    assert "accuracy without pictures that are also in Training 43.21 %" in text
    assert ["accuracy", "50.5", "69.8", "77", "or", "67"] in cells
    assert next(row for row in cells if row[:2] == ["macro", "precision,"])[-4:] == ["67.9", "72", "or", "67"]
    assert ["recall", "of", "fear", "41.7", "44.6"] in cells  # Table 10: 45 of a row that sums to 101
    # one against the rest: 45 wrong pictures count once as missed and once as false, in 7 x 91 decisions
    assert f"{100 * (1 - 90 / (7 * 91)):.1f}" in text
    assert text.isascii()  # no frames where there is no terminal
    other = {**result, "per_class": {label.upper(): row for label, row in result["per_class"].items()}}
    for shown in (other, {**result, "data": {**result["data"], "protocol": "holdout"}}):
        printing.show_evaluation(shown)
        text = capsys.readouterr().out
        assert ("accuracy 50.55 %" in text, "69.8" in text) == (True, False)
