"""A compiled cell: forward, backward and every product with its derivatives, whatever the backend."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from recurrency.errors import ShapeError, UsageError
from recurrency.graph.types import Kind
from recurrency.language.vocabulary.initialisers import initial_values
from recurrency.model import losses
from recurrency.model.arrays import as_array, converted
from recurrency.model.call import (
    FORWARD,
    GROUPS,
    LOSS,
    Request,
    Roots,
    by_name,
    dtype_name,
    gather,
    groups,
    needed,
    of_group,
    one_step,
    real_results,
    unknown,
    whole_seed,
)
from recurrency.model.interface import Interface
from recurrency.model.programs import Programs
from recurrency.model.results import Gradients as Gradients
from recurrency.model.results import Parameter as Parameter
from recurrency.model.results import Run as Run
from recurrency.model.results import Tape

if TYPE_CHECKING:
    from recurrency.backend import Backend, Runner
    from recurrency.graph.op import Array
    from recurrency.language.elaboration.elaborate import Elaborated
    from recurrency.model.checkpoint import Checkpoint
    from recurrency.model.memory import Memory
    from recurrency.model.spec import Spec

Arrays: TypeAlias = Mapping[str, Any]

GREATEST_SIZE = 1 << 33
"""Bound on the number of parameters: 32 GiB in float32."""


class Model:
    """A cell compiled for given dimensions, dtype and backend.

    Arrays are time-first, [T, B, *shape], or [B, T, *shape] with `batch_first`; symbols are whole numbers [T, B].
    Parameters travel in one flat vector, of which `views` gives the parameters by their dotted names.

    Most calls take the same keywords. `state` hands over first states; those that are missing have their declared first
    values. `lengths` gives the number of steps of each sequence, [B], or one such list for each clock. Random draws
    happen in `training` only, and depend on the `seed`. All calls raise `ShapeError` for an array that does not fit,
    and `UsageError` for an unknown name.
    """

    def __init__(
        self, spec: Spec, elaborated: Elaborated | Callable[[], Elaborated], backend: Backend, dtype: Any = "float32",
        batch_first: bool = False, without: Sequence[str] = (), record: str | None = None,
        checkpoint: int | str | None = None,
    ) -> None:  # fmt: skip
        self.spec, self.backend, self.batch_first = spec, backend.name, batch_first
        self.dtype = dtype_name(dtype)
        self.real = np.dtype(self.dtype)
        self.programs = Programs(elaborated, backend, self.dtype, without, record)
        found = self.programs.remembered(Interface, "interface", self._interface)
        self.dimensions, self.clocks, self.size = dict(found.dimensions), found.clocks, found.size
        self.inputs, self.outputs, self.streams = found.inputs, found.outputs, found.streams
        self.state_ports, self.parameters = found.states, found.parameters
        self.states = {n: p.shape for n, p in self.state_ports.items()}
        self.loss_kinds, self.has_loss, self.random = found.loss_kinds, bool(found.loss_kinds), found.random
        self._results = real_results(self.outputs, self.state_ports)
        self._given_out = [(n, f"output:{n}", p.kind) for n, p in self.outputs.items()]
        self._finals = [(n, f"final:{n}") for n in self.states]
        self.checkpoint = None if checkpoint is None else self._checkpoint(checkpoint)

    def _checkpoint(self, wanted: int | str) -> Checkpoint:
        from recurrency.model.checkpoint import Checkpoint

        return Checkpoint(self, wanted)

    def _interface(self) -> Interface:
        found = Interface.of(self.programs.elaborated, self.programs.layout)
        if found.size > GREATEST_SIZE:
            raise UsageError(f"{self.spec.name} has {found.size:,} parameters; at most {GREATEST_SIZE:,} are possible")
        return found

    def __setstate__(self, state: dict[str, Any]) -> None:
        """After pickling: a pickled dtype becomes an object of its own, for which calls would convert each array."""
        self.__dict__.update({**state, "real": np.dtype(state["dtype"])})

    def __repr__(self) -> str:
        sizes = ", ".join(f"{k}={v}" for k, v in self.dimensions.items() if isinstance(v, int))
        return f"<{self.spec.name}({sizes}) on {self.backend}, {self.dtype}, {self.size} parameters>"

    @cached_property
    def clock(self) -> str:
        """The clock whose steps `state["t"]` counts: `t`, or the only one that there is."""
        clocks = {str(p.clock) for p in self.inputs.values()}
        return next(iter(clocks)) if len(clocks) == 1 else "t"

    def memory(self, steps: int | Mapping[str, int], batch: int, ragged: bool = False) -> Memory:
        """The bytes that training on a batch of so many steps (of each clock) and sequences needs; nothing is run.

        Raises:
            UsageError: the backend does not say what it allocates, or no chunk is within the budget of a checkpoint.
        """
        from recurrency.model.memory import memory

        return memory(self, steps, batch, ragged)

    # ------------------------------------------------------------------------------------------------ parameters

    def init(self, seed: int = 0) -> Array:
        """First values of all parameters, [size]; each depends on the seed and on its own name alone."""
        return self.pack(initial_values(self.parameters.values(), whole_seed(seed)))

    def views(self, params: Array) -> dict[str, Array]:
        """The parameters by dotted name, as views of the flat vector (of any dtype): to write into one changes it."""
        params = self._vector(params, "params")
        return {n: params[p.offset : p.offset + p.size].reshape(p.shape) for n, p in self.parameters.items()}

    def pack(self, arrays: Arrays) -> Array:
        """The flat vector of parameters that are given by name.

        Raises:
            ShapeError: a parameter is missing, unknown, or of another shape.
        """
        wrong = [f"no {n}" for n in self.parameters if n not in arrays]
        wrong += [f"an unknown {n}" for n in arrays if n not in self.parameters]
        if wrong:
            known = ", ".join(self.parameters) or "none"
            raise ShapeError(f"the parameters of {self.spec.name} are {known}; given are {' and '.join(wrong)}")
        params = np.empty(self.size, self.real)
        for name, view in self.views(params).items():
            array = converted(name, arrays[name], None, self.real)
            if array.shape != view.shape:
                raise ShapeError(f"{name} is {list(array.shape)}; {self.spec.name} was compiled for {list(view.shape)}")
            view[...] = array
        return params

    def _vector(self, params: Any, what: str) -> Array:
        array = as_array(what, params)
        if array.shape != (self.size,) or array.dtype.kind not in "fiu":
            found, hint = f"{array.dtype.name} {list(array.shape)}", "(see init and pack)"
            raise ShapeError(f"{what} is {found}; {self.spec.name} has one vector of {self.size} numbers {hint}")
        return array

    def _flat(self, params: Any, what: str = "params") -> Array:
        """A vector as the backends need it; the same one, if it is so already."""
        ready = params.__class__ is np.ndarray and params.dtype is self.real and params.shape == (self.size,)
        if ready and params.flags.c_contiguous:
            return params  # type: ignore[no-any-return]
        return np.ascontiguousarray(self._vector(params, what), self.real)

    # ------------------------------------------------------------------------------------------------- forwards

    def forward(
        self, params: Array, inputs: Any, state: Arrays | None = None, lengths: Any = None, streams: Sequence[str] = (),
        training: bool = False, seed: int = 0, keep: bool = True,
    ) -> Run:  # fmt: skip
        """Outputs, final states, and inner streams by name.

        `inputs` is a dict of arrays by name, or one array. With `keep` the run remembers what `backward` needs
        (`params` and the inputs are not copied: leave them as they are until then).
        """
        names = self._streams(streams) if streams else ()
        request = gather(self, inputs, state, lengths, training, seed, self._roots(names))
        params, tape = self._flat(params), None
        if keep and (chunked := self._chunked(request)):
            values, kept = chunked.forward(params, request, names)
            tape = Tape(request, params, {}, names, kept)
        else:
            values = self._run(self.programs.runner("forward_kept" if keep else "forward", names), params, request)
            if keep:
                tape = Tape(request, params, {k: v for k, v in values.items() if k[:5] == "tape:"}, names)
        wanted = [(n, f"stream:{n}", p.kind) for n, p in self.streams.items() if n in names] if names else []
        inner = self._named(values, wanted) if wanted else {}
        return Run(self._named(values, self._given_out), self._state(values, request), inner, tape)

    def reads(self, *roots: str) -> tuple[str, ...]:
        """The inputs that some roots (or groups of them, such as `output`) need; the others may be left out."""

        def named() -> str:
            wanted = tuple(r for root in roots for r in self._of(root))
            return "\n".join(needed(self.programs.graphs.rooted(wanted), self))

        return tuple(filter(None, self.programs.remembered(str, ("reads", *roots), named).split("\n")))

    def _of(self, group: str) -> Iterable[str]:
        tables = {"output": self.outputs, "final": self.state_ports}
        return (f"{group}:{name}" for name in tables[group]) if group in tables else (group,)

    def _roots(self, streams: tuple[str, ...]) -> Roots:
        return (*FORWARD, *(f"stream:{name}" for name in streams)) if streams else FORWARD

    def _streams(self, streams: Sequence[str]) -> tuple[str, ...]:
        names = tuple(sorted({streams} if isinstance(streams, str) else set(streams)))
        for name in names:
            if name not in self.streams:
                raise unknown(self, "stream", name, self.streams)
        return names

    def _chunked(self, request: Request) -> Checkpoint | None:
        """What runs a call in chunks, if there is to be more than one."""
        return self.checkpoint if self.checkpoint and self.checkpoint.divides(request) else None

    def _run(self, runner: Runner, params: Array, request: Request, more: Arrays | None = None) -> dict[str, Array]:
        return request.run(runner, self._flat(params), more)

    def _outward(self, array: Array, kind: Kind) -> Array:
        return np.swapaxes(array, 0, 1) if self.batch_first and kind is Kind.STREAM else array

    def _named(self, values: Arrays, roots: Iterable[tuple[str, str, Kind]]) -> dict[str, Array]:
        """The values of roots, by names, as the caller has them."""
        if self.batch_first:
            return {name: self._outward(values[root], kind) for name, root, kind in roots if root in values}
        return {name: values[root] for name, root, _ in roots if root in values}

    def _state(self, values: Arrays, request: Request) -> dict[str, Array]:
        out = {name: values[root] for name, root in self._finals if root in values}
        if self.random:
            steps = request.steps.get(self.clock, 0)
            lengths = np.full(request.batch, steps) if request.lengths is None else request.lengths[self.clock]
            out["t"] = lengths + request.offset[self.clock] if request.offset else lengths
        return out

    def step(
        self, params: Array, inputs: Any, state: Arrays | None = None, training: bool = False, seed: int = 0
    ) -> tuple[dict[str, Array], dict[str, Array]]:
        """Outputs and states after one more step; arrays have no time axis: [B, *shape].

        Raises:
            UsageError: the cell reads later steps, or runs over several clocks.
        """
        if self.over_steps:
            raise UsageError(f"{self.spec.name} can't be stepped: {self.over_steps}")
        run = self.forward(params, one_step(self, inputs), state, training=training, seed=seed, keep=False)
        index = (slice(None), 0) if self.batch_first else 0
        return {n: a[index] if self.outputs[n].kind is Kind.STREAM else a for n, a in run.outputs.items()}, run.state

    @cached_property
    def over_steps(self) -> str:
        """Why the cell can't be computed step by step ("" where it can)."""
        clocks = sorted({str(p.clock) for p in self.inputs.values()})
        if len(clocks) > 1:
            return f"it runs over the clocks {' and '.join(clocks)}"
        return self.programs.remembered(str, "obstacle", self._reads_later)

    @cached_property
    def over_calls(self) -> str:
        """Why calls that hand on states do not give the losses of the whole sequences ("" where they do)."""
        from recurrency.model.obstacles import over_calls

        return self.programs.remembered(str, "over calls", lambda: over_calls(self))

    def _reads_later(self) -> str:
        from recurrency.model.graphs import obstacle

        return obstacle(self.programs.graph("forward", ()))

    # ------------------------------------------------------------------------------------------------ backwards

    def backward(self, run: Run, output_gradients: Any = None, state_gradients: Arrays | None = None) -> Gradients:
        """Gradients of parameters, inputs and first states, for given gradients of outputs and final states.

        Missing ones are zero; a bare array belongs to the first output.
        """
        tape = run.tape
        if tape is None:
            raise UsageError("this run remembers nothing: call forward with keep=True")
        request = tape.request
        seeds = self._seeds(output_gradients, state_gradients, request)
        for root, port in self._results.items():
            if (name := f"d:{root}") not in seeds:
                seeds[name] = port.zeros(request.steps, request.batch, self.real)
        if tape.kept and self.checkpoint:
            return self._gradients(self.checkpoint.backward(tape.params, request, tape.kept, seeds), request)
        runner = self.programs.runner("backward", tape.streams)
        return self._gradients(self._run(runner, tape.params, request, {**tape.values, **seeds}), request)

    def _seeds(self, outputs: Any, states: Arrays | None, request: Request) -> dict[str, Array]:
        if outputs is not None and not isinstance(outputs, Mapping):
            outputs = {next(iter(self.outputs)): outputs}
        out = {}
        for group, what, table in (("output", "output", outputs), ("final", "state", states)):
            for name, array in (table or {}).items():
                root = f"{group}:{name}"
                if root in self._results:
                    out[f"d:{root}"] = request.fitting(f"the gradient of {name}", array, self._results[root], self)
                elif root != "final:t":  # the count of steps, which stands among the final states of a run
                    raise unknown(self, f"real-valued {what}", name, of_group(self._results, group))
        return out

    def _gradients(self, values: Arrays, request: Request, wrt: Iterable[str] = GROUPS) -> Gradients:
        params = np.empty(0, self.real)
        if "params" in wrt:
            params = values["gradient"] if "gradient" in values else np.zeros(self.size, self.real)
        inputs, state = {}, {}
        if "inputs" in wrt:
            for n, p in self.inputs.items():
                if p.index is None and n in request.given:
                    found = values.get(f"gradient:input:{n}")
                    found = p.zeros(request.steps, request.batch, self.real) if found is None else found
                    inputs[n] = self._outward(found, p.kind)
        if "state" in wrt:
            for n, p in self.state_ports.items():
                if p.index is None:
                    found = values.get(f"gradient:start:{n}")
                    state[n] = p.zeros(request.steps, request.batch, self.real) if found is None else found
        return Gradients(params, inputs, state)

    def vjp(
        self, params: Array, inputs: Any, output_gradients: Any = None, state_gradients: Arrays | None = None,
        state: Arrays | None = None, lengths: Any = None, training: bool = False, seed: int = 0,
    ) -> Gradients:  # fmt: skip
        """Forward and backward in one call: the product of these gradients with the Jacobian."""
        request = gather(self, inputs, state, lengths, training, seed)
        seeds = self._seeds(output_gradients, state_gradients, request)
        if chunked := self._chunked(request):
            return self._gradients(chunked.vjp(self._flat(params), request, seeds), request)
        runner = self.programs.runner("vjp", tuple(sorted(s[2:] for s in seeds)))
        return self._gradients(self._run(runner, params, request, seeds), request)

    # ----------------------------------------------------------------------------------------------------- losses

    def _need_loss(self) -> None:
        if not self.has_loss:
            raise UsageError(f"{self.spec.name} has no loss line")

    def loss(
        self, params: Array, inputs: Any, state: Arrays | None = None, lengths: Any = None, training: bool = False,
        seed: int = 0,
    ) -> float:  # fmt: skip
        """The sum of the loss lines."""
        self._need_loss()
        request = gather(self, inputs, state, lengths, training, seed, LOSS)
        if chunked := self._chunked(request):
            return float(chunked.loss(self._flat(params), request)["loss"])
        return float(self._run(self.programs.runner("loss"), params, request)["loss"])

    def loss_and_gradients(
        self, params: Array, inputs: Any, state: Arrays | None = None, lengths: Any = None, training: bool = False,
        seed: int = 0, wrt: Sequence[str] = GROUPS,
    ) -> tuple[float, Gradients, dict[str, Array]]:  # fmt: skip
        """The loss, its gradients, and the final states.

        `wrt` says what gradients are wanted of (`params`, `inputs`, `state`); without the others the call is faster,
        and their place in the result is empty.
        """
        self._need_loss()
        wrt = groups(wrt)
        request = gather(self, inputs, state, lengths, training, seed, LOSS)
        if chunked := self._chunked(request):
            values = chunked.loss_gradients(self._flat(params), request, wrt)
        else:
            values = self._run(self.programs.runner("loss_gradients", wrt), params, request)
        return float(values["loss"]), self._gradients(values, request, wrt), self._state(values, request)

    def losses(
        self, params: Array, inputs: Any, state: Arrays | None = None, lengths: Any = None, training: bool = False,
        seed: int = 0,
    ) -> dict[str, float]:  # fmt: skip
        """The loss by `loss_kinds`: the sum of the lines that are means over the same."""
        self._need_loss()
        request = gather(self, inputs, state, lengths, training, seed, LOSS)
        return losses.losses(self, self._flat(params), request)

    def losses_and_gradients(
        self, params: Array, inputs: Any, weights: Mapping[str, float] | None = None, state: Arrays | None = None,
        lengths: Any = None, training: bool = False, seed: int = 0, wrt: Sequence[str] = GROUPS,
    ) -> tuple[dict[str, float], Gradients, dict[str, Array]]:  # fmt: skip
        """The loss by `loss_kinds`, the gradients of its sum with `weights` of the kinds, and the final states."""
        self._need_loss()
        wrt = groups(wrt)
        request = gather(self, inputs, state, lengths, training, seed, LOSS)
        found, values = losses.losses_and_gradients(self, self._flat(params), request, weights, wrt)
        return found, self._gradients(values, request, wrt), self._state(values, request)

    # ------------------------------------------------------------------------------------------ further products

    def jvp(
        self, params: Array, inputs: Any, params_tangent: Array | None = None, inputs_tangent: Any = None,
        state_tangent: Arrays | None = None, state: Arrays | None = None, lengths: Any = None, training: bool = False,
        seed: int = 0,
    ) -> tuple[dict[str, Array], dict[str, Array]]:  # fmt: skip
        """Derivatives of outputs and final states along directions of parameters, inputs and first states."""
        request = gather(self, inputs, state, lengths, training, seed)
        given = {} if params_tangent is None else self._direction(params_tangent, "params_tangent")
        inputs_tangent = {} if inputs_tangent is None else by_name(self, inputs_tangent)
        for op, what, table, ports in (
            ("input", "input", inputs_tangent, self.inputs),
            ("start", "state", state_tangent or {}, self.state_ports),
        ):
            real = {n: p for n, p in ports.items() if p.index is None}
            for name, array in table.items():
                if name not in real:
                    raise unknown(self, f"real-valued {what}", name, real)
                given[f"tangent:{op}:{name}"] = request.fitting(f"the tangent of {name}", array, real[name], self)
        runner = self.programs.runner("jvp", tuple(sorted(g[8:] for g in given)))
        values = self._run(runner, params, request, given)
        outputs = self._named(values, [(n, f"tangent:output:{n}", p.kind) for n, p in self.outputs.items()])
        states = [(n, f"tangent:final:{n}", p.kind) for n, p in self.state_ports.items()]
        return outputs, self._named(values, states)

    def _direction(self, vector: Any, what: str) -> dict[str, Array]:
        return {f"tangent:param:{n}": v for n, v in self.views(self._flat(vector, what)).items()}

    def hvp(
        self, params: Array, inputs: Any, vector: Array, state: Arrays | None = None, lengths: Any = None,
        training: bool = False, seed: int = 0,
    ) -> Array:  # fmt: skip
        """The Hessian of the loss in the parameters, times a flat vector."""
        request = gather(self, inputs, state, lengths, training, seed, LOSS)
        return self._curvature("hvp", params, request, vector)

    def gnvp(
        self, params: Array, inputs: Any, vector: Array, state: Arrays | None = None, lengths: Any = None,
        training: bool = False, seed: int = 0,
    ) -> Array:  # fmt: skip
        """The Gauss-Newton matrix of the loss in the parameters, times a flat vector.

        The loss is taken as a function of what its `cross_entropy`, `squared_error`, ... read as predictions;
        `binary_cross_entropy(sigmoid(z), ...)` as one of z, which matches it (Martens and Sutskever 2011, section 3.1).
        What a loss line computes from parameters without these functions counts with its own Hessian.
        """
        request = gather(self, inputs, state, lengths, training, seed, LOSS)
        return self._curvature("gnvp", params, request, vector)

    def _curvature(self, kind: str, params: Array, request: Request, vector: Array) -> Array:
        """A matrix of second derivatives, times a vector; a cell without parameters has an empty one."""
        self._need_loss()
        values = self._run(self.programs.runner(kind), params, request, self._direction(vector, "vector"))
        return values["gradient"] if "gradient" in values else np.zeros(self.size, self.real)
