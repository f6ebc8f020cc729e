"""The interpreter against formulas written out by hand, and its promises about lengths, first values and chance."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from recurrency.graph.draws import draw, philox
from recurrency.graph.interpreter import evaluate
from recurrency.graph.types import Kind, Type
from tests.support import graphs

Array = np.ndarray[Any, Any]


def sigmoid(x: Array) -> Array:
    return np.asarray(1 / (1 + np.exp(-x)))


def run(graph: Any, given: Any = None, **options: Any) -> tuple[dict[str, Array], dict[str, Array]]:
    given = graphs.arrays(graph) if given is None else given
    return given, evaluate(graph, given, graphs.lengths(graph), **options)


def test_an_elman_cell_is_what_its_equations_say() -> None:
    given, found = run(graphs.elman())
    for b, length in enumerate(graphs.LENGTHS["t"]):
        h = given["h"][b]
        for t in range(length):
            h = np.tanh(given["W"] @ given["x"][t, b] + given["U"] @ h + given["b"])
            np.testing.assert_allclose(found["output:h"][t, b], h, rtol=1e-14)
            np.testing.assert_allclose(found["output:y"][t, b], given["V"] @ h, rtol=1e-14)
        np.testing.assert_allclose(found["final:h"][b], h, rtol=1e-14)


def test_an_lstm_is_what_its_equations_say() -> None:
    g, found = run(graphs.lstm())
    for b, length in enumerate(graphs.LENGTHS["t"]):
        h, c = g["h"][b], g["c"][b]
        for t in range(length):
            i, f, o, u = (g[f"W{n}"] @ g["x"][t, b] + g[f"U{n}"] @ h + g[f"b{n}"] for n in "ifog")
            new = sigmoid(f + g["pf"] * c) * c + sigmoid(i + g["pi"] * c) * np.tanh(u)
            h, c = sigmoid(o + g["po"] * new) * np.tanh(new), new
            np.testing.assert_allclose(found["output:h"][t, b], h, rtol=1e-13)
        np.testing.assert_allclose(found["final:c"][b], c, rtol=1e-13)


def test_attention_looks_at_the_sequence_alone_and_not_at_padding() -> None:
    g, found = run(graphs.attention())
    for b, (steps, length) in enumerate(zip([2, 5, 3], graphs.LENGTHS["t"], strict=True)):
        memory, h = np.tanh(g["s"][:steps, b] @ g["M"].T), g["h"][b]
        for t in range(length):
            e = np.exp(memory @ h)
            np.testing.assert_allclose(found["output:a"][t, b, :steps], e / e.sum(), rtol=1e-13)
            h = np.tanh(e / e.sum() @ memory + g["W"] @ g["x"][t, b])
            np.testing.assert_allclose(found["output:h"][t, b], h, rtol=1e-13)
        np.testing.assert_allclose(found["output:memory"][:steps, b], 2 * memory, rtol=1e-13)


def alone(array: Array, kind: Kind, b: int) -> Array:
    """What one sequence sees of an array."""
    if kind is Kind.STATIC:
        return array
    return array[:, b : b + 1] if kind is Kind.STREAM else array[b : b + 1]


@pytest.mark.parametrize("name", graphs.GRAPHS)
def test_each_sequence_is_computed_as_if_it_were_alone(name: str) -> None:
    graph = graphs.GRAPHS[name]()
    given, together = run(graph)
    sources = {
        source: graph[id].type.kind for op in ("input", "param", "start") for source, id in graph.sources(op).items()
    }
    steps = {clock: max(counts) for clock, counts in graphs.lengths(graph).items()}
    for b in range(3):
        piece = {source: alone(array, sources[source], b) for source, array in given.items()}
        lengths = {clock: [counts[b]] for clock, counts in graphs.lengths(graph).items()}
        for root, value in evaluate(graph, piece, lengths, steps).items():
            np.testing.assert_array_equal(value, alone(together[root], graph[graph.roots[root]].type.kind, b))


def test_results_are_zero_beyond_the_end_of_a_sequence() -> None:
    _, found = run(graphs.lstm())
    for b, length in enumerate(graphs.LENGTHS["t"]):
        assert not found["output:h"][length:, b].any()
        assert found["output:h"][:length, b].all()


def test_symbols_beyond_the_end_are_no_symbols() -> None:
    graph = graphs.embedding()
    graph.roots = {"w": graph.sources("input")["w"]}
    given, found = run(graph)
    assert found["w"].dtype == np.int64
    assert (found["w"][1:, 1] == -1).all()
    assert (found["w"][:4, 0] == given["w"][:4, 0]).all()


def test_a_first_value_is_the_callers_else_the_declared_one() -> None:
    graph = graphs.elman()
    given = graphs.arrays(graph, starts=False)
    declared = evaluate(graph, given, graphs.LENGTHS)
    same = evaluate(graph, {**given, "h": np.tile(given["h0"], (3, 1))}, graphs.LENGTHS)
    other = evaluate(graph, {**given, "h": np.zeros((3, 3))}, graphs.LENGTHS)
    np.testing.assert_array_equal(declared["output:h"], same["output:h"])
    assert abs(declared["output:h"] - other["output:h"]).max() > 0.01


def test_the_last_state_of_a_short_sequence_is_a_first_value() -> None:
    graph = graphs.delay_line()
    given = graphs.arrays(graph)
    found = evaluate(graph, given, {"t": [0, 1, 3]}, {"t": 4})
    np.testing.assert_array_equal(found["final:h"][0], given["h"][0])
    np.testing.assert_array_equal(found["final:h2"][0], given["h2"][0])
    np.testing.assert_array_equal(found["final:h1"][1], given["h"][1])
    np.testing.assert_array_equal(found["final:h2"][2], found["output:h"][0, 2])


def test_a_stream_cut_into_chunks_gives_the_same_states_and_the_same_chance() -> None:
    graph = graphs.dropout()
    given = graphs.arrays(graph)
    whole = evaluate(graph, given, {"t": [4, 4, 4]}, training=True, seed=7)
    early = evaluate(graph, {**given, "x": given["x"][:3]}, training=True, seed=7)
    late = {**given, "x": given["x"][3:], "h": early["final:h"]}
    found = evaluate(graph, late, training=True, seed=7, step_offset={"t": 3})
    np.testing.assert_array_equal(found["output:h"][0], whole["output:h"][3])
    assert abs(evaluate(graph, late, training=True, seed=7)["output:h"][0] - whole["output:h"][3]).max() > 0.01


def test_long_sequences_need_no_deep_stack() -> None:
    graph = graphs.delay_line()
    given = {**graphs.arrays(graph), "x": np.zeros((3000, 1, 2))}
    given = {name: array[:1] if name.startswith("h") else array for name, array in given.items()}
    assert evaluate(graph, given, {"t": [3000]}, roots=["final:h"])["final:h"].shape == (1, 3)


def test_a_missing_input_is_named() -> None:
    with pytest.raises(KeyError, match="W"):
        run(graphs.elman(), {"x": np.zeros((4, 3, 2))})


def test_philox_gives_the_published_numbers() -> None:
    """The known answers that come with Random123 for philox4x32-10."""
    cases = [
        ((0, 0, 0, 0), 0, (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
        ((0xFFFFFFFF,) * 4, 2**64 - 1, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
        (
            (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
            0x299F31D0A4093822,
            (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
        ),
    ]
    for counter, seed, expected in cases:
        a, b, c, d = (np.array([word], np.uint64) for word in counter)
        assert tuple(int(word[0]) for word in philox((a, b, c, d), seed)) == expected


def test_draws_do_not_depend_on_how_they_are_grouped() -> None:
    together = draw(3, 1, np.arange(4)[:, None], np.arange(5), 6, "normal", 1.0)
    assert together.shape == (4, 5, 6)
    np.testing.assert_array_equal(together[2, 3], draw(3, 1, 2, 3, 6, "normal", 1.0))


@pytest.mark.parametrize(
    ("law", "mean", "deviation"),
    [("keep", 1.0, (0.3 / 0.7) ** 0.5), ("bernoulli", 0.3, 0.21**0.5), ("normal", 0.0, 0.3)],
)
def test_draws_have_the_mean_and_deviation_of_their_law(law: str, mean: float, deviation: float) -> None:
    numbers = draw(0, 0, np.arange(100), 0, 1000, law, 0.3)
    assert abs(numbers.mean() - mean) < 0.01
    assert abs(numbers.std() - deviation) < 0.01
    assert draw(0, 0, 0, 0, 9, "keep", 1.0).tolist() == [0.0] * 9


def test_out_of_training_chance_is_at_rest() -> None:
    graph = graphs.dropout()
    given, found = run(graph)
    h = np.tanh(given["W"] @ given["x"][0, 0] + given["U"] @ given["h"][0])
    np.testing.assert_allclose(found["output:h"][0, 0], h)


def test_a_state_named_like_an_input_is_given_apart() -> None:
    b = graphs.Builder()
    x = b.input("x", 2)
    attrs = {"name": "x", "type": Type(Kind.SEQUENCE, (2,))}
    b.root("old", x.shift(1, b.graph.add("start", attrs=attrs)))
    given = {"x": np.ones((2, 1, 2))}
    assert evaluate(b.graph, given)["old"][:, 0, 0].tolist() == [0.0, 1.0]
    assert evaluate(b.graph, {**given, "start:x": np.full((1, 2), 5.0)})["old"][:, 0, 0].tolist() == [5.0, 1.0]


def test_of_a_given_array_whose_axis_counts_steps_each_sequence_reads_its_own() -> None:
    b = graphs.Builder()
    weights = b.source("input", "tape:w", Type(Kind.SEQUENCE, ("s",)))
    b.root("total", weights.reduce("sum"))
    given = {"tape:w": np.array([[1.0, 2.0, 4.0], [1.0, 2.0, np.nan], [np.nan] * 3])}
    assert evaluate(b.graph, given, {"s": [3, 2, 0]})["total"].tolist() == [7.0, 3.0, 0.0]
