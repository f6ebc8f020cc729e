"""Programs: the order of kernels, where values lie, which memory is shared, and what a run costs."""

from __future__ import annotations

import pytest

from recurrency.graph.graph import Graph
from recurrency.graph.types import Kind, Type
from recurrency.passes import optimised
from recurrency.passes.derivatives import backward
from recurrency.passes.lengths import lengths
from recurrency.passes.rewriting import number
from recurrency.program.layout import layout
from recurrency.program.program import Place, Program
from recurrency.program.schedule import PIECES, schedule
from tests.backends.numpy.test_backend import differentiated
from tests.support import graphs


def programs() -> list[Program]:
    """A program of every graph, with gradients."""
    return [schedule(lengths(optimised(differentiated(name)))) for name in graphs.GRAPHS]


def ops(program: Program, kind: str) -> list[list[str]]:
    """The names of the operations of each region of a kind."""
    return [[program.graph[id].op.name for id in r.ids] for r in program.regions if r.kind == kind]


def test_every_value_is_computed_once_and_after_what_it_reads() -> None:
    for program in programs():
        done: set[int] = set()
        for region in program.regions:
            inside = set(region.ids)
            for id in region.ids:
                node = program.graph[id]
                now = node.args[1:] if region.scans and node.delay and node.args[0] in inside else node.args
                assert id not in done
                assert all(a in done or a not in program.places or number(program.graph, a) is not None for a in now)
                done.add(id)
        assert done == {id for id in program.places if id in program.graph}


def test_only_what_depends_on_the_last_step_is_in_the_loop() -> None:
    program = schedule(optimised(graphs.lstm()))
    (loop,) = ops(program, "scan forwards")
    assert loop.count("product") == 1
    assert ops(program, "over time")[0].count("product") == 1


def test_the_gates_of_a_differentiated_lstm_make_one_product_in_each_loop_and_one_for_all_weights() -> None:
    graph = optimised(backward(optimised(graphs.lstm()), wrt=("params",)))
    program = schedule(graph, layout(graph))
    loops = ops(program, "scan forwards") + ops(program, "scan backwards")
    assert [loop.count("product") for loop in loops] == [1, 1]
    summed = [program.graph[inner].op.name for inner in program.sums.values()]
    assert summed.count("product") == 2, "one for the weights of the input, one for those of the state"


def test_a_delayed_stream_is_the_stream_one_row_before() -> None:
    graph = graphs.delay_line()
    program = schedule(graph)
    (shift,) = (id for id in graph if graph[id].delay)
    stream, late = program.places[graph[shift].args[0]], program.places[shift]
    assert late == Place(stream.buffer, stream.kind, stream.views, 3)
    assert program.buffers[stream.buffer].front == 3


def test_two_delayed_uses_with_different_first_values_do_not_share_rows() -> None:
    b = graphs.Builder()
    x = b.input("x", 2) * 2.0
    one, two = (x.shift(1, b.start(name, 2)) for name in "ab")
    b.root("output:y", one + two)
    program = schedule(b.graph)
    assert program.places[one.id].buffer != program.places[two.id].buffer
    assert len(program.copies) == 1


def test_parts_of_a_concatenation_are_computed_where_they_belong() -> None:
    b = graphs.Builder()
    x = b.input("x", 2)
    parts = [x.apply("tanh"), x.apply("exp")]
    b.root("output:y", b.graph.add("concat", [p.id for p in parts]))
    for without, shared in ((frozenset[str](), 1), (frozenset({"in-place concat"}), 3)):
        program = schedule(b.graph, without=without)
        places = [program.places[v] for v in (parts[0].id, parts[1].id, b.graph.roots["output:y"])]
        assert len({place.buffer for place in places}) == shared


def test_parameters_that_are_put_together_are_neighbours() -> None:
    graph = optimised(graphs.lstm())
    places = layout(graph)
    assert sorted(places.entries) == sorted(graph.sources("param"))
    ends = 0
    for _, (offset, shape) in sorted(places.entries.items(), key=lambda item: item[1][0]):
        assert offset == ends
        ends += shape[0] * (shape[1] if len(shape) > 1 else 1)
    assert ends == places.size
    program = schedule(graph, places)
    packed = [id for id in program.places if graph[id].op.name == "concat" and graph[id].type.kind is Kind.STATIC]
    assert packed
    assert all(program.buffers[program.places[id].buffer].home == "params" for id in packed)


def test_gradients_are_computed_in_their_place_in_the_flat_vector() -> None:
    graph = optimised(differentiated("gru"))
    program = schedule(graph, layout(graph))
    homes = [program.buffers[program.places[id].buffer].home for name, id in graph.roots.items() if "gradient" in name]
    assert set(homes) == {"gradient"}


def test_without_reuse_more_memory_is_needed() -> None:
    graph = lengths(optimised(differentiated("lstm")))
    peaks = [schedule(graph, without=without).peak(50, 8) for without in (frozenset[str](), frozenset({"reuse"}))]
    assert peaks[0] < 0.8 * peaks[1]


def test_costs_grow_with_steps_and_sequences() -> None:
    program = schedule(graphs.elman())
    assert program.flops(20, 6) == 4 * program.flops(10, 3)
    assert 2 * 10 * 3 * (3 * 2 + 3 * 3 + 2 * 3) < program.flops(10, 3) < 4000
    assert program.bytes(20, 6) > 3 * program.bytes(10, 3) > 0
    assert program.peak({"t": 10}, 3) == program.peak(10, 3) > 0


def test_texts_say_the_same_each_time() -> None:
    for name in graphs.GRAPHS:
        assert schedule(graphs.GRAPHS[name]()).text() == schedule(graphs.GRAPHS[name]()).text()
    text = schedule(graphs.elman()).text()
    assert "scan forwards t\n" in text
    assert "h = tanh(%11)" in text
    assert "front 1" in text


@pytest.mark.parametrize("piece", sorted(PIECES))
def test_a_piece_that_is_left_out_leaves_a_whole_program(piece: str) -> None:
    for name in graphs.GRAPHS:
        graph = optimised(differentiated(name))
        assert schedule(graph, layout(graph), frozenset({piece})).text()


def test_long_chains_are_scheduled_in_reasonable_time() -> None:
    graph = Graph()
    x = graph.add("input", [], {"name": "x", "type": Type(Kind.STREAM, (2,), "t")})
    value = x
    for _ in range(5000):
        value = value.apply("tanh")
    graph.roots["output:y"] = value.id
    assert len(schedule(graph).regions) == 1
