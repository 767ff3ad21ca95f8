"""TFLite's official metadata reader on a file of ours."""

import json

import pytest

support = pytest.importorskip("tflite_support", reason="needs tflite-support, which is not installed")


def test_tflite_support_reads_labels_and_normalisation(tiny):
    shown = support.metadata.MetadataDisplayer.with_model_file(str(tiny))
    (part,) = json.loads(shown.get_metadata_json())["subgraph_metadata"]
    (taken,), (given,) = part["input_tensor_metadata"], part["output_tensor_metadata"]
    assert taken["process_units"][0]["options"] == {"mean": [0.0], "std": [1.0]}
    assert taken["content"]["content_properties"] == {"color_space": "GRAYSCALE"}
    assert given["associated_files"][0]["name"] == "labels.txt"
    assert shown.get_associated_file_buffer("labels.txt").decode().split() == ["happy", "sad", "so-so"]
