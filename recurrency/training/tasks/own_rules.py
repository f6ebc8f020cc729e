"""The rules for the values of a user's file that follow from the equations of a spec."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from recurrency.graph.graph import Graph
from recurrency.graph.op import Trait
from recurrency.graph.roots import OUTPUT
from recurrency.language import syntax
from recurrency.training.data.rules import Rules


def rules_of(spec: Any, missing: str, masks: Mapping[str, str], elapsed: Mapping[str, str]) -> Rules:
    """Rules with the inputs that only the loss of a spec reads, as one value for each sequence or at each step."""
    graph: Graph = spec.units().graph
    targets = _targets(graph)
    whole = frozenset(name for name in targets if _whole(graph, name))
    return Rules(missing, masks, elapsed, targets, whole, shared_symbols(spec.cell))


def _targets(graph: Graph) -> frozenset[str]:
    """The inputs that no output reads."""
    read = graph.needed(OUTPUT.within(graph.roots).values())
    return frozenset(name for name, id in graph.sources("input").items() if id not in read)


def _whole(graph: Graph, name: str) -> bool:
    """Whether an input is read at one step only, as in `last(label)`."""
    source = graph.sources("input")[name]
    users = [node for node in map(graph.__getitem__, graph) if source in node.args]
    return bool(users) and all(Trait.PICKS in node.op.traits for node in users)


def shared_symbols(cell: syntax.Cell) -> dict[str, str]:
    """The dimension of each input of symbols: inputs with the same one have the symbols of one vocabulary."""
    types = {port.name: port.type for port in cell.inputs}
    return {
        name: type.size.name
        for name, type in types.items()
        if isinstance(type, syntax.IndexType) and isinstance(type.size, syntax.Name)
    }
