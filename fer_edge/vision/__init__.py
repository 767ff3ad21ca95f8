"""Frames, faces and what is seen in them."""
