"""Nodes of a complete graph that are read in place of others."""

from __future__ import annotations

from recurrency.graph.graph import Graph


class Replacing:
    """Collects in `instead`, by number, what is to be read in place of nodes; `finish` changes the graph."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.old = list(graph)
        self.instead: dict[int, int] = {}

    def finish(self) -> None:
        """Let all older nodes and the roots read the new values."""
        for id in self.old:
            node = self.graph[id]
            args = tuple(self.instead.get(arg, arg) for arg in node.args)
            if args != node.args:
                self.graph.put(id, node.reading(args))
        roots = self.graph.roots
        self.graph.roots = {name: self.instead.get(id, id) for name, id in roots.items()}
        self.graph.span = None
