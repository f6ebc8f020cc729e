"""Programs as Python source: what the NumPy and PyTorch backends share."""
