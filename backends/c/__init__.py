"""The C backend: one file of C with kernels, matrix products and threads, compiled on this machine."""
