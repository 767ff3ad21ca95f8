"""Frames, faces, and their analysis."""

DETECTORS = ("auto", "haar", "yunet", "blazeface")
"""Names for `faces.make_detector`; here, where the command line finds them without loading OpenCV."""
