"""The part of a generated CuPy module that is the same for every cell; it is read as text."""
