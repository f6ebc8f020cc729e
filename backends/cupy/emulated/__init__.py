"""A stand-in for CuPy and a GPU: CUDA kernels are compiled as C++ and run on the CPU."""
