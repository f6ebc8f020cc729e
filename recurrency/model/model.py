"""A compiled cell: forward pass, backward pass and all products with derivatives, on any backend."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from recurrency.errors import UsageError
from recurrency.graph.roots import ADJOINT, DAMPING, FINAL, OUTPUT, STREAM, TANGENT, TAPE
from recurrency.graph.types import Kind
from recurrency.model import adjoints
from recurrency.model import damping as structural
from recurrency.model.call import FORWARD, GROUPS, LOSS, by_name, groups, one_step
from recurrency.model.compiled import Arrays, Compiled
from recurrency.model.results import Gradients as Gradients
from recurrency.model.results import Run as Run
from recurrency.model.results import Tape

if TYPE_CHECKING:
    from recurrency.backend import Call
    from recurrency.graph.op import Array
    from recurrency.model.curvature import Curvature


class Model(Compiled):
    """A cell compiled for given dimensions, dtype and backend; `spec` is what it was compiled from.

    Arrays are time-first, [T, B, *shape], or [B, T, *shape] with `batch_first`; symbols are whole numbers [T, B].
    Parameters are one flat vector [size]; `views` gives the parameters by their dotted names.

    Most calls take the same keywords. `state` holds initial states by name; states that are missing have their declared
    initial values. `lengths` gives the number of steps of each sequence, [B], or one such list for each clock. Random
    draws happen in `training` only, and depend on the `seed`. All calls raise `ShapeError` for an array that does not
    fit, and `UsageError` for an unknown name.
    """

    # ----------------------------------------------------------------------------------------------- forward pass

    def forward(
        self,
        params: Array,
        inputs: Any,
        state: Arrays | None = None,
        lengths: Any = None,
        streams: Sequence[str] = (),
        training: bool = False,
        seed: int = 0,
        keep: bool = True,
    ) -> Run:
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
                tape = Tape(call, {k: v for k, v in values.items() if k.startswith(TAPE.prefix)}, names)
        wanted = [(n, STREAM.of(n), p.kind) for n, p in self.streams.items() if n in names] if names else []
        inner = self._named(values, wanted) if wanted else {}
        return Run(self._named(values, self._results), self._state(values, call), inner, tape)

    def _streams(self, streams: Sequence[str]) -> tuple[str, ...]:
        names = tuple(sorted({streams} if isinstance(streams, str) else set(streams)))
        for name in names:
            if name not in self.streams:
                raise self.interface.unknown("stream", name, self.streams)
        return names

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
        self,
        params: Array,
        inputs: Any,
        output_gradients: Any = None,
        state_gradients: Arrays | None = None,
        state: Arrays | None = None,
        lengths: Any = None,
        training: bool = False,
        seed: int = 0,
    ) -> Gradients:
        """Forward and backward pass in one call: the product of these gradients with the Jacobian."""
        call = self.gather(params, inputs, state, lengths, training, seed)
        seeds = adjoints.seeds(self.interface, call, output_gradients, state_gradients)
        if chunked := self._chunked(call):
            values = chunked.vjp(call, seeds)
        else:
            values = self.programs.runner("vjp", tuple(sorted(map(ADJOINT.name, seeds))))(call.plus(seeds))
        return adjoints.gradients(self.interface, call, values)

    # ----------------------------------------------------------------------------------------------------- losses

    def need_loss(self) -> None:
        """Raise a UsageError if the cell has no loss line."""
        if not self.has_loss:
            raise UsageError(f"{self.interface.name} has no loss line")

    def loss(
        self,
        params: Array,
        inputs: Any,
        state: Arrays | None = None,
        lengths: Any = None,
        training: bool = False,
        seed: int = 0,
    ) -> float:
        """The sum of the loss lines."""
        self.need_loss()
        call = self.gather(params, inputs, state, lengths, training, seed, LOSS)
        chunked = self._chunked(call)
        values = chunked.loss(call) if chunked else self.programs.runner("loss")(call)
        return float(values["loss"])

    def loss_and_gradients(
        self,
        params: Array,
        inputs: Any,
        state: Arrays | None = None,
        lengths: Any = None,
        training: bool = False,
        seed: int = 0,
        wrt: Sequence[str] = GROUPS,
    ) -> tuple[float, Gradients, dict[str, Array]]:
        """The loss, its gradients, and the final states.

        `wrt` says what gradients are wanted of (`params`, `inputs`, `state`); without the others the call is faster,
        and their place in the result is empty.
        """
        self.need_loss()
        wrt = groups(wrt)
        call = self.gather(params, inputs, state, lengths, training, seed, LOSS)
        chunked = self._chunked(call)
        values = chunked.loss_gradients(call, wrt) if chunked else self.programs.runner("loss_gradients", wrt)(call)
        return float(values["loss"]), adjoints.gradients(self.interface, call, values, wrt), self._state(values, call)

    def losses(
        self,
        params: Array,
        inputs: Any,
        state: Arrays | None = None,
        lengths: Any = None,
        training: bool = False,
        seed: int = 0,
    ) -> dict[str, float]:
        """The loss by `loss_kinds`: the sum of the lines that are means over the same steps and sequences."""
        from recurrency.model import losses

        self.need_loss()
        call = self.gather(params, inputs, state, lengths, training, seed, LOSS)
        if chunked := self._chunked(call):
            return losses.by_kind(self.interface, chunked.loss(call))
        return losses.losses(self.interface, self.programs, call)

    def losses_and_gradients(
        self,
        params: Array,
        inputs: Any,
        weights: Mapping[str, float] | None = None,
        state: Arrays | None = None,
        lengths: Any = None,
        training: bool = False,
        seed: int = 0,
        wrt: Sequence[str] = GROUPS,
    ) -> tuple[dict[str, float], Gradients, dict[str, Array]]:
        """The loss by `loss_kinds`, the gradients of its sum with `weights` of the kinds, and the final states.

        Raises:
            UsageError: a weight is missing, or the loss has no lines of its kind.
        """
        from recurrency.model import losses

        self.need_loss()
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
        self,
        params: Array,
        inputs: Any,
        params_tangent: Array | None = None,
        inputs_tangent: Any = None,
        state_tangent: Arrays | None = None,
        state: Arrays | None = None,
        lengths: Any = None,
        training: bool = False,
        seed: int = 0,
    ) -> tuple[dict[str, Array], dict[str, Array]]:
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
        self,
        params: Array,
        inputs: Any,
        vector: Array,
        state: Arrays | None = None,
        lengths: Any = None,
        training: bool = False,
        seed: int = 0,
    ) -> Array:
        """The Hessian of the loss in the parameters, times a flat vector [size] (Pearlmutter 1994)."""
        return self._curvature(("hvp",), self.gather(params, inputs, state, lengths, training, seed, LOSS), vector)

    def gnvp(
        self,
        params: Array,
        inputs: Any,
        vector: Array,
        state: Arrays | None = None,
        lengths: Any = None,
        training: bool = False,
        seed: int = 0,
        damping: Mapping[str, float] | None = None,
        distance: str = "matching",
    ) -> Array:
        """The Gauss-Newton matrix of the loss in the parameters, times a flat vector [size].

        The loss is taken as a function of what its `cross_entropy`, `squared_error`, ... read as predictions;
        `binary_cross_entropy(sigmoid(z), ...)` as a function of z, which matches it (Martens and Sutskever 2011,
        section 3.1); other formulas as functions of the values in which they are convex. Where that is a parameter, as
        in a penalty, the line counts with its own Hessian.

        `damping` adds structural damping (section 3.2): for each stream by name, its weight (lambda mu) times the
        Gauss-Newton matrix of a distance to the present values, summed over all steps and divided as the loss is: by
        the number of sequences, or of steps if the loss is a mean over steps. The distance is |z - z_n|^2 / 2; with
        `distance="matching"`, that of a stream computed by tanh or sigmoid matches it: the curvature in the argument
        of tanh is 1 - z^2, of sigmoid z (1 - z). `distance="squared"` is the squared distance everywhere.

        Raises:
            UsageError: a stream is unknown, static or of symbols; a weight is negative or not finite; no such distance.
        """
        weights = {} if damping is None else structural.weights(self.interface, damping)
        names, matching = tuple(map(DAMPING.name, weights)), structural.is_matching(distance)
        call = self.gather(params, inputs, state, lengths, training, seed, (*LOSS, *map(STREAM.of, names)))
        return self._curvature(("gnvp", names, matching or not names), call.plus(weights), vector)

    def curvature(
        self,
        params: Array,
        inputs: Any,
        state: Arrays | None = None,
        lengths: Any = None,
        training: bool = False,
        seed: int = 0,
        damped: Sequence[str] = (),
        distance: str = "matching",
    ) -> Curvature:
        """The Gauss-Newton matrix of `gnvp` as a function of vectors, with structural damping of the streams `damped`.

        The forward pass runs once, and its values are kept for all products `curvature(vector, weights)`. Leave
        `params` and the inputs as they are until the last one: they are not copied.

        Raises:
            UsageError: a stream is unknown, static or of symbols; there is no such distance.
        """
        from recurrency.model.curvature import Curvature

        self.need_loss()
        names = structural.streams(self.interface, (damped,) if isinstance(damped, str) else damped)
        matching = structural.is_matching(distance) or not names
        call = self.gather(params, inputs, state, lengths, training, seed, (*LOSS, *map(STREAM.of, names)))
        return Curvature(self.interface, self.programs, call, names, matching)

    def _curvature(self, program: tuple[Any, ...], call: Call, vector: Array) -> Array:
        """A matrix of second derivatives, times a vector; a cell without parameters has an empty one."""
        self.need_loss()
        vector_of = adjoints.direction(self.interface, vector, "vector")
        return adjoints.parameter_gradient(self.interface, self.programs.runner(*program)(call.plus(vector_of)))
