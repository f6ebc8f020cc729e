"""Streams that are held: where a mask m is 0 they keep their value, where it is 1 they take the new one.

With the new value s[t] of a stream, its register is k[t] = m[t] s[t] + (1 - m[t]) k[t-1]; before the first step it is
what the stream is there. A delay of one step reads the register of the step before. Longer delays count the steps at
which m is 1: a second register takes what the first one held, and so on.
"""

from __future__ import annotations

from recurrency.graph.graph import Graph
from recurrency.graph.op import Trait
from recurrency.graph.replacing import Replacing
from recurrency.graph.types import Type
from recurrency.graph.value import Value


def mixed(graph: Graph, mask: Value, new: Value, old: Value) -> Value:
    """`new` where the mask is 1, `old` where it is 0, and a mixture between; of symbols, `new` where it is not 0.

    A comparison has no gradient and chooses, so that what is not chosen need not be finite.
    """
    chooses = Trait.MASK in graph[mask.id].op.traits or new.type.index is not None
    mask = mask.like(new)
    if chooses:
        return mask.where(new, old)
    return mask * new + (1.0 - mask) * old


class Holds(Replacing):
    """Gives registers to the streams of a graph as elaboration makes them. `finish` puts them in their places."""

    def hold(self, new: Value, mask: Value, firsts: list[Value]) -> tuple[list[Value], list[Value]]:
        """The registers of a stream and their values at the step before; `firsts` are those before the first step."""
        type_ = Type(new.type.kind, new.type.shape, new.type.clock, new.type.index)
        before = [self.graph.delayed(type_, 1, [first]) for first in firsts]
        taken = [new, *before[:-1]]
        registers = [mixed(self.graph, mask, one, old) for one, old in zip(taken, before, strict=True)]
        for delayed, register in zip(before, registers, strict=True):
            self.graph.bind(delayed.id, register.id)
        return registers, before
