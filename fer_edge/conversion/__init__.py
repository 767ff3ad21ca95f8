"""Converts a float32 Keras model to .tflite files that provably agree with it. Needs TensorFlow."""
