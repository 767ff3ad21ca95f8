"""FER-2013 in any of its forms, as one Dataset."""

from fer_edge.data.dataset import (
    PROTOCOLS,
    SPLITS,
    BadRow,
    BadRows,
    Dataset,
    Protocol,
    protocol_splits,
    seen_in_training,
    summarise,
)
from fer_edge.data.drawn import drawn_faces
from fer_edge.data.loading import load

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
    "summarise",
]
