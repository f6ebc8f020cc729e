"""Programs as Python source: what the NumPy and the PyTorch backend share."""
