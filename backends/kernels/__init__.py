"""Kernels: loops over elements and time, shared by the C and the CUDA backend."""
