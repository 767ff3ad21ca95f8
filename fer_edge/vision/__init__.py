"""Frames, faces, and their analysis."""
