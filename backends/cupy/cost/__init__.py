"""A model of the time that CUDA kernels take, from their machine code: it needs no GPU, and is no measurement."""
