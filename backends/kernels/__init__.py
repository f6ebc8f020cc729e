"""Kernels: loops over elements and time, written for the C and the CUDA backend alike."""
