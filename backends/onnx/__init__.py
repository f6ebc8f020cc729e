"""The ONNX backend: programs as ONNX graphs, time-parallel or with `Scan`, and onnxruntime to run them."""
