"""A stand-in for CuPy and a device: CUDA kernels compiled as C++ and run on the processor."""
