"""Writes `LSTM`, `GRU` and `RNN` for recurrences that are one of them."""

from __future__ import annotations

from typing import Any

from onnx import TensorProto, helper

from recurrency.equations.polynomials import Block

from .nodes import Nodes
from .recognised import Recognised, Rows, recognised
from .time import before
from .values import Val
from .writer import Tensor


def write_operator(low: Nodes, ids: list[int]) -> bool:
    """Write one recurrence as an operator of ONNX; False if it is none."""
    found = recognised(low.graph, ids)
    if found is not None:
        Written(low, found).write()
    return found is not None


class Written:
    """One recurrence while it is written."""

    def __init__(self, low: Nodes, found: Recognised) -> None:
        self.low, self.found, self.w = low, found, low.w
        self.clock = str(low.graph[found.states[0]].type.clock)

    def write(self) -> None:
        """The operator, its stream of states, and the last cell state."""
        low, found, w = self.low, self.found, self.w
        firsts = [self._first(id) for id in found.firsts]
        lengths = low.sizes.lengths[self.clock]
        inputs = [low.at(low.values[found.x], 2, self.clock).tensor.name, *self._weights()]
        inputs += [w("Cast", lengths, to=TensorProto.INT32).name, *(first.unsqueezed(0).name for first in firsts)]
        if "P" in found.weights:
            inputs.append(self._rows("P", 3).unsqueezed(0).name)
        outputs = [w.names.new(f"{found.operator.kind.lower()}_{what}") for what in ("y", "h", "c")[: 1 + len(firsts)]]
        title = w.names.new(found.operator.kind.lower())
        options: dict[str, Any] = {"hidden_size": found.hidden, **dict(found.operator.attributes)}
        w.main.append(helper.make_node(found.operator.kind, inputs, outputs, name=title, **options))
        h = low.graph[found.states[0]]
        low.values[found.states[0]] = Val(w("Squeeze", outputs[0], w.whole(1)), 2, h.type)
        for id in found.finals:
            last = w("Squeeze", outputs[2], w.whole(0))
            none = lengths.apply("Equal", w.whole(0)).unsqueezed(1)
            low.values[id] = Val(none.where(firsts[1], last), 1, low.graph[id].type)

    def _first(self, id: int) -> Tensor:
        """The first value of a state, [B, H]."""
        low, node = self.low, self.low.graph[id]
        return low.at(before(low, node, tuple(low.values[a] for a in node.args[1:]), 0), 1).tensor

    def _weights(self) -> list[str]:
        """W, R and B; no name for absent biases."""
        gates = self.found.operator.gates
        found = [self._rows(name, gates).unsqueezed(0).name for name in ("W", "R")]
        biases = [self._rows(name, gates) for name in ("W_bias", "R_bias")]
        return [*found, self.w.joined(biases, 0).unsqueezed(0).name]

    def _rows(self, name: str, parts: int) -> Tensor:
        """A weight of so many parts; rows that the cell has not are zero."""
        hidden = self.found.hidden
        rows = {row.start: row for row in self.found.weights.get(name, ())}
        pieces, start = [], 0
        while start < parts * hidden:
            row = rows.get(start)
            stop = row.stop if row else min([r for r in rows if r > start], default=parts * hidden)
            pieces.append(self._sum(row, name, stop - start) if row else self._zeros(stop - start))
            start = stop
        return self.w.joined(pieces, 0)

    def _zeros(self, rows: int) -> Tensor:
        return self.w.number(0.0, 1).apply("Expand", self.w.whole(rows))

    def _sum(self, row: Rows, name: str, rows: int) -> Tensor:
        if not row.pieces:
            return self._zeros(rows)
        parts = [self._block(block) * factor if factor != 1.0 else self._block(block) for factor, block in row.pieces]
        total = parts[0]
        for part in parts[1:]:
            total = total + part
        return total

    def _block(self, block: Block) -> Tensor:
        """A block of a static value."""
        low = self.low
        val = low.full(low.values[int(block.name)])
        tensor = val.tensor
        for axis, (start, stop) in enumerate(block.ranges):
            if (start, stop) != (0, val.shape[axis]):
                tensor = tensor.rows(start, stop, axis)
        return tensor.permuted([1, 0]) if block.transposed else tensor
