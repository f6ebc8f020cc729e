"""The table of operations: the modules of this package hold its rows."""

from recurrency.graph.op import OPS
from recurrency.graph.ops import elementwise, sources, structure, time

__all__ = ["OPS", "elementwise", "sources", "structure", "time"]
