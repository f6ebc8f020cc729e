"""Sessions of onnxruntime for the programs of a model."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
import onnxruntime
from onnx import TensorProto

from recurrency.backend import Call
from recurrency.errors import UsageError
from recurrency.graph.graph import Graph
from recurrency.graph.op import Trait
from recurrency.graph.roots import INPUT, PARAM, START, Group
from recurrency.graph.types import Kind, Type
from recurrency.passes.lengths import lengths as with_lengths
from recurrency.program.layout import Layout

from .graph import Ports, axes_of
from .lowering import Lowering
from .values import Sizes
from .writer import Tensor, Writer

Array = np.ndarray[Any, np.dtype[Any]]
CLOCK, LENGTHS, BATCH = Group("steps:"), Group("lengths:"), "batch"


class Built:
    """A graph in onnxruntime; see `recurrency.backend.Runner`. There is a session for each set of given states."""

    def __init__(self, graph: Graph, layout: Layout, dtype: str, name: str) -> None:
        self.graph, self.layout, self.dtype, self.name = with_lengths(graph), layout, dtype, name
        self.random = any(Trait.DRAWS in self.graph[id].op.traits for id in self.graph.order())
        self.sessions: dict[frozenset[str], Any] = {}

    def __call__(self, call: Call) -> dict[str, Array]:
        if call.training and self.random:
            raise UsageError("the backend onnx draws no random numbers: call it without training=True")
        given = frozenset(self.graph.sources("start")) & {START.name(n) for n in call.given if START.has(n)}
        if given not in self.sessions:
            self.sessions[given] = self._session(given, sorted(call.steps))
        session = self.sessions[given]
        feed = self._feed(self._with_steps(call))
        wanted = {i.name for i in session.get_inputs()}
        found = session.run(None, {name: array for name, array in feed.items() if name in wanted})
        return {root: self._cut(root, array, call) for root, array in zip(self.graph.roots, found, strict=True)}

    def _with_steps(self, call: Call) -> Call:
        """The same call with a step of padding where there is no step: onnxruntime can't run a `Scan` of no steps."""
        if all(call.steps.values()):
            return call
        given, types = dict(call.given), {n: self.graph[i].type for n, i in self.graph.sources("input").items()}
        for name, type_ in types.items():
            if name in given and not len(given[name]):
                shape = (1, *given[name].shape[1:])
                given[name] = np.full(shape, 0 if type_.index is None else -1, given[name].dtype)
        full = {clock: np.full(call.batch, count) for clock, count in call.steps.items()}
        steps = {clock: max(count, 1) for clock, count in call.steps.items()}
        return call._replace(given=given, steps=steps, lengths={**full, **(call.lengths or {})})

    def _cut(self, root: str, array: Array, call: Call) -> Array:
        """A result without that step."""
        type_ = self.graph[self.graph.roots[root]].type
        front = {Kind.STREAM: (type_.clock, None), Kind.SEQUENCE: (None,), Kind.STATIC: ()}[type_.kind]
        none = tuple(slice(0 if call.steps.get(str(d)) == 0 else None) for d in (*front, *type_.shape))
        return array[none] if any(s.stop == 0 for s in none) else array

    def _feed(self, call: Call) -> dict[str, Array]:
        """All arrays by the names of the session's inputs."""
        views = {n: call.params[o : o + prod(s)].reshape(s) for n, (o, s) in self.layout.entries.items()}
        feed = {PARAM.of(n): a for n, a in views.items()}
        feed |= {n if START.has(n) else INPUT.of(n): np.ascontiguousarray(a) for n, a in call.given.items()}
        feed |= {CLOCK.of(c): np.array([n], np.int64) for c, n in call.steps.items()}
        full = {c: np.full(call.batch, n, np.int64) for c, n in call.steps.items()}
        feed |= {LENGTHS.of(c): np.asarray(n, np.int64) for c, n in {**full, **(call.lengths or {})}.items()}
        return {**feed, BATCH: np.array([call.batch], np.int64)}

    def _session(self, given: frozenset[str], clocks: list[str]) -> Any:
        ports = Ports(Writer(self.dtype, ("",)))
        w, graph, steps = ports.writer, self.graph, {c: f"T {c}" for c in clocks}
        sizes = Sizes(
            w,
            {c: ports.input(CLOCK.of(c), TensorProto.INT64, [1]) for c in clocks},
            ports.input(BATCH, TensorProto.INT64, [1]),
            {c: ports.input(LENGTHS.of(c), TensorProto.INT64, ["B"]) for c in clocks},
        )
        arrays: dict[str, Tensor] = {}

        def port(group: Group, name: str, type_: Type) -> None:
            arrays[group.of(name)] = ports.input(group.of(name), ports.kind(type_), axes_of(type_, steps, "B"))

        for group, kind in ((PARAM, "param"), (INPUT, "input"), (START, "start")):
            for name, id in graph.sources(kind).items():
                if group is not START or name in given:
                    port(group, name, graph[id].type)
        lowered = Lowering(graph, w, sizes, arrays)
        for root, id in graph.roots.items():
            type_ = graph[id].type
            ports.output(root, lowered.root(root), ports.kind(type_), axes_of(type_, steps, "B"))
        return session(ports.model(self.name).SerializeToString())


def session(model: bytes) -> Any:
    """A session on one thread."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
