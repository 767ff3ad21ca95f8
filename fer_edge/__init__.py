"""fer-edge: facial-expression recognition from a training set to a small device."""

__version__ = "0.1.0"
