"""How two cells differ: in their interfaces, parameters, recurrences and equations, and what that is in a word."""

from __future__ import annotations

from recurrency.comparing.comparison import Comparison, compare

__all__ = ["Comparison", "compare"]
