"""A compiled cell: forward, backward and every product with its derivatives, whatever the backend."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from recurrency.arrays import Port, zeros_like_port
from recurrency.errors import ShapeError, UsageError
from recurrency.graph.ops import Array
from recurrency.graph.types import Kind, Type
from recurrency.initialisers import initial_values
from recurrency.programs import Programs
from recurrency.request import Request, gather

if TYPE_CHECKING:
    from recurrency.backend import Backend, Runner
    from recurrency.language.elaborate import Elaborated
    from recurrency.spec import Spec

Arrays: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True)
class Parameter:
    """A parameter: where it lies in the flat vector, and how its first value is drawn."""

    name: str
    shape: tuple[int, ...]
    offset: int
    size: int
    initialiser: tuple[str, tuple[float, ...]]


@dataclass(frozen=True)
class Run:
    """The results of `Model.forward`. `state` holds each state after the last step of each sequence, [B, *shape]."""

    outputs: dict[str, Array]
    state: dict[str, Array]
    streams: dict[str, Array] = field(default_factory=dict)
    _tape: tuple[Request, dict[str, Array], tuple[str, ...]] | None = field(default=None, repr=False)

    @property
    def output(self) -> Array:
        """The first output."""
        return next(iter(self.outputs.values()))

    def __getitem__(self, name: str) -> Array:
        for table in (self.outputs, self.streams, self.state):
            if name in table:
                return table[name]
        raise KeyError(name)


@dataclass(frozen=True)
class Gradients:
    """Gradients of the parameters (one flat vector), of the real-valued inputs and of the first states, by name."""

    params: Array
    inputs: dict[str, Array]
    state: dict[str, Array]


class Model:
    """A cell compiled for given dimensions, dtype and backend.

    Arrays are time-first, [T, B, *shape], or [B, T, *shape] with `batch_first`; symbols are whole numbers [T, B]. Parameters travel in one
    flat vector, of which `views` gives the parameters by their dotted names.
    """

    def __init__(
        self, spec: Spec, elaborated: Elaborated, backend: Backend, dtype: str = "float32", batch_first: bool = False, without: Sequence[str] = ()
    ) -> None:
        if dtype not in ("float32", "float64"):
            raise UsageError(f"dtype must be float32 or float64, not {dtype}")
        self.spec, self.backend, self.dtype, self.batch_first = spec, backend.name, dtype, batch_first
        self.dimensions = {k: v for k, v in elaborated.dimensions.items()}
        self.programs = Programs(elaborated, backend, dtype, without)
        graph = elaborated.graph
        declared = {p.name: p for p in (*elaborated.cell.inputs, *elaborated.cell.outputs)}
        self.inputs = {n: Port.of(n, t, _words(declared[n], t)) for n, t in elaborated.inputs.items()}
        self.outputs = {n: Port.of(n, t, _words(declared[n], t)) for n, t in elaborated.outputs.items()}
        self.streams = {r[7:]: Port.of(r[7:], graph[i].type) for r, i in graph.roots.items() if r.startswith("stream:")}
        self.state_ports = {n: Port.of(n, t) for n, t in elaborated.starts.items()}
        self.states = {n: p.shape for n, p in self.state_ports.items()}
        self.has_loss = "loss" in graph.roots
        self.random = any(graph[i].op.name == "random" for i in graph)
        self.clocks = elaborated.clocks
        self.parameters = self._parameters(elaborated)
        self.size = self.programs.layout.size

    def _parameters(self, elaborated: Elaborated) -> dict[str, Parameter]:
        out = {}
        for name, info in elaborated.parameters.items():
            offset, shape = self.programs.layout.entries[name]
            out[name] = Parameter(name, shape, offset, math.prod(shape), info.initialiser)
        return out

    def __repr__(self) -> str:
        sizes = ", ".join(f"{k}={v}" for k, v in self.dimensions.items() if isinstance(v, int))
        return f"<{self.spec.name}({sizes}) on {self.backend}, {self.dtype}, {self.size} parameters>"

    # ------------------------------------------------------------------------------------------------ parameters

    def init(self, seed: int = 0) -> Array:
        """First values of all parameters, [size]; each depends on the seed and on its own name alone."""
        return self.pack(initial_values(self.parameters.values(), seed))

    def views(self, params: Array) -> dict[str, Array]:
        """The parameters by dotted name, as views of the flat vector."""
        params = self._flat(params)
        return {n: params[p.offset : p.offset + p.size].reshape(p.shape) for n, p in self.parameters.items()}

    def pack(self, arrays: Arrays) -> Array:
        """The flat vector of parameters that are given by name.

        Raises:
            ShapeError: a parameter is missing, unknown, or of another shape.
        """
        unknown, missing = set(arrays) - set(self.parameters), set(self.parameters) - set(arrays)
        if unknown or missing:
            said = [f"no {', '.join(sorted(missing))}"] * bool(missing) + [f"an unknown {', '.join(sorted(unknown))}"] * bool(unknown)
            raise ShapeError(f"the parameters of {self.spec.name} are {', '.join(self.parameters)}; given are {' and '.join(said)}")
        params = np.empty(self.size, self.dtype)
        for name, view in self.views(params).items():
            array = np.asarray(arrays[name])
            if array.shape != view.shape:
                raise ShapeError(f"{name} is {list(array.shape)}; {self.spec.name} was compiled for {list(view.shape)}")
            view[...] = array
        return params

    def _flat(self, params: Any, what: str = "params") -> Array:
        params = np.asarray(params)
        if params.shape != (self.size,) or params.dtype.kind not in "fiu":
            raise ShapeError(f"{what} is {params.dtype.name} {list(params.shape)}; {self.spec.name} has one vector of {self.size} numbers (see init and pack)")
        return params if params.dtype == self.dtype else params.astype(self.dtype)

    # ------------------------------------------------------------------------------------------------- forwards

    def forward(
        self, params: Array, inputs: Any, state: Arrays | None = None, lengths: Any = None,
        streams: Sequence[str] = (), training: bool = False, seed: int = 0, keep: bool = True,
    ) -> Run:  # fmt: skip
        """Outputs, final states, and inner streams by name.

        `inputs` is a dict of arrays by name, or one array. `state` hands over first states; those that are missing have their declared first
        values. `lengths` gives the number of steps of each sequence, [B], or one such list for each clock. With `keep` the run remembers what
        `backward` needs.

        Raises:
            ShapeError: an array does not fit. UsageError: an unknown name.
        """
        names = tuple(sorted(self._stream_names(streams)))
        request = gather(self, inputs, state, lengths, training, seed)
        kind = "forward_kept" if keep else "forward"
        values = self._run(self.programs.runner(kind, names), params, request)
        tape = {k: v for k, v in values.items() if k.startswith("tape:")}
        kept = (self._with_params(request, params), tape, names) if keep else None
        return Run(self._outputs(values), self._state(values, request), self._named(values, "stream:", self.streams), kept)

    def _with_params(self, request: Request, params: Array) -> Request:
        request.params = self._flat(params)
        return request

    def _stream_names(self, streams: Sequence[str]) -> list[str]:
        for name in streams:
            if name not in self.streams:
                raise UsageError(f"{self.spec.name} has no stream {name}; it has {', '.join(self.streams)}")
        return list(streams)

    def _run(self, runner: Runner, params: Any, request: Request, more: Arrays | None = None) -> dict[str, Array]:
        given = {**request.given, **more} if more else request.given
        return runner(
            self._flat(params), given, request.lengths, request.steps, request.batch, request.training, request.seed, request.offset
        )

    def _outward(self, array: Array, kind: Kind) -> Array:
        return np.swapaxes(array, 0, 1) if self.batch_first and kind is Kind.STREAM else array

    def _outputs(self, values: Arrays) -> dict[str, Array]:
        return self._named(values, "output:", self.outputs)

    def _named(self, values: Arrays, prefix: str, ports: Mapping[str, Port]) -> dict[str, Array]:
        return {n: self._outward(values[prefix + n], p.kind) for n, p in ports.items() if prefix + n in values}

    def _state(self, values: Arrays, request: Request) -> dict[str, Array]:
        out = {n: values[f"final:{n}"] for n in self.states if f"final:{n}" in values}
        if self.random:
            clock = self.clocks[-1] if "t" not in self.clocks else "t"
            lengths = (request.lengths or {}).get(clock, np.full(request.batch, request.steps.get(clock, 0)))
            out["t"] = (request.offset or {}).get(clock, 0) + lengths
        return out

    def step(
        self, params: Array, inputs: Any, state: Arrays | None = None, training: bool = False, seed: int = 0
    ) -> tuple[dict[str, Array], dict[str, Array]]:
        """Outputs and states after one more step; arrays have no time axis: [B, *shape].

        Raises:
            UsageError: the cell reads later steps, or runs over several clocks.
        """
        self._refuse_steps()
        arrays = inputs if isinstance(inputs, Mapping) else {next(iter(self.inputs)): inputs}
        axis = 1 if self.batch_first else 0
        whole = {n: np.expand_dims(np.asarray(a), axis) if np.ndim(a) else a for n, a in arrays.items()}
        run = self.forward(params, whole, state, training=training, seed=seed, keep=False)
        return {n: np.take(a, 0, axis) if self.outputs[n].kind is Kind.STREAM else a for n, a in run.outputs.items()}, run.state

    def _refuse_steps(self) -> None:
        if len({p.clock for p in self.inputs.values()}) > 1:
            raise UsageError(f"{self.spec.name} runs over several clocks; it can't be stepped")
        graph = self.programs.graph("forward", ())
        for id in graph.order():
            node = graph[id]
            if node.delay < 0 or node.op.name in ("reverse", "pick", "sum_time", "frames"):
                what = f"line {node.span.line} of {node.span.source.name}" if node.span else node.op.name
                raise UsageError(f"{self.spec.name} can't be stepped: it reads later steps ({what})")

    # ------------------------------------------------------------------------------------------------ backwards

    def backward(self, run: Run, output_gradients: Any = None, state_gradients: Arrays | None = None) -> Gradients:
        """Gradients of parameters, inputs and first states, for given gradients of outputs and final states (missing ones are zero)."""
        if run._tape is None:
            raise UsageError("this run remembers nothing: call forward with keep=True")
        request, tape, names = run._tape
        seeds = self._seeds(output_gradients, state_gradients, request)
        for root, port in self._real_results().items():
            seeds.setdefault(f"d:{root}", zeros_like_port(port, request.steps, request.batch, self.dtype))
        values = self._run(self.programs.runner("backward", names), request.params, request, {**tape, **seeds})
        return self._gradients(values, request)

    def _real_results(self) -> dict[str, Port]:
        ports = {f"output:{n}": p for n, p in self.outputs.items()} | {f"final:{n}": p for n, p in self.state_ports.items()}
        return {root: p for root, p in ports.items() if p.index is None}

    def _seeds(self, output_gradients: Any, state_gradients: Arrays | None, request: Request) -> dict[str, Array]:
        if output_gradients is not None and not isinstance(output_gradients, Mapping):
            output_gradients = {next(iter(self.outputs)): output_gradients}
        real = self._real_results()
        out = {}
        for group, table in (("output", output_gradients or {}), ("final", state_gradients or {})):
            for name, array in table.items():
                root = f"{group}:{name}"
                if root not in real:
                    if name == "t":
                        continue
                    raise UsageError(f"{self.spec.name} has no real-valued {'output' if group == 'output' else 'state'} {name}")
                out[f"d:{root}"] = request.fitting(f"the gradient of {name}", array, real[root], self)
        return out

    def _gradients(self, values: Arrays, request: Request) -> Gradients:
        inputs, state = {}, {}
        for n, p in self.inputs.items():
            if p.index is None:
                array = values.get(f"gradient:input:{n}")
                array = zeros_like_port(p, request.steps, request.batch, self.dtype) if array is None else array
                inputs[n] = self._outward(array, p.kind)
        for n, p in self.state_ports.items():
            if p.index is None:
                array = values.get(f"gradient:start:{n}")
                state[n] = zeros_like_port(p, request.steps, request.batch, self.dtype) if array is None else array
        return Gradients(values["gradient"], inputs, state)

    def vjp(
        self, params: Array, inputs: Any, output_gradients: Any = None, state_gradients: Arrays | None = None, state: Arrays | None = None,
        lengths: Any = None, training: bool = False, seed: int = 0,
    ) -> Gradients:  # fmt: skip
        """Forward and backward in one call: the product of these gradients with the Jacobian."""
        request = gather(self, inputs, state, lengths, training, seed)
        seeds = self._seeds(output_gradients, state_gradients, request)
        runner = self.programs.runner("vjp", tuple(sorted(s[2:] for s in seeds)))
        return self._gradients(self._run(runner, params, request, seeds), request)

    # ----------------------------------------------------------------------------------------------------- losses

    def _need_loss(self) -> None:
        if not self.has_loss:
            raise UsageError(f"{self.spec.name} has no loss line")

    def loss(self, params: Array, inputs: Any, state: Arrays | None = None, lengths: Any = None, training: bool = False, seed: int = 0) -> float:
        """The sum of the loss lines."""
        self._need_loss()
        request = gather(self, inputs, state, lengths, training, seed)
        return float(self._run(self.programs.runner("loss"), params, request)["loss"])

    def loss_and_gradients(
        self, params: Array, inputs: Any, state: Arrays | None = None, lengths: Any = None, training: bool = False, seed: int = 0,
        wrt: Sequence[str] = ("params", "inputs", "state"),
    ) -> tuple[float, Gradients, dict[str, Array]]:  # fmt: skip
        """The loss, its gradients, and the final states. `wrt` names what gradients are wanted of; the others come back as zeros."""
        self._need_loss()
        request = gather(self, inputs, state, lengths, training, seed)
        values = self._run(self.programs.runner("loss_gradients", tuple(wrt)), params, request)
        return float(values["loss"]), self._gradients(values, request), self._state(values, request)

    # ------------------------------------------------------------------------------------------ further products

    def jvp(
        self, params: Array, inputs: Any, params_tangent: Array | None = None, inputs_tangent: Any = None, state_tangent: Arrays | None = None,
        state: Arrays | None = None, lengths: Any = None, training: bool = False, seed: int = 0,
    ) -> tuple[dict[str, Array], dict[str, Array]]:  # fmt: skip
        """Directional derivatives of the outputs and of the final states along directions of parameters, inputs and first states."""
        request = gather(self, inputs, state, lengths, training, seed)
        given: dict[str, Array] = {}
        if params_tangent is not None:
            views = self.views(self._flat(params_tangent, "params_tangent"))
            given |= {f"tangent:param:{n}": v for n, v in views.items()}
        if inputs_tangent is not None and not isinstance(inputs_tangent, Mapping):
            inputs_tangent = {next(iter(self.inputs)): inputs_tangent}
        for op, table, ports in (("input", inputs_tangent, self.inputs), ("start", state_tangent, self.state_ports)):
            for name, array in (table or {}).items():
                if name not in ports or ports[name].index is not None:
                    raise UsageError(f"{self.spec.name} has no real-valued {'input' if op == 'input' else 'state'} {name}")
                given[f"tangent:{op}:{name}"] = request.fitting(f"the tangent of {name}", array, ports[name], self)
        runner = self.programs.runner("jvp", tuple(sorted(g[8:] for g in given)))
        values = self._run(runner, params, request, given)
        outputs = self._named(values, "tangent:output:", self.outputs)
        return outputs, self._named(values, "tangent:final:", self.state_ports)

    def hvp(self, params: Array, inputs: Any, vector: Array, state: Arrays | None = None, lengths: Any = None, training: bool = False, seed: int = 0) -> Array:
        """The Hessian of the loss in the parameters, times a flat vector."""
        return self._second("hvp", params, inputs, vector, state, lengths, training, seed)

    def gnvp(self, params: Array, inputs: Any, vector: Array, state: Arrays | None = None, lengths: Any = None, training: bool = False, seed: int = 0) -> Array:
        """The Gauss-Newton matrix of the loss in the parameters, times a flat vector.

        The loss is taken as a function of what its `cross_entropy`, `squared_error`, ... read as predictions; `binary_cross_entropy(sigmoid(z), ...)`
        as one of z, which matches it (Martens and Sutskever 2011, section 3.1).
        """
        return self._second("gnvp", params, inputs, vector, state, lengths, training, seed)

    def _second(
        self, kind: str, params: Array, inputs: Any, vector: Array, state: Arrays | None, lengths: Any, training: bool, seed: int
    ) -> Array:
        self._need_loss()
        request = gather(self, inputs, state, lengths, training, seed)
        directions = {f"tangent:param:{n}": v for n, v in self.views(self._flat(vector, "vector")).items()}
        return self._run(self.programs.runner(kind), params, request, directions)["gradient"]


def _words(port: Any, type_: Type) -> tuple[str, ...]:
    """The dimensions of a port as the header writes them, where they are names."""
    dimensions = getattr(port.type, "dimensions", ())
    return tuple(" ".join(d.span.text.split()) for d in dimensions) if len(dimensions) == len(type_.shape) else ()
