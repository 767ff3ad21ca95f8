"""A `.tflite` file: its bytes, card, labels, interpreter, and what classifies with it."""
