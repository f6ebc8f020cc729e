"""Compiles, checks, caches and calls generated C."""
