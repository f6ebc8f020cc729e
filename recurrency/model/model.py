"""A compiled cell: forward pass, backward pass and all products with derivatives, on any backend."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from recurrency.errors import UsageError
from recurrency.graph.roots import ADJOINT, FINAL, OUTPUT, STREAM, TANGENT, TAPE
from recurrency.graph.types import Kind
from recurrency.model import adjoints, parameters
from recurrency.model.call import FORWARD, GROUPS, LOSS, by_name, dtype_name, gather, groups, one_step
from recurrency.model.programs import Programs
from recurrency.model.results import Gradients as Gradients
from recurrency.model.results import Run as Run
from recurrency.model.results import Tape

if TYPE_CHECKING:
    from recurrency.backend import Backend, Call
    from recurrency.graph.op import Array
    from recurrency.language.elaboration.elaborate import Elaborated
    from recurrency.model.checkpoint import Checkpoint
    from recurrency.model.memory import Memory

Arrays: TypeAlias = Mapping[str, Any]


class Model:
    """A cell compiled for given dimensions, dtype and backend; `spec` is what it was compiled from.

    Arrays are time-first, [T, B, *shape], or [B, T, *shape] with `batch_first`; symbols are whole numbers [T, B].
    Parameters are one flat vector [size]; `views` gives the parameters by their dotted names.

    Most calls take the same keywords. `state` holds initial states by name; states that are missing have their declared
    initial values. `lengths` gives the number of steps of each sequence, [B], or one such list for each clock. Random
    draws happen in `training` only, and depend on the `seed`. All calls raise `ShapeError` for an array that does not
    fit, and `UsageError` for an unknown name.
    """

    def __init__(
        self, spec: Any, elaborated: Elaborated | Callable[[], Elaborated], backend: Backend, dtype: Any = "float32",
        batch_first: bool = False, without: Sequence[str] = (), record: str | None = None,
        checkpoint: int | str | None = None,
    ) -> None:  # fmt: skip
        self.spec, self.backend, self.batch_first, self.dtype = spec, backend.name, batch_first, dtype_name(dtype)
        self.programs = Programs(elaborated, backend, self.dtype, without, record)
        self.interface = found = self.programs.interface(batch_first)
        self.dimensions, self.clocks, self.size = dict(found.dimensions), found.clocks, found.size
        self.inputs, self.outputs, self.streams = found.inputs, found.outputs, found.streams
        self.state_ports, self.parameters = found.states, found.parameters
        self.states = {n: p.shape for n, p in self.state_ports.items()}
        self.loss_kinds, self.has_loss, self.random = found.loss_kinds, bool(found.loss_kinds), found.random
        self._results = [(n, OUTPUT.of(n), p.kind) for n, p in self.outputs.items()]
        self._finals = [(n, FINAL.of(n)) for n in self.states]
        self.checkpoint = None if checkpoint is None else self._checkpoint(checkpoint)

    def _checkpoint(self, wanted: int | str) -> Checkpoint:
        from recurrency.model.checkpoint import Checkpoint

        return Checkpoint(self.interface, self.programs, wanted)

    def __repr__(self) -> str:
        sizes = ", ".join(f"{k}={v}" for k, v in self.dimensions.items() if isinstance(v, int))
        return f"<{self.interface.name}({sizes}) on {self.backend}, {self.dtype}, {self.size} parameters>"

    @property
    def real(self) -> np.dtype[Any]:
        """The dtype of real numbers."""
        return self.interface.real

    @property
    def clock(self) -> str:
        """The clock whose steps `state["t"]` counts: the only clock of the inputs, or `t`."""
        return self.interface.clock

    def memory(self, steps: int | Mapping[str, int], batch: int, ragged: bool = False) -> Memory:
        """The bytes that training on `batch` sequences of `steps` steps (of each clock) needs; nothing is run.

        `ragged` says that there will be lengths.

        Raises:
            UsageError: the backend does not report what it allocates, or no chunk is within the budget of a checkpoint.
        """
        from recurrency.model.memory import Forecast

        forecast = Forecast(self.interface, self.programs, batch, ragged)
        count = forecast.counted(steps)
        return forecast.memory(count, self.checkpoint.steps(count[self.clock], batch, ragged) if self.checkpoint else 0)

    # ------------------------------------------------------------------------------------------------ parameters

    def init(self, seed: int = 0) -> Array:
        """Initial values of all parameters, [size]; each depends on the seed and on its own name alone."""
        return parameters.initial(self.interface, seed)

    def views(self, params: Array) -> dict[str, Array]:
        """The parameters by dotted name, as views of the flat vector (of any dtype): to write into one changes it."""
        return self.interface.views(parameters.checked_vector(self.interface, params))

    def pack(self, arrays: Arrays) -> Array:
        """The flat vector of parameters that are given by name.

        Raises:
            ShapeError: a parameter is missing, unknown, or of another shape.
        """
        return parameters.pack(self.interface, arrays)

    # ----------------------------------------------------------------------------------------------- forward pass

    def forward(
        self, params: Array, inputs: Any, state: Arrays | None = None, lengths: Any = None, streams: Sequence[str] = (),
        training: bool = False, seed: int = 0, keep: bool = True,
    ) -> Run:  # fmt: skip
        """Outputs, final states, and inner streams by name.

        `inputs` is a dict of arrays by name, or one array. With `keep` the run remembers what `backward` needs
        (`params` and the inputs are not copied: leave them as they are until then).
        """
        names = self._streams(streams) if streams else ()
        roots = (*FORWARD, *(STREAM.of(name) for name in names)) if names else FORWARD
        call, tape = self.gather(params, inputs, state, lengths, training, seed, roots), None
        if keep and (chunked := self._chunked(call)):
            values, kept = chunked.forward(call, names)
            tape = Tape(call, {}, names, kept)
        else:
            values = self.programs.runner("forward_kept" if keep else "forward", names)(call)
            if keep:
                tape = Tape(call, {k: v for k, v in values.items() if TAPE.has(k)}, names)
        wanted = [(n, STREAM.of(n), p.kind) for n, p in self.streams.items() if n in names] if names else []
        inner = self._named(values, wanted) if wanted else {}
        return Run(self._named(values, self._results), self._state(values, call), inner, tape)

    def gather(
        self, params: Array, inputs: Any, state: Arrays | None = None, lengths: Any = None, training: bool = False,
        seed: int = 0, roots: tuple[str, ...] = FORWARD,
    ) -> Call:  # fmt: skip
        """The arguments of a call that computes `roots`, checked, as the programs of a backend take them.

        Raises:
            ShapeError: an array does not fit. UsageError: a name is unknown, or an input that the roots need missing.
        """
        required = partial(self.reads, *roots)
        return gather(self.interface, params, inputs, state, lengths, training, seed, required)

    def reads(self, *roots: str) -> tuple[str, ...]:
        """The inputs that some roots (or groups of them, such as `output`) need; the others may be left out."""

        def needed() -> tuple[str, ...]:
            wanted = tuple(r for root in roots for r in self.interface.roots(root))
            return self.interface.needed(self.programs.graphs.rooted(wanted))

        return self.programs.remembered(tuple[str, ...], ("reads", *roots), needed)

    def _streams(self, streams: Sequence[str]) -> tuple[str, ...]:
        names = tuple(sorted({streams} if isinstance(streams, str) else set(streams)))
        for name in names:
            if name not in self.streams:
                raise self.interface.unknown("stream", name, self.streams)
        return names

    def _chunked(self, call: Call) -> Checkpoint | None:
        """What runs a call in chunks, if there is to be more than one."""
        return self.checkpoint if self.checkpoint and self.checkpoint.divides(call) else None

    def _named(self, values: Arrays, roots: Iterable[tuple[str, str, Kind]]) -> dict[str, Array]:
        """The values of roots, by name, with the axes that the caller uses."""
        if self.batch_first:
            return {name: self.interface.outward(values[root], kind) for name, root, kind in roots if root in values}
        return {name: values[root] for name, root, _ in roots if root in values}

    def _state(self, values: Arrays, call: Call) -> dict[str, Array]:
        out = {name: values[root] for name, root in self._finals if root in values}
        if self.random:
            steps = call.steps.get(self.clock, 0)
            lengths = np.full(call.batch, steps) if call.lengths is None else call.lengths[self.clock]
            out["t"] = lengths + call.offset[self.clock] if call.offset else lengths
        return out

    def step(
        self, params: Array, inputs: Any, state: Arrays | None = None, training: bool = False, seed: int = 0
    ) -> tuple[dict[str, Array], dict[str, Array]]:
        """Outputs and states after one more step; arrays have no time axis: [B, *shape].

        Raises:
            UsageError: the cell reads later steps, or runs over several clocks.
        """
        if self.over_steps:
            raise UsageError(f"{self.interface.name} can't be stepped: {self.over_steps}")
        arrays = one_step(self.interface, inputs, partial(self.reads, *FORWARD))
        run = self.forward(params, arrays, state, training=training, seed=seed, keep=False)
        index = (slice(None), 0) if self.batch_first else 0
        return {n: a[index] if self.outputs[n].kind is Kind.STREAM else a for n, a in run.outputs.items()}, run.state

    @cached_property
    def over_steps(self) -> str:
        """Why the cell can't be computed step by step ("" where it can)."""
        clocks = self.interface.input_clocks
        if len(clocks) > 1:
            return f"it runs over the clocks {' and '.join(clocks)}"
        return self.programs.obstacle_over_steps()

    @cached_property
    def over_calls(self) -> str:
        """Why calls that pass states on do not add up to the losses of the whole sequences ("" where they do)."""
        return self.programs.obstacle_over_calls()

    # ---------------------------------------------------------------------------------------------- backward pass

    def backward(self, run: Run, output_gradients: Any = None, state_gradients: Arrays | None = None) -> Gradients:
        """Gradients of parameters, inputs and initial states, for given gradients of outputs and final states.

        Missing ones are zero; a bare array belongs to the first output.
        """
        tape = run.tape
        if tape is None:
            raise UsageError("this run remembers nothing: call forward with keep=True")
        call = tape.call
        seeds = adjoints.all_seeds(self.interface, call, output_gradients, state_gradients)
        if tape.kept and self.checkpoint:
            values = self.checkpoint.backward(call, tape.kept, seeds)
        else:
            values = self.programs.runner("backward", tape.streams)(call.plus({**tape.values, **seeds}))
        return adjoints.gradients(self.interface, call, values)

    def vjp(
        self, params: Array, inputs: Any, output_gradients: Any = None, state_gradients: Arrays | None = None,
        state: Arrays | None = None, lengths: Any = None, training: bool = False, seed: int = 0,
    ) -> Gradients:  # fmt: skip
        """Forward and backward pass in one call: the product of these gradients with the Jacobian."""
        call = self.gather(params, inputs, state, lengths, training, seed)
        seeds = adjoints.seeds(self.interface, call, output_gradients, state_gradients)
        if chunked := self._chunked(call):
            values = chunked.vjp(call, seeds)
        else:
            values = self.programs.runner("vjp", tuple(sorted(map(ADJOINT.name, seeds))))(call.plus(seeds))
        return adjoints.gradients(self.interface, call, values)

    # ----------------------------------------------------------------------------------------------------- losses

    def _need_loss(self) -> None:
        if not self.has_loss:
            raise UsageError(f"{self.interface.name} has no loss line")

    def loss(
        self, params: Array, inputs: Any, state: Arrays | None = None, lengths: Any = None, training: bool = False,
        seed: int = 0,
    ) -> float:  # fmt: skip
        """The sum of the loss lines."""
        self._need_loss()
        call = self.gather(params, inputs, state, lengths, training, seed, LOSS)
        chunked = self._chunked(call)
        values = chunked.loss(call) if chunked else self.programs.runner("loss")(call)
        return float(values["loss"])

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
        call = self.gather(params, inputs, state, lengths, training, seed, LOSS)
        chunked = self._chunked(call)
        values = chunked.loss_gradients(call, wrt) if chunked else self.programs.runner("loss_gradients", wrt)(call)
        return float(values["loss"]), adjoints.gradients(self.interface, call, values, wrt), self._state(values, call)

    def losses(
        self, params: Array, inputs: Any, state: Arrays | None = None, lengths: Any = None, training: bool = False,
        seed: int = 0,
    ) -> dict[str, float]:  # fmt: skip
        """The loss by `loss_kinds`: the sum of the lines that are means over the same steps and sequences."""
        from recurrency.model import losses

        self._need_loss()
        call = self.gather(params, inputs, state, lengths, training, seed, LOSS)
        if chunked := self._chunked(call):
            return losses.by_kind(self.interface, chunked.loss(call))
        return losses.losses(self.interface, self.programs, call)

    def losses_and_gradients(
        self, params: Array, inputs: Any, weights: Mapping[str, float] | None = None, state: Arrays | None = None,
        lengths: Any = None, training: bool = False, seed: int = 0, wrt: Sequence[str] = GROUPS,
    ) -> tuple[dict[str, float], Gradients, dict[str, Array]]:  # fmt: skip
        """The loss by `loss_kinds`, the gradients of its sum with `weights` of the kinds, and the final states.

        Raises:
            UsageError: a weight is missing, or the loss has no lines of its kind.
        """
        from recurrency.model import losses

        self._need_loss()
        wrt = groups(wrt)
        call = self.gather(params, inputs, state, lengths, training, seed, LOSS)
        weights = losses.checked(self.interface, weights)
        if chunked := self._chunked(call):
            values = chunked.loss_gradients(call, wrt, weights)
            found = losses.by_kind(self.interface, values)
        else:
            found, values = losses.losses_and_gradients(self.interface, self.programs, call, weights, wrt)
        return found, adjoints.gradients(self.interface, call, values, wrt), self._state(values, call)

    # ------------------------------------------------------------------------------------------ further products

    def jvp(
        self, params: Array, inputs: Any, params_tangent: Array | None = None, inputs_tangent: Any = None,
        state_tangent: Arrays | None = None, state: Arrays | None = None, lengths: Any = None, training: bool = False,
        seed: int = 0,
    ) -> tuple[dict[str, Array], dict[str, Array]]:  # fmt: skip
        """Derivatives of outputs and final states along directions of parameters, inputs and initial states."""
        call = self.gather(params, inputs, state, lengths, training, seed)
        given = {} if params_tangent is None else adjoints.direction(self.interface, params_tangent, "params_tangent")
        if inputs_tangent is not None:
            inputs_tangent = by_name(self.interface, inputs_tangent, partial(self.reads, *FORWARD))
        given |= adjoints.tangents(self.interface, call, inputs_tangent or {}, state_tangent)
        values = self.programs.runner("jvp", tuple(sorted(map(TANGENT.name, given))))(call.plus(given))
        outputs = self._named(values, [(n, TANGENT.of(OUTPUT.of(n)), p.kind) for n, p in self.outputs.items()])
        states = [(n, TANGENT.of(FINAL.of(n)), p.kind) for n, p in self.state_ports.items()]
        return outputs, self._named(values, states)

    def hvp(
        self, params: Array, inputs: Any, vector: Array, state: Arrays | None = None, lengths: Any = None,
        training: bool = False, seed: int = 0,
    ) -> Array:  # fmt: skip
        """The Hessian of the loss in the parameters, times a flat vector [size] (Pearlmutter 1994)."""
        return self._curvature("hvp", self.gather(params, inputs, state, lengths, training, seed, LOSS), vector)

    def gnvp(
        self, params: Array, inputs: Any, vector: Array, state: Arrays | None = None, lengths: Any = None,
        training: bool = False, seed: int = 0,
    ) -> Array:  # fmt: skip
        """The Gauss-Newton matrix of the loss in the parameters, times a flat vector [size].

        The loss is taken as a function of what its `cross_entropy`, `squared_error`, ... read as predictions;
        `binary_cross_entropy(sigmoid(z), ...)` as a function of z, which matches it (Martens and Sutskever 2011,
        section 3.1). What a loss line computes from parameters without these functions counts with its own Hessian.
        """
        return self._curvature("gnvp", self.gather(params, inputs, state, lengths, training, seed, LOSS), vector)

    def _curvature(self, kind: str, call: Call, vector: Array) -> Array:
        """A matrix of second derivatives, times a vector; a cell without parameters has an empty one."""
        self._need_loss()
        vector_of = adjoints.direction(self.interface, vector, "vector")
        return adjoints.parameter_gradient(self.interface, self.programs.runner(kind)(call.plus(vector_of)))
