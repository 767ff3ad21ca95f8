"""A `.tflite` file: its bytes, card, labels and interpreter, and the classifier."""
