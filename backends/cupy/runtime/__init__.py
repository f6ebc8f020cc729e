"""The fixed part of a generated CuPy module, copied into it as text."""
