"""One module per command; heavy imports are inside the command's function."""
