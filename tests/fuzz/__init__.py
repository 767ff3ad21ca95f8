"""Inputs made to break fer-edge, by kind and by number: `make fuzz`."""
