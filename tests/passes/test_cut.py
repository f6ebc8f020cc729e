"""Minimum cuts, against networkx."""

import networkx as nx
import numpy as np
import pytest

from recurrency.graph.components import components_in_order, strong
from recurrency.passes.cut import UNBOUNDED, beyond_cut


@pytest.mark.parametrize("seed", range(40))
def test_the_cut_is_the_one_next_to_the_sink(seed: int) -> None:
    draw = np.random.default_rng(seed)
    most = int(draw.integers(2, 14))
    flow: nx.DiGraph[object] = nx.DiGraph()
    flow.add_nodes_from(("from", "to"))
    for tail, head in draw.integers(most, size=(4 * most, 2)).tolist():
        if draw.random() < 0.3:
            flow.add_edge(tail, head)
        else:
            flow.add_edge(tail, head, capacity=int(draw.integers(1, 5)))
    for vertex in range(0, most, 2):
        flow.add_edge("from", vertex, capacity=int(draw.integers(1, 9)))
        flow.add_edge(most - 1 - vertex, "to", capacity=int(draw.integers(1, 9)))
    edges = [(tail, head, about.get("capacity", UNBOUNDED)) for tail, head, about in flow.edges(data=True)]
    _, (_, beyond) = nx.minimum_cut(flow, "from", "to")
    assert beyond_cut(edges, "from", "to") == beyond


@pytest.mark.parametrize("seed", range(20))
def test_components_come_after_what_they_read_and_else_in_order(seed: int) -> None:
    draw = np.random.default_rng(seed)
    most = int(draw.integers(1, 20))
    graph = nx.DiGraph(draw.integers(most, size=(most, 2)).tolist())
    graph.add_nodes_from(range(most))
    place = {id: int(at) for id, at in enumerate(draw.permutation(most))}
    reads = {id: list(graph.predecessors(id)) for id in range(most)}
    whole = nx.condensation(graph)
    members = [sorted(whole.nodes[k]["members"], key=place.__getitem__) for k in range(len(whole))]
    wanted = nx.lexicographical_topological_sort(whole, key=lambda k: place[members[k][0]])
    assert list(components_in_order(strong(reads), reads, place)) == [members[k] for k in wanted]
