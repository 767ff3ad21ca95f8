"""A training with a head for FER+'s votes leaves two networks."""

import json

import numpy as np
import pytest

pytest.importorskip("keras", reason="the train extra is not installed")

from fer_edge.data import ferplus, load
from fer_edge.training import session
from fer_edge.training.recipes import Recipe


def test_both_heads_are_written_with_their_labels(tmp_path):
    data = load("drawn:210", progress=False)
    order = [ferplus.LABELS.index(name) for name in data.label_names]
    votes = np.zeros((len(data), 10), int)
    votes[np.arange(len(data)), [order[label] for label in data.labels]] = 10
    lines = ["Usage,Image name," + ",".join(ferplus.COLUMNS)]
    lines += [f"Training,{i}," + ",".join(map(str, row)) for i, row in enumerate(votes)]
    table = tmp_path / "votes.csv"
    table.write_text("\n".join(lines) + "\n")
    recipe = Recipe(
        "twice", network="nano", epochs=1, batch_size=16, dropout=0.0, votes_weight=1.0,
        reference_agreement=0.5, reference_loss_difference=1.0,
    )  # fmt: skip
    session.run(recipe, "drawn:210", tmp_path / "run", 0, votes=table)
    first = json.loads((tmp_path / "run/card.json").read_text())
    second = json.loads((tmp_path / "run/ferplus/card.json").read_text())
    assert first["labels"] == list(data.label_names)
    assert second["labels"] == list(ferplus.LABELS)
    assert (second["name"], second["output"]["shape"]) == ("twice_ferplus", [1, 8])
    assert second["measured"]["report"]["data"]["n"] == first["measured"]["report"]["data"]["n"]
    assert (tmp_path / "run/ferplus/model.keras").stat().st_size > 100_000
