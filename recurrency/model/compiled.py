"""A compiled cell without its computations: interface, parameters, and forecasts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from recurrency.backend import Computing
from recurrency.errors import UsageError
from recurrency.graph.roots import FINAL, OUTPUT, RESET, STREAM, WEIGHT
from recurrency.graph.types import Kind
from recurrency.model import parameters
from recurrency.model.call import FORWARD, clocks_of_resets, dtype_name, gather
from recurrency.model.gaps import NONE, Gaps, of
from recurrency.model.programs import Programs

if TYPE_CHECKING:
    from recurrency.backend import Backend, Call, Runner
    from recurrency.graph.op import Array
    from recurrency.language.elaboration.elaborate import Elaborated
    from recurrency.model.arrays import Port
    from recurrency.model.checkpoint import Checkpoint
    from recurrency.model.memory import Memory

Arrays: TypeAlias = Mapping[str, Any]


class Compiled:
    """The interface and the programs of a compiled cell; `spec` is what it was compiled from."""

    def __init__(
        self,
        spec: Any,
        elaborated: Elaborated | Callable[[], Elaborated],
        backend: Backend,
        dtype: Any = "float32",
        batch_first: bool = False,
        without: Sequence[str] = (),
        record: str | None = None,
        checkpoint: int | str | None = None,
    ) -> None:
        self.spec, self.backend, self.batch_first, self.dtype = spec, backend.name, batch_first, dtype_name(dtype)
        if isinstance(backend, Computing):
            backend.require(self.dtype)
        self.programs = Programs(elaborated, backend, self.dtype, without, record)
        self.interface = found = self.programs.interface(batch_first)
        self.dimensions, self.clocks, self.size = dict(found.dimensions), found.clocks, found.size
        self.inputs, self.outputs, self.streams = found.inputs, found.outputs, found.streams
        self.state_ports, self.parameters = found.states, found.parameters
        self.states = {n: p.shape for n, p in self.state_ports.items()}
        self.loss_kinds, self.has_loss, self.random = found.loss_kinds, bool(found.loss_kinds), found.random
        self.samples = found.samples
        self._results = [(n, OUTPUT.of(n), p) for n, p in self.outputs.items()]
        self._finals = [(n, FINAL.of(n)) for n in self.states]
        self._tapes: dict[tuple[str, ...], tuple[str, ...]] = {}
        self.checkpoint = None if checkpoint is None else self._checkpoint(checkpoint)

    def _checkpoint(self, wanted: int | str) -> Checkpoint:
        from recurrency.model.checkpoint import Checkpoint

        return Checkpoint(self.interface, self.programs, wanted)

    def __repr__(self) -> str:
        sizes = ", ".join(f"{k}={v}" for k, v in self.dimensions.items() if isinstance(v, int))
        return f"<{self.interface.name}({sizes}) on {self.backend}, {self.dtype}, {self.size} parameters>"

    def _repr_html_(self) -> str:
        """Dimensions, ports and parameters, for notebooks."""
        from recurrency.model.views import model_html

        return model_html(self.interface, self.backend)

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

    def gather(
        self,
        params: Array,
        inputs: Any,
        state: Arrays | None = None,
        lengths: Any = None,
        training: bool = False,
        seed: int = 0,
        roots: tuple[str, ...] = FORWARD,
        resets: Any = None,
        mask: Any = None,
    ) -> Call:
        """The arguments of a call that computes `roots`, checked, as the programs of a backend take them.

        Raises:
            ShapeError: an array does not fit. UsageError: a name is unknown, or an input that the roots need missing.
        """
        return self._gathered(params, inputs, state, lengths, training, seed, roots, resets, mask)[0]

    def _gathered(
        self,
        params: Array,
        inputs: Any,
        state: Arrays | None,
        lengths: Any,
        training: bool,
        seed: int,
        roots: tuple[str, ...],
        resets: Any,
        mask: Any,
    ) -> tuple[Call, Gaps]:
        """The same, and the gaps of the mask, which are not in the arguments."""
        required = partial(self.reads, *roots)
        call, gaps = gather(self.interface, params, inputs, state, lengths, training, seed, required, resets, mask)
        if resets is not None:
            self.allow_resets(clocks_of_resets(call), roots)
        return call, gaps

    def allow_resets(self, clocks: tuple[str, ...], roots: tuple[str, ...] = ()) -> None:
        """Raise a UsageError if the results, or the loss or a stream among some roots, can't be reset."""
        streams = tuple(STREAM.name(root) for root in roots if STREAM.has(root))
        if clocks and (why := self.programs.obstacle_to_resets(clocks, streams, "loss" in roots)):
            raise UsageError(f"{self.interface.name} can't be reset within sequences: {why}")

    def reads(self, *roots: str) -> tuple[str, ...]:
        """The inputs that some roots (or groups of them, such as `output`) need; the others may be left out."""

        def needed() -> tuple[str, ...]:
            wanted = tuple(r for root in roots for r in self.interface.roots(root))
            return self.interface.needed(self.programs.graphs.rooted(wanted))

        return self.programs.remembered(tuple[str, ...], ("reads", *roots), needed)

    def _programs(self, call: Call) -> Programs:
        """The programs for a call: with resets, if it has any."""
        clocks = clocks_of_resets(call)
        return self.programs.resetting(clocks) if clocks else self.programs

    def _runner(self, call: Call, kind: str, *options: Any) -> Runner:
        """The compiled program of a kind for a call. It is on the way of all calls, most of which have no resets."""
        for name in call.given:
            if name.startswith(RESET.prefix):
                return self._programs(call).runner(kind, *options)
        return self.programs.runner(kind, *options)

    def loss_weights(self, inputs: Any, lengths: Any = None, mask: Any = None, **more: Any) -> dict[str, Array]:
        """The sums of the weights of each sequence, [B], by the kinds of loss lines that have weights.

        `more` may be the `resets` and the `state` of the call.
        """
        return self.weights_and_state(inputs, lengths=lengths, mask=mask, **more)[0]

    def weights_and_state(
        self, inputs: Any, state: Arrays | None = None, lengths: Any = None, resets: Any = None, mask: Any = None
    ) -> tuple[dict[str, Array], dict[str, Array]]:
        """The same, and the final states that the weights of the next call depend on."""
        kinds = tuple(kind for kind in self.loss_kinds if WEIGHT.has(kind))
        call = self.gather(np.zeros(self.size, self.real), inputs, state, lengths, False, 0, kinds, resets, mask)
        values = self._runner(call, "weights")(call)
        return {kind: values[kind] for kind in kinds}, FINAL.within(values)

    def _chunked(self, call: Call) -> Checkpoint | None:
        """What runs a call in chunks, if there is to be more than one."""
        found = self.checkpoint.of(call) if self.checkpoint else None
        return found if found and found.divides(call) else None

    def _named(self, values: Arrays, roots: Iterable[tuple[str, str, Port]], gaps: Gaps = NONE) -> dict[str, Array]:
        """The values of roots, by name, with the axes that the caller uses and its gaps."""
        if not gaps and not self.batch_first:
            return {name: values[root] for name, root, _ in roots if root in values}
        out = {}
        for name, root, port in roots:
            if root in values:
                gap = of(gaps, port) if gaps and port.kind is Kind.STREAM else None
                array = values[root] if gap is None else gap.repeated(values[root], 0 if port.index is None else -1)
                out[name] = self.interface.outward(array, port.kind) if self.batch_first else array
        return out

    def known_streams(self, streams: Sequence[str]) -> tuple[str, ...]:
        """The names of some inner streams, sorted.

        Raises:
            UsageError: one is unknown.
        """
        names = tuple(sorted({streams} if isinstance(streams, str) else set(streams)))
        for name in names:
            if name not in self.streams:
                raise self.interface.unknown("stream", name, self.streams)
        return names

    def need_loss(self) -> None:
        """Raise a UsageError if the cell has no loss line."""
        if not self.has_loss:
            raise UsageError(f"{self.interface.name} has no loss line")

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

    @cached_property
    def over_curvature(self) -> str:
        """Why second-order optimisation can't use the Gauss-Newton matrix of the loss ("" where it can).

        It can where each loss line is convex in the predictions that it reads, and one of them is curved there.
        """
        return self.programs.obstacle_to_curvature()
