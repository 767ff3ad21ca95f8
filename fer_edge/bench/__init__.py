"""The benchmark: how fast, how large and how right each model is, measured so that it can be compared."""
