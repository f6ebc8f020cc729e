"""From a stream graph to a program: regions of kernels over planned storage, before any backend writes a line."""
