"""A stream graph as nodes of ONNX: time-parallel, with a `Scan` for each recurrence."""

from __future__ import annotations

from typing import Any

from recurrency.errors import UsageError
from recurrency.graph.components import is_cycle, strong
from recurrency.graph.graph import Graph
from recurrency.graph.op import Trait
from recurrency.passes.stepwise import place_text

from .nodes import Nodes
from .operators import write_operator
from .scan import write_loop
from .table import REFUSED
from .writer import Tensor


class Lowering(Nodes):
    """Writes the nodes that the roots of a graph need; see `Nodes` for the arguments.

    With `operators`, recurrences become operators of ONNX where they equal one.

    Raises:
        UsageError: an operation has no ONNX, or draws random numbers out of training.
    """

    def __init__(self, graph: Graph, *arguments: Any, operators: bool = False, **more: Any) -> None:
        _require_written(graph)
        super().__init__(graph, *arguments, **more)
        self.operators = operators
        self._write()

    def root(self, name: str) -> Tensor:
        """The tensor of a root, with all axes of its type."""
        return self.stored(self.values[self.graph.roots[name]]).tensor

    def _write(self) -> None:
        order = self.graph.order()
        place = {id: k for k, id in enumerate(order)}
        if self.sizes.single:
            for id in order:
                self.write(id)
            return
        reads = {id: list(self.graph[id].args) for id in order}
        for component in strong(reads):
            ids = sorted(component, key=place.__getitem__)
            if is_cycle(ids, reads):
                if not (self.operators and write_operator(self, ids)):
                    write_loop(self, ids)
            elif ids[0] not in self.values:  # else an operator has given it
                self.write(ids[0])


def _require_written(graph: Graph) -> None:
    """Refuse what can't be written.

    Raises:
        UsageError: an operation has no ONNX, or draws random numbers out of training.
    """
    for id in graph.order():
        node = graph[id]
        if reason := REFUSED.get(node.op.name):
            raise UsageError(f"the backend onnx has no {node.op.name}: {reason}")
        if Trait.DRAWS in node.op.traits and node.attrs.get("always"):
            why = "draws random numbers out of training: ONNX graphs are deterministic"
            raise UsageError(f"{place_text(node, why)}; take the probabilities as an output, and draw outside")
