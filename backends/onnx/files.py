"""A compiled cell as ONNX files: one for whole sequences, one for single steps."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
from onnx import TensorProto, helper

from recurrency.errors import UsageError
from recurrency.graph.graph import Graph
from recurrency.graph.roots import INPUT, OUTPUT, PARAM, RESET, START, STREAM
from recurrency.graph.types import Kind, Type
from recurrency.passes.beyond import beyond
from recurrency.passes.lengths import lengths as with_lengths
from recurrency.version import VERSION

from .graph import GREATEST_FILE, Ports, axes_of
from .lowering import Lowering
from .unread import without_unread
from .values import Sizes
from .writer import Tensor, Writer

if TYPE_CHECKING:
    from recurrency.graph.op import Array
    from recurrency.model.model import Model

INITIAL = "initial:"
"""The group of initial states among the inputs."""
BATCH = "B"


def files(
    model: Model, weights: Array | None = None, resets: bool = False, streams: Sequence[str] = ()
) -> Mapping[str, bytes]:
    """The files by their extensions; see `OnnxBackend.files`."""
    both = {".onnx": False, ".step.onnx": True} if not model.over_steps else {".onnx": False}
    return {ending: Exported(model, weights, resets, streams, single).bytes() for ending, single in both.items()}


@dataclass
class Exported:
    """A model for whole sequences, or with `single` for one step."""

    model: Model
    weights: Array | None
    resets: bool
    streams: Sequence[str]
    single: bool

    def bytes(self) -> bytes:
        """The file.

        Raises:
            UsageError: it would be too large, or the cell has something that can't be written.
        """
        size = self.model.size * self.model.real.itemsize
        if size > GREATEST_FILE // 2:
            raise UsageError(f"{self.model.interface.name} has {size:,} bytes of parameters; an ONNX file holds 1 GiB")
        made = self.proto()
        onnx.checker.check_model(made, full_check=True)
        return bytes(made.SerializeToString())

    def proto(self) -> onnx.ModelProto:
        """The model of ONNX."""
        graph = self._graph()
        ports = Ports(Writer(self.model.dtype, self._public(graph)))
        sizes, arrays = self._inputs(graph, ports)
        lowered = Lowering(graph, ports.writer, sizes, arrays, optional=True, operators=self._operators)
        for root, name in self._outputs(graph).items():
            type_ = graph[graph.roots[root]].type
            shape = axes_of(type_, self.steps, BATCH, self.single)
            ports.output(name, lowered.root(root), ports.kind(type_), shape)
        ports.writer.main = without_unread(ports.writer.main, [output.name for output in ports.outputs])
        found = ports.model(self.model.interface.name, self.model.spec.doc or "")
        helper.set_model_props(found, self._properties(graph))
        return found

    @property
    def _operators(self) -> bool:
        """Whether recurrences become operators: onnxruntime has them in float32 only."""
        return self.model.dtype == "float32" and "fuse" not in self.model.programs.without

    def _graph(self) -> Graph:
        clocks = tuple(self.model.interface.input_clocks) if self.resets else ()
        self.model.allow_resets(clocks)
        graph = self.model.programs.resetting(clocks).graph("forward", tuple(sorted(self.streams)))
        beyond(graph, self.model.dtype)
        return with_lengths(graph)

    # -------------------------------------------------------------------------------------------------------- names

    @property
    def clocks(self) -> list[str]:
        """The clocks of the inputs."""
        return self.model.interface.input_clocks

    @property
    def steps(self) -> dict[str, str]:
        """The name of the number of steps of each clock."""
        clocks = self.model.clocks
        return {c: "T" if len(clocks) == 1 else f"T_{c}" for c in clocks}

    def lengths_of(self, clock: str) -> str:
        """The name of the input with the lengths: `lengths` where that is clear."""
        others = {*self.model.inputs, *self.model.outputs, *self.model.parameters}
        return "lengths" if len(self.clocks) == 1 and "lengths" not in others else f"lengths:{clock}"

    def _outputs(self, graph: Graph) -> dict[str, str]:
        return {root: OUTPUT.name(root) for root in graph.roots}

    def _public(self, graph: Graph) -> set[str]:
        inputs = [*self.model.inputs, *map(RESET.of, self.clocks), *map(self.lengths_of, self.clocks)]
        states = [f"{INITIAL}{name}" for name in self.model.states]
        return {*inputs, *states, *self.model.parameters, *self._outputs(graph).values()}

    # ------------------------------------------------------------------------------------------------------- inputs

    def _inputs(self, graph: Graph, ports: Ports) -> tuple[Sizes, dict[str, Tensor]]:
        arrays: dict[str, Tensor] = {}
        types = {name: graph[id].type for name, id in graph.sources("input").items()}
        found = self.model.programs.elaborated.inputs
        for name in self.model.reads("output", "final"):
            types.setdefault(name, found[name])
        for name, type_ in sorted(types.items(), key=lambda item: [*self.model.inputs, item[0]].index(item[0])):
            shape = axes_of(type_, self.steps, BATCH, self.single)
            arrays[INPUT.of(name)] = ports.input(name, ports.kind(type_), shape)
        for name, id in graph.sources("start").items():
            shape = axes_of(graph[id].type, self.steps, f"{BATCH} or 0")
            arrays[START.of(name)] = ports.input(f"{INITIAL}{name}", ports.kind(graph[id].type), shape, optional=True)
        sizes = self._sizes(ports, types, arrays)
        self._parameters(graph, ports.writer, arrays)
        return sizes, arrays

    def _sizes(self, ports: Ports, types: Mapping[str, Type], arrays: Mapping[str, Tensor]) -> Sizes:
        w, lead = ports.writer, 0 if self.single else 1
        streams = {n: t for n, t in types.items() if t.kind is Kind.STREAM}
        first = {str(t.clock): arrays[INPUT.of(n)] for n, t in reversed(streams.items())}
        any_ = next(iter(first.values()))
        batch = w("Shape", any_, start=lead, end=lead + 1)
        if self.single:
            ones = w.whole(1)
            return Sizes(w, dict.fromkeys(first, ones), batch, dict.fromkeys(first, ones), single=True)
        steps = {c: w("Shape", x, start=0, end=1) for c, x in first.items()}
        lengths = {c: self._lengths(ports, c, steps[c], batch) for c in first}
        return Sizes(w, steps, batch, lengths)

    def _lengths(self, ports: Ports, clock: str, steps: Tensor, batch: Tensor) -> Tensor:
        from .choices import checked_lengths, unless_empty

        given = ports.input(self.lengths_of(clock), TensorProto.INT64, [f"{BATCH} or 0"], optional=True)
        full = steps.apply("Expand", batch)
        return checked_lengths(unless_empty(given, batch, full), steps)

    def _parameters(self, graph: Graph, w: Writer, arrays: dict[str, Tensor]) -> None:
        vector = self.model.init(0) if self.weights is None else self.weights
        for name, array in self.model.views(np.asarray(vector)).items():
            w.constants[name] = onnx.numpy_helper.from_array(array.astype(self.model.dtype), name)
            arrays[PARAM.of(name)] = Tensor(w, name)

    def _properties(self, graph: Graph) -> dict[str, str]:
        model = self.model
        said: dict[str, Any] = {
            "recurrency": VERSION,
            "spec": model.interface.name,
            "dimensions": json.dumps(model.dimensions),
            "dtype": model.dtype,
            "inputs": json.dumps(list(model.reads("output", "final"))),
            "outputs": json.dumps(list(model.outputs)),
            "states": json.dumps(list(model.states)),
            "streams": json.dumps([STREAM.name(r) for r in graph.roots if STREAM.has(r)]),
            "parameters": "given" if self.weights is not None else "initial values of seed 0",
            "graph": "one step" if self.single else "sequences",
            "source": model.spec.cell.span.text,
        }
        return said
