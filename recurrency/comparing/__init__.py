"""Compares two cells: interface, parameters, recurrences and equations, with a summary in a few words."""

from __future__ import annotations

from recurrency.comparing.comparison import Comparison, compare

__all__ = ["Comparison", "compare"]
