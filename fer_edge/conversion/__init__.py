"""TensorFlow: formats, calibration, verification."""
