"""A compiled cell: forward pass, backward pass and all products with derivatives, on any backend."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from recurrency.backend import infers_only
from recurrency.errors import UsageError
from recurrency.graph.roots import ADJOINT, STREAM, TAPE
from recurrency.graph.types import Kind
from recurrency.model import adjoints
from recurrency.model.call import FORWARD, GROUPS, LOSS, flags_of_step, groups, one_step
from recurrency.model.compiled import Arrays
from recurrency.model.products import Products
from recurrency.model.results import Gradients as Gradients
from recurrency.model.results import Run as Run
from recurrency.model.results import Tape

if TYPE_CHECKING:
    from pathlib import Path

    from recurrency.backend import Call
    from recurrency.graph.op import Array
    from recurrency.model.programs import Programs


class Model(Products):
    """A cell compiled for given dimensions, dtype and backend; `spec` is what it was compiled from.

    Arrays are time-first, [T, B, *shape], or [B, T, *shape] with `batch_first`; symbols are whole numbers [T, B].
    Parameters are one flat vector [size]; `views` gives the parameters by their dotted names.

    Most calls take the same keywords. `state` holds initial states by name; states that are missing have their declared
    initial values. `lengths` gives the number of steps of each sequence, [B], or one such list for each clock. `resets`
    [T, B] (bools, or 0 and 1) says at which steps a sequence begins again, from the declared initial values. `mask`
    [T, B] is 0 at steps that are not there, in gaps of the sequences: streams among the results repeat their last value
    there, and are zero before the first step that is there. Of a cell with several clocks, pass resets and masks by
    clock. Random draws depend on the `seed`; those of `sample`, `gumbel` and `categorical` are made always, others in
    `training` only. All calls raise `ShapeError` for an array that does not fit, and `UsageError` for an unknown name.
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
        resets: Any = None,
        mask: Any = None,
    ) -> Run:
        """Outputs, final states, and inner streams by name.

        `inputs` is a dict of arrays by name, or one array. With `keep` the run remembers what `backward` needs
        (`params` and the inputs are not copied: leave them as they are until then), if the backend has gradients.
        """
        names = self.known_streams(streams) if streams else ()
        roots = (*FORWARD, *(STREAM.of(name) for name in names)) if names else FORWARD
        call, gaps = self._gathered(params, inputs, state, lengths, training, seed, roots, resets, mask)
        tape, keep = None, keep and not infers_only(self.programs.backend)
        if keep and (chunked := self._chunked(call)):
            values, kept = chunked.forward(call, names)
            tape = Tape(call, {}, names, kept, gaps)
        else:
            programs = self.programs if resets is None else self._programs(call)
            values = programs.runner("forward_kept" if keep else "forward", names)(call)
            if keep:
                tape = Tape(call, self._taped(values, programs, names), names, None, gaps)
        wanted = [(n, STREAM.of(n), p) for n, p in self.streams.items() if n in names] if names else []
        inner = self._named(values, wanted, gaps) if wanted else {}
        outputs = self._named(values, self._results, gaps)
        return Run(outputs, self._state(values, call), inner, tape, self.interface)

    def _taped(self, values: Arrays, programs: Programs, names: tuple[str, ...]) -> dict[str, Array]:
        """What backward reads of the values of a forward pass that returns some streams."""
        roots = self._tapes.get(names) if programs is self.programs else None
        if roots is None:
            roots = tuple(root for root in values if TAPE.has(root))
            self._tapes |= {names: roots} if programs is self.programs else {}
        return {root: values[root] for root in roots}

    def _state(self, values: Arrays, call: Call) -> dict[str, Array]:
        out = {name: values[root] for name, root in self._finals if root in values}
        if self.random:
            steps = call.steps.get(self.clock, 0)
            lengths = np.full(call.batch, steps) if call.lengths is None else call.lengths[self.clock]
            out["t"] = lengths + call.offset[self.clock] if call.offset else lengths
        return out

    def step(
        self,
        params: Array,
        inputs: Any,
        state: Arrays | None = None,
        training: bool = False,
        seed: int = 0,
        resets: Any = None,
    ) -> tuple[dict[str, Array], dict[str, Array]]:
        """Outputs and states after one more step; arrays have no time axis: [B, *shape], and `resets` [B].

        Raises:
            UsageError: the cell reads later steps, or runs over several clocks.
        """
        if self.over_steps:
            raise UsageError(f"{self.interface.name} can't be stepped: {self.over_steps}")
        arrays = one_step(self.interface, inputs, partial(self.reads, *FORWARD))
        if resets is not None:
            resets = flags_of_step("resets", resets, self.batch_first)
        run = self.forward(params, arrays, state, training=training, seed=seed, keep=False, resets=resets)
        index = (slice(None), 0) if self.batch_first else 0
        return {n: a[index] if self.outputs[n].kind is Kind.STREAM else a for n, a in run.outputs.items()}, run.state

    def export(
        self,
        path: str | Path,
        params: Array | None = None,
        backend: str | None = None,
        streams: Sequence[str] = (),
    ) -> list[str]:
        """Write the cell as a file that needs no recurrency; returns the paths of all files that were written.

        `params` [size] are written into it, by the backends that can (`c`, `onnx`). The extension decides which backend
        writes the file: `.onnx` and `.c` have their own, others are written by `backend`, or by that of this model.
        ONNX files can have inner `streams` as further outputs.

        Raises:
            UsageError: the backend can't write such a file, or not these parameters; the file can't be written; a
                stream is unknown.
        """
        from recurrency.model.export import export

        return export(self, path, params, backend, streams)

    # ---------------------------------------------------------------------------------------------- backward pass

    def backward(self, run: Run, output_gradients: Any = None, state_gradients: Arrays | None = None) -> Gradients:
        """Gradients of parameters, inputs and initial states, for given gradients of outputs and final states.

        Missing ones are zero; a bare array belongs to the first output.
        """
        tape = run.tape
        if tape is None and infers_only(self.programs.backend):
            raise UsageError(f"the backend {self.backend} computes no gradients")
        if tape is None:
            raise UsageError("this run remembers nothing: call forward with keep=True")
        call = tape.call
        seeds = adjoints.all_seeds(self.interface, call, output_gradients, state_gradients, tape.gaps)
        if tape.kept and self.checkpoint:
            values = self.checkpoint.of(call).backward(call, tape.kept, seeds)
        else:
            given = call.with_inputs({**call.given, **tape.values, **seeds})
            values = self._runner(call, "backward", tape.streams)(given)
        return adjoints.gradients(self.interface, call, values, gaps=tape.gaps)

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
        resets: Any = None,
        mask: Any = None,
    ) -> Gradients:
        """Forward and backward pass in one call: the product of these gradients with the Jacobian."""
        call, gaps = self._gathered(params, inputs, state, lengths, training, seed, FORWARD, resets, mask)
        seeds = adjoints.seeds(self.interface, call, output_gradients, state_gradients, gaps)
        if chunked := self._chunked(call):
            values = chunked.vjp(call, seeds)
        else:
            values = self._runner(call, "vjp", tuple(sorted(map(ADJOINT.name, seeds))))(call.plus(seeds))
        return adjoints.gradients(self.interface, call, values, gaps=gaps)

    # ----------------------------------------------------------------------------------------------------- losses

    def loss(
        self,
        params: Array,
        inputs: Any,
        state: Arrays | None = None,
        lengths: Any = None,
        training: bool = False,
        seed: int = 0,
        resets: Any = None,
        mask: Any = None,
    ) -> float:
        """The sum of the loss lines."""
        self.need_loss()
        call = self.gather(params, inputs, state, lengths, training, seed, LOSS, resets, mask)
        chunked = self._chunked(call)
        values = chunked.loss(call) if chunked else self._runner(call, "loss")(call)
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
        resets: Any = None,
        mask: Any = None,
    ) -> tuple[float, Gradients, dict[str, Array]]:
        """The loss, its gradients, and the final states.

        `wrt` says what gradients are wanted of (`params`, `inputs`, `state`); without the others the call is faster,
        and their place in the result is empty.
        """
        self.need_loss()
        wrt = groups(wrt)
        call, gaps = self._gathered(params, inputs, state, lengths, training, seed, LOSS, resets, mask)
        chunked = self._chunked(call)
        programs = self.programs if resets is None else self._programs(call)
        values = chunked.loss_gradients(call, wrt) if chunked else programs.runner("loss_gradients", wrt)(call)
        found = adjoints.gradients(self.interface, call, values, wrt, gaps)
        return float(values["loss"]), found, self._state(values, call)

    def losses(
        self,
        params: Array,
        inputs: Any,
        state: Arrays | None = None,
        lengths: Any = None,
        training: bool = False,
        seed: int = 0,
        resets: Any = None,
        mask: Any = None,
    ) -> dict[str, float]:
        """The loss by `loss_kinds`: the sum of the lines that are means over the same steps and sequences."""
        from recurrency.model import losses

        self.need_loss()
        call = self.gather(params, inputs, state, lengths, training, seed, LOSS, resets, mask)
        if chunked := self._chunked(call):
            return losses.by_kind(self.interface, chunked.loss(call))
        return losses.losses(self.interface, self._programs(call), call)

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
        resets: Any = None,
        mask: Any = None,
    ) -> tuple[dict[str, float], Gradients, dict[str, Array]]:
        """The loss by `loss_kinds`, the gradients of its sum with `weights` of the kinds, and the final states.

        Raises:
            UsageError: a weight is missing, or the loss has no lines of its kind.
        """
        from recurrency.model import losses

        self.need_loss()
        wrt = groups(wrt)
        call, gaps = self._gathered(params, inputs, state, lengths, training, seed, LOSS, resets, mask)
        weights = losses.checked(self.interface, weights)
        if chunked := self._chunked(call):
            values = chunked.loss_gradients(call, wrt, weights)
            found = losses.by_kind(self.interface, values)
        else:
            found, values = losses.losses_and_gradients(self.interface, self._programs(call), call, weights, wrt)
        return found, adjoints.gradients(self.interface, call, values, wrt, gaps), self._state(values, call)
