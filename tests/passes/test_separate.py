"""What runs over other clocks is separated from the rest, which reads it as inputs."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

import recurrency as rc
from recurrency.backend import Call, Runner
from recurrency.graph.graph import Graph
from recurrency.graph.roots import FINAL, OUTPUT, READ
from recurrency.graph.types import Kind
from recurrency.passes.separate import separate

CELLS = ("Translate", "EncoderDecoder", "LuongAttention", "BahdanauAttention", "AttentionTranslator")


def over_the_source(graph: Graph) -> Counter[str]:
    """The operations of the streams over the clock s."""
    return Counter(
        graph[id].op.name for id in graph if graph[id].type.kind is Kind.STREAM and graph[id].type.clock == "s"
    )


@pytest.mark.parametrize("name", CELLS)
def test_a_decoder_that_reads_what_its_encoder_computed_gives_the_same(name: str) -> None:
    model = rc.library.spec(name).compile(backend="numpy", dtype="float64", V=5, K=4, H=4, N=2)
    programs, params = model.programs, 2 * model.init(seed=1)
    whole = programs.graph("forward", ()).select([OUTPUT.of("logits"), *_finals(programs.graph("forward", ()))])
    first, second = separate(whole, "t")
    assert set(over_the_source(second)) <= {"input"}
    assert all(READ.has(root) for root in first.roots)
    assert first.roots
    rng = np.random.default_rng(0)
    inputs = {"src": rng.integers(0, 5, (6, 3)), "tgt": rng.integers(0, 4, (4, 3))}
    call = model.gather(params, inputs, lengths={"s": [6, 2, 4], "t": [4, 4, 4]})

    def run(graph: Graph, call: Call) -> dict[str, np.ndarray]:
        runner: Runner = programs.backend.build(graph, programs.layout, "float64")
        return runner(call)

    wanted, found = run(whole, call), run(second, call.plus(run(first, call)))
    for root, array in wanted.items():
        np.testing.assert_allclose(found[root], array, rtol=1e-12, atol=1e-14, err_msg=root)


def _finals(graph: Graph) -> list[str]:
    """The states of the decoder."""
    return [
        root for root in graph.roots if FINAL.has(root) and not root.startswith(("final:enc", "final:fwd", "final:bwd"))
    ]


def test_a_graph_over_one_clock_stays_whole() -> None:
    graph = rc.library.spec("GRU").compile(N=2, H=3).programs.graph("forward", ())
    first, second = separate(graph, "t")
    assert not first.roots
    assert len(second) == len(graph)
