"""Leaves out nodes that nobody reads: what a loop would have read, where an operator has taken its place."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from onnx import NodeProto


def without_unread(nodes: Sequence[NodeProto], wanted: Iterable[str]) -> list[NodeProto]:
    """The nodes, in their order, that the values `wanted` depend on."""
    needed, kept = set(wanted), list[NodeProto]()
    for node in reversed(nodes):
        if needed.intersection(node.output):
            kept.append(node)
            needed.update(_reads(node))
    return kept[::-1]


def _reads(node: NodeProto) -> Iterator[str]:
    """The names that a node reads, in its branches and bodies too."""
    yield from node.input
    for attribute in node.attribute:
        for graph in (attribute.g, *attribute.graphs):
            yield from (output.name for output in graph.output)
            for inner in graph.node:
                yield from _reads(inner)
