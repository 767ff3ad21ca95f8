"""FER-2013 in any of its forms, as one Dataset."""

from fer_edge.data.dataset import SPLITS, BadRow, BadRows, Dataset
from fer_edge.data.drawn import drawn_faces
from fer_edge.data.duplicates import seen_in_training
from fer_edge.data.loading import load
from fer_edge.data.protocols import PROTOCOLS, Protocol, protocol_splits

__all__ = [
    "PROTOCOLS",
    "SPLITS",
    "BadRow",
    "BadRows",
    "Dataset",
    "Protocol",
    "drawn_faces",
    "load",
    "protocol_splits",
    "seen_in_training",
]
