"""Keras: networks, recipes, augmentation, fit, the reference check."""
