"""The PyTorch backend: a program of torch calls, and an nn.Module around it or around C kernels."""
