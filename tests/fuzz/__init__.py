"""Inputs made to break fer-edge, by kind and by number: `python tests/fuzz --help`."""
