"""What a model becomes for another runtime: C source, an NPU's commands, ONNX, a page for the browser."""
