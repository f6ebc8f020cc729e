"""How two cells differ: in interface, parameters, recurrences and equations, with a verdict in one word."""

from __future__ import annotations

from recurrency.comparing.comparison import Comparison, compare

__all__ = ["Comparison", "compare"]
