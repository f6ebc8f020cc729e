"""Rewriting rules, each with the equation that it uses as its docstring."""
