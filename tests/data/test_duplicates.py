from __future__ import annotations

import numpy as np
from known_rows import pixels, plain_rows

from fer_edge import data


def test_duplicates_are_counted_by_picture_and_label(table):
    rows = plain_rows()
    rows += [
        f"0,{pixels(1)},Training",  # row 1 again
        f"5,{pixels(1)},Training",  # and under another label
        f"1,{pixels(2)},PublicTest",  # row 2 of Training, same label
        f"6,{pixels(3)},PublicTest",  # row 3 of Training, which is fear
        f"5,{pixels(1)},PrivateTest",  # known in Training under angry and surprise
        f"0,{pixels(15)},PrivateTest",  # row 15 of PublicTest
    ]
    dataset = data.load(str(table(rows)))
    seen = data.seen_in_training(dataset.part("PublicTest"), dataset.part("Training"))
    assert np.flatnonzero(seen).tolist() == [7, 8]
    found = data.summarise(dataset)["duplicates"]
    assert found["different"] == 28
    assert found["within"]["Training"] == {"rows": 16, "different": 14, "several_labels": 1}
    assert found["within"]["PublicTest"] == {"rows": 9, "different": 9, "several_labels": 0}
    assert found["across"] == [
        {"split": "PublicTest", "of": "Training", "rows": 2, "other_label": 1},
        {"split": "PrivateTest", "of": "Training", "rows": 1, "other_label": 0},
        {"split": "PrivateTest", "of": "PublicTest", "rows": 1, "other_label": 0},
    ]


def test_one_gray_level_makes_another_picture(table):
    dataset = data.load(str(table(plain_rows(7))))
    other = dataset.images.copy()
    other[3, 47, 47] ^= 1
    seen = data.seen_in_training(
        dataset, data.Dataset(other, dataset.labels, dataset.split, dataset.ids, "", "")
    )
    assert seen.tolist() == [True, True, True, False, True, True, True]
