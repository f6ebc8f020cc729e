"""The walk: arrays are [T, B, ...] for streams, [B, ...] for values of a sequence, [...] for static ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from recurrency.backend import Call
from recurrency.graph.draws import draw
from recurrency.graph.graph import Graph, Node
from recurrency.graph.types import Kind, Type
from recurrency.passes.recurrence import recurrences
from recurrency.program.layout import Layout
from recurrency_jax.ops import ELEMENTWISE, INSIDE, TIME, is_line


@dataclass(frozen=True)
class Sizes:
    """What a program is compiled for."""

    steps: tuple[tuple[str, int], ...]
    batch: int


def drawn(graph: Graph, call: Call) -> dict[int, Any]:
    """The random numbers of a call, as the reference draws them, by the ids of their nodes."""
    batch, offset, out = call.batch, call.offset or {}, {}
    for id in graph:
        node = graph[id]
        if node.op.name == "random":
            shape = lead(node.type, call.steps, batch) + tuple(int(d) for d in node.type.shape)
            if call.training or node.attrs.get("always"):
                step = np.arange(shape[0])[:, None] if node.type.kind is Kind.STREAM else np.zeros(1, int)
                step = step + np.asarray(offset.get(str(node.type.clock), 0)) if node.attrs["per"] == "step" else 0
                numbers = draw(
                    call.seed,
                    node.attrs["site"],
                    step,
                    np.arange(max(batch, 1)),
                    int(np.prod(node.type.shape, dtype=int)),
                    node.attrs["law"],
                    node.attrs["p"],
                )
                out[id] = np.broadcast_to(numbers[..., :batch, :], (*shape[: numbers.ndim - 1], numbers.shape[-1]))
                out[id] = np.broadcast_to(out[id].reshape(*out[id].shape[:-1], *node.type.shape), shape)
            else:
                out[id] = np.full(shape, float(node.attrs.get("rest", 0.0)))
    return out


def lead(type_: Type, steps: Mapping[str, int], batch: int) -> tuple[int, ...]:
    """The axes before an element's own."""
    return {Kind.STREAM: (steps.get(str(type_.clock), 0), batch), Kind.SEQUENCE: (batch,), Kind.STATIC: ()}[type_.kind]


class Walk:
    """Computes every node of a graph once: outside of recurrences for all steps together."""

    def __init__(self, graph: Graph, layout: Layout, sizes: Sizes, arrays: dict[str, Any]) -> None:
        self.graph, self.layout, self.batch, self.steps = graph, layout, sizes.batch, dict(sizes.steps)
        self.arrays, self.lengths = arrays, arrays["lengths"]
        self.real = arrays["params"].dtype
        self.known: dict[int, Any] = {}

    def roots(self) -> dict[str, Any]:
        """All results."""
        loops = {id: loop.ids for loop in recurrences(self.graph) for id in loop.ids}
        for id in self._order(loops):
            if id not in self.known:
                self._loop(loops[id]) if id in loops else self._whole(id)
        return {name: self.known[id] for name, id in self.graph.roots.items()}

    def _order(self, loops: dict[int, tuple[int, ...]]) -> list[int]:
        """All ids, each after what it needs: a recurrence counts as one, and needs what any part of it does."""
        out: dict[int, None] = {}
        stack = [(id, False) for id in reversed(self.graph.roots.values())]
        while stack:
            id, ready = stack.pop()
            group = loops.get(id, (id,))
            if ready:
                out.update(dict.fromkeys(group))
            elif id not in out:
                stack.append((id, True))
                stack += [(a, False) for i in group for a in self.graph[i].args if a not in group and a not in out]
        return list(out)

    # ------------------------------------------------------------------------------------------------------ values

    def zero(self, type_: Type, step: bool = False) -> Any:
        """Zeros, or "no symbol"; of one step only, if asked for."""
        front = lead(type_, self.steps, self.batch)[int(step and type_.kind is Kind.STREAM) :]
        shape = (*front, *(self.steps[d] if isinstance(d, str) else int(d) for d in type_.shape))
        return jnp.zeros(shape, self.real) if type_.index is None else jnp.full(shape, -1)

    def rows(self, clock: str) -> Any:
        """Which steps of which sequences are real, [T, B]."""
        return jnp.arange(self.steps[clock])[:, None] < self.lengths[clock]

    def source(self, id: int, node: Node) -> Any:
        """What is handed over, or known without arguments."""
        name, attrs = node.op.name, node.attrs
        if name == "param":
            start, shape = self.layout.entries[attrs["name"]]
            return self.arrays["params"][start : start + int(np.prod(shape))].reshape(shape)
        if name == "random":
            return jnp.asarray(self.arrays["random"][id], self.real)
        plain = {
            "input": lambda: jnp.asarray(self.arrays["given"][attrs["name"]]),
            "constant": lambda: jnp.asarray(attrs["value"], self.real),
            "array": lambda: jnp.asarray(attrs["of"].array, self.real),
            "eye": lambda: jnp.eye(attrs["size"], dtype=self.real),
            "length": lambda: jnp.asarray(self.lengths[attrs["clock"]], self.real),
            "batch": lambda: jnp.asarray(self.batch, self.real),
        }
        return plain[name]()

    def _whole(self, id: int) -> None:
        node = self.graph[id]
        args = [self.known[a] for a in node.args]
        if node.op.group == "source":
            self.known[id] = self.source(id, node)
        elif node.op.name in TIME:
            types = [self.graph[a].type for a in node.args]
            self.known[id] = TIME[node.op.name](self, node, types, *args)
        else:
            self.known[id] = self.inner(node, args)

    def inner(self, node: Node, args: list[Any]) -> Any:
        """An operation that looks at one step and sequence, whatever axes stand before."""
        if node.op.elementwise:
            return ELEMENTWISE[node.op.name](*args).astype(self.real)
        masked = [self._masked(a, self.graph[i].type, node) for a, i in zip(args, node.args, strict=True)]
        return INSIDE[node.op.name](self, node, [self.graph[i].type for i in node.args], *masked)

    def _masked(self, array: Any, type_: Type, node: Node) -> Any:
        """What is summed up or compared over the steps of a sequence must be nothing where there are no more."""
        fill = {"sum": 0.0, "product": 0.0, "peak": -jnp.inf, "softmax": -jnp.inf, "log_softmax": -jnp.inf}
        if node.op.name in fill:
            for axis, size in enumerate(type_.shape):
                if isinstance(size, str):
                    here = [1] * array.ndim
                    front = array.ndim - len(type_.shape)
                    here[front - 1], here[front + axis] = self.batch, self.steps[size]
                    array = jnp.where(self.rows(size).T.reshape(here), array, fill[node.op.name])
        return array

    # ------------------------------------------------------------------------------------------------- recurrences

    def _loop(self, ids: tuple[int, ...]) -> None:
        """A recurrence: one scan, which carries the last values of each stream that is read with a delay."""
        graph, inside = self.graph, set(ids)
        shifts = [id for id in ids if graph[id].delay]
        reach = {
            s: max(abs(graph[i].delay) for i in shifts if graph[i].args[0] == s)
            for s in dict.fromkeys(graph[i].args[0] for i in shifts)
        }
        clock = str(graph[ids[0]].type.clock)
        if not self.steps[clock]:
            self.known.update({id: self.zero(graph[id].type) for id in ids})
            return
        outside = {a for id in ids for a in graph[id].args if a not in inside}
        streams = {a: self.known[a] for a in outside if graph[a].type.kind is Kind.STREAM}
        first = {s: jnp.stack([self.zero(graph[s].type, step=True)] * d) for s, d in reach.items()}

        def body(past: dict[int, Any], now: tuple[Any, dict[int, Any]]) -> tuple[dict[int, Any], dict[int, Any]]:
            t, values = now[0], {**{a: self.known[a] for a in outside if a not in streams}, **now[1]}
            for id in ids:
                values[id] = self._step(id, t, values, past)
            newer = {s: jnp.concatenate([values[s][None].astype(p.dtype), p[:-1]]) for s, p in past.items()}
            return newer, {id: values[id] for id in ids}

        times = jnp.arange(self.steps[clock])
        _, found = jax.lax.scan(body, first, (times, streams), reverse=graph[shifts[0]].delay < 0)
        self.known.update(found)

    def _step(self, id: int, t: Any, values: dict[int, Any], past: dict[int, Any]) -> Any:
        """One node at one step; `past` holds the values of the step before, then those before that."""
        node = self.graph[id]
        if node.op.name == "valid":
            x = values[node.args[0]]
            real = (t < self.lengths[str(node.type.clock)]).reshape((-1,) + (1,) * (x.ndim - 1))
            return jnp.where(real, x, self.zero(node.type, step=True))
        if not node.delay:
            return self.inner(node, [values[a] for a in node.args])
        before, firsts = past[node.args[0]][abs(node.delay) - 1], [values[a] for a in node.args[1:]]
        if is_line(tuple(firsts), [self.graph[a].type for a in node.args]):
            line = jnp.broadcast_to(firsts[0], (self.batch, *self.graph[node.args[1]].type.shape))
            return jnp.where(t < node.delay, line[:, jnp.clip(t, 0, node.delay - 1)], before)
        for k, value in enumerate(firsts):
            before = jnp.where(t == k, value, before)
        return before
