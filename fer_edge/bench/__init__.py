"""The benchmark: comparable measurements of each model's speed, size and accuracy."""
