"""Graphs built by hand: cells and constructs, each with sizes that differ from one another."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from recurrency.graph.graph import Graph
from recurrency.graph.types import Kind, Type
from recurrency.graph.value import Value, constant

N, H = 2, 3
LENGTHS = {"t": [4, 1, 3]}


class Builder:
    """A graph with the sources that cells need."""

    def __init__(self) -> None:
        self.graph = Graph()

    def source(self, op: str, name: str, type_: Type, args: tuple[int, ...] = ()) -> Value:
        """A source; the same one for the same name."""
        old = self.graph.sources(op).get(name)
        if old is not None:
            return self.graph.value(old)
        return self.graph.add(op, args, {"name": name, "type": type_}, name=name)

    def input(self, name: str, *shape: int, clock: str = "t", index: int | None = None) -> Value:
        """A stream that the caller gives."""
        return self.source("input", name, Type(Kind.STREAM, shape, clock, index))

    def param(self, name: str, *shape: int) -> Value:
        """A static value that the caller gives."""
        return self.source("param", name, Type(Kind.STATIC, shape))

    def start(self, name: str, *shape: int, default: Value | None = None) -> Value:
        """The first value of a state."""
        return self.source("start", name, Type(Kind.SEQUENCE, shape), (default.id,) if default else ())

    def state(self, name: str, *shape: int, delay: int = 1, clock: str = "t", default: Value | None = None) -> Value:
        """A delayed use of a stream that `define` defines."""
        first = [self.start(f"{name}{k or ''}", *shape, default=default) for k in range(delay)]
        return self.graph.delayed(Type(Kind.STREAM, shape, clock), delay, reversed(first))

    def define(self, use: Value, stream: Value, name: str) -> Value:
        """Say what a delayed use reads; the stream and its last value become roots."""
        self.graph.bind(use.id, stream.id)
        self.graph.rename(stream.id, name)
        self.graph.roots[f"output:{name}"] = stream.id
        firsts = list(reversed(self.graph[use.id].args[1:]))
        for slot in range(len(firsts)):
            final = self.graph.add("final", [stream.id, *firsts[: slot + 1]], {"slot": slot})
            self.graph.roots[f"final:{name}{slot or ''}"] = final.id
        return stream

    def root(self, name: str, value: Value) -> None:
        """Name a result."""
        self.graph.roots[name] = value.id


def times(matrix: Value, vector: Value) -> Value:
    """A matrix by a vector."""
    return matrix.product(vector, "ij,j->i")


def elman() -> Graph:
    """h = tanh(W x + U h[t-1] + b), y = V h."""
    b = Builder()
    x, W, U, V = b.input("x", N), b.param("W", H, N), b.param("U", H, H), b.param("V", 2, H)
    old = b.state("h", H, default=b.param("h0", H))
    h = (times(W, x) + times(U, old) + b.param("b", H)).apply("tanh")
    b.define(old, h, "h")
    b.root("output:y", times(V, h))
    return b.graph


def lstm() -> Graph:
    """An LSTM with peepholes, Graves (2013), equations 7 to 11."""
    b = Builder()
    x, h, c = b.input("x", N), b.state("h", H), b.state("c", H)

    def gate(name: str, peephole: Value | None) -> Value:
        W, U, bias = b.param(f"W{name}", H, N), b.param(f"U{name}", H, H), b.param(f"b{name}", H)
        total = times(W, x) + times(U, h)
        if peephole is not None:
            total = total + b.param(f"p{name}", H) * peephole
        return total + bias

    i, f = gate("i", c).apply("sigmoid"), gate("f", c).apply("sigmoid")
    new = f * c + i * gate("g", None).apply("tanh")
    o = gate("o", new).apply("sigmoid")
    b.define(h, o * new.apply("tanh"), "h")
    b.define(c, new, "c")
    return b.graph


def gru() -> Graph:
    """A gated recurrent unit, Cho et al. (2014)."""
    b = Builder()
    x, h = b.input("x", N), b.state("h", H)

    def sums(name: str, state: Value) -> Value:
        return times(b.param(f"W{name}", H, N), x) + times(b.param(f"U{name}", H, H), state)

    r, z = sums("r", h).apply("sigmoid"), sums("z", h).apply("sigmoid")
    n = sums("n", r * h).apply("tanh")
    b.define(h, z * h + (1.0 - z) * n, "h")
    return b.graph


def matrix_state() -> Graph:
    """A linear attention cell: S = f S[t-1] + v k', y = S q / max(|n q|, 1)."""
    b = Builder()
    x, S, n = b.input("x", N), b.state("S", H, H), b.state("n", H)
    q, k, v = (times(b.param(f"W{name}", H, N), x) for name in "qkv")
    f = b.param("f").apply("sigmoid")
    new = f * S + v.product(k, "i,j->ij")
    b.define(S, new, "S")
    norm = b.define(n, f * n + k, "n")
    size = norm.product(q, "i,i->").apply("abs").apply("maximum", 1.0)
    b.root("output:y", times(new, q) / size)
    return b.graph


def backward() -> Graph:
    """A recurrence from the end: h = tanh(W x + U h[t+1])."""
    b = Builder()
    x = b.input("x", N)
    later = b.graph.delayed(Type(Kind.STREAM, (H,), "t"), -1)
    h = (times(b.param("W", H, N), x) + times(b.param("U", H, H), later)).apply("tanh")
    b.graph.bind(later.id, h.id)
    b.root("output:h", h)
    return b.graph


def bidirectional() -> Graph:
    """An Elman layer over the reversed stream, reversed again, beside the input."""
    b = Builder()
    x, old = b.input("x", N), b.state("h", H)
    h = (times(b.param("W", H, N), x.reverse()) + times(b.param("U", H, H), old)).apply("tanh")
    b.define(old, h, "h")
    both = b.graph.add("concat", [h.reverse().id, x.id])
    b.root("output:y", both)
    b.root("output:last", both.pick(-1))
    b.root("output:mean", both.sum_time() / b.graph.add("length", attrs={"clock": "t"}).like(both))
    return b.graph


def attention() -> Graph:
    """Each step of one clock looks at all steps of another."""
    b = Builder()
    s, x, old = b.input("s", 4, clock="s"), b.input("x", N), b.state("h", H)
    memory = b.graph.add("tanh", [times(b.param("M", H, 4), s).id]).frames()
    scores = memory.product(old, "sj,j->s")
    a = b.graph.add("softmax", [scores.id], {"over": "s"})
    h = (a.product(memory, "s,sj->j") + times(b.param("W", H, N), x)).apply("tanh")
    b.define(old, h, "h")
    b.root("output:a", a)
    b.root("output:memory", (memory * 2.0).unframes("s"))
    return b.graph


def delay_line() -> Graph:
    """h = tanh(W x + 0.5 h[t-3]), with three first values."""
    b = Builder()
    x, old = b.input("x", N), b.state("h", H, delay=3)
    b.define(old, (times(b.param("W", H, N), x) + old * 0.5).apply("tanh"), "h")
    return b.graph


def embedding() -> Graph:
    """An Elman cell that reads symbols: the input's weights are the rows of a table."""
    b = Builder()
    w, E, old = b.input("w", index=5), b.param("E", 5, H), b.state("h", H)
    h = (E.take(w) + times(b.param("U", H, H), old)).apply("tanh")
    b.define(old, h, "h")
    y = times(b.param("V", 5, H), h).apply("log_softmax")
    b.root("output:y", y)
    b.root("output:next", -y.take(w.shift(-1)))
    return b.graph


def dropout() -> Graph:
    """An Elman cell with two masks: one new at each step, one for the whole sequence."""
    b = Builder()
    x, old = b.input("x", N), b.state("h", H)

    def mask(kind: Kind, size: int, per: str, site: int) -> Value:
        attrs = {"type": Type(kind, (size,), "t" if kind is Kind.STREAM else None), "site": site, "per": per}
        return b.graph.add("random", attrs={**attrs, "law": "keep", "p": 0.4, "rest": 1.0})

    fresh, fixed = mask(Kind.STREAM, N, "step", 0), mask(Kind.SEQUENCE, H, "sequence", 1)
    h = (times(b.param("W", H, N), x * fresh) + times(b.param("U", H, H), old * fixed)).apply("tanh")
    b.define(old, h, "h")
    return b.graph


SMOOTH = ("tanh", "sigmoid", "sin", "softplus", "negative")
BINARY = ("add", "add", "subtract", "multiply", "multiply")


def random_graph(seed: int, size: int = 24) -> Graph:
    """Two recurrences and what lies around them, of operations drawn at random."""
    rng = np.random.default_rng(seed)
    b = Builder()
    states = [b.state("h", 4), b.state("g", 4, delay=2)]
    pool = [b.input("x", 4), b.param("p", 4), b.param("q", 4), b.start("s", 4), zero(b), *states]

    def pick() -> Value:
        return pool[int(len(pool) * rng.random() ** 0.7)]

    def grow() -> Value:
        form = rng.integers(7)
        if form == 0:
            return times(b.param(f"W{rng.integers(3)}", 4, 4), pick())
        if form == 1:
            return pick().apply(str(rng.choice(SMOOTH)))
        if form == 2:
            cut = int(rng.integers(1, 4))
            return b.graph.add("concat", [pick().slice(4 - cut, 4).id, pick().slice(0, 4 - cut).id])
        if form == 3:
            return pick().slice(0, 3).pad(int(rng.integers(2)), 4)
        if form == 4:
            return pick() * float(rng.choice([-1.0, 0.0, 0.5, 1.0]))
        return pick().apply(str(rng.choice(BINARY)), pick())

    for _ in range(size):
        pool.append(grow())
    streams = [v for v in pool[7:] if v.type.kind is Kind.STREAM]
    for name, state in zip("hg", states, strict=True):
        last = streams[int(rng.integers(len(streams) // 2, len(streams)))] if streams else pool[0]
        b.define(state, (last + pool[0]).apply("tanh"), name)
    b.root("output:y", pool[-1])
    return b.graph


def zero(b: Builder) -> Value:
    """A literal zero."""
    return constant(b.graph, 0.0).to_shape((4,))


GRAPHS: dict[str, Callable[[], Graph]] = {
    make.__name__: make
    for make in (elman, lstm, gru, matrix_state, backward, bidirectional, attention, delay_line, embedding, dropout)
}


def lengths(graph: Graph) -> dict[str, list[int]]:
    """Lengths of three sequences on each clock of the graph, all different."""
    clocks = {str(graph[id].type.clock) for id in graph if graph[id].type.clock}
    return {clock: LENGTHS.get(clock, [2, 5, 3]) for clock in sorted(clocks)} or LENGTHS


def arrays(graph: Graph, seed: int = 0, starts: bool = True) -> dict[str, Any]:
    """Random arrays for all sources of a graph."""
    rng = np.random.default_rng(seed)
    given: dict[str, Any] = {}
    for op in ("input", "param", "start") if starts else ("input", "param"):
        for name, id in sorted(graph.sources(op).items()):
            type_ = graph[id].type
            batch = () if type_.kind is Kind.STATIC else (3,)
            time = (max(lengths(graph)[str(type_.clock)]),) if type_.kind is Kind.STREAM else ()
            shape = (*time, *batch, *type_.shape)
            symbols = type_.index is not None
            given[name] = rng.integers(-1, type_.index, shape) if symbols else 0.7 * rng.standard_normal(shape)
    return given


def scalar_loss(graph: Graph, roots: list[str] | None = None) -> Value:
    """A weighted sum of everything in the real-valued roots, all elements with different weights."""
    total = constant(graph, 0.0)
    for number, name in enumerate(list(graph.roots) if roots is None else roots):
        value = graph.value(graph.roots[name])
        if value.type.index is None:
            total = total + weighted(value, number).reduce("sum").reduced_to(Kind.STATIC)
    return total


def weighted(value: Value, number: int) -> Value:
    """The value by a weight that differs from element to element, as far as its sizes are known."""
    graph = value.graph
    shape = value.type.shape
    if len(shape) != 1 or not isinstance(shape[0], int):
        return (value * (1.0 + 0.3 * number)) * value
    parts = [constant(graph, np.cos(number + 2.0 * k)).to_shape((1,)).id for k in range(shape[0])]
    weights = graph.add("concat", parts) if parts else value
    return value * weights + value * value
