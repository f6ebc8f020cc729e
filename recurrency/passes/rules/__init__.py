"""Rewriting rules. The docstring of each is the equation that it applies."""
