"""From a float32 Keras model to .tflite files that are proven to agree with it. Needs TensorFlow."""
