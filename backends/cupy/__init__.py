"""The CuPy backend: CUDA kernels, and a module that launches them."""
