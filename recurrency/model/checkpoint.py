"""Checkpointing through time: the states between chunks of steps are kept, and each chunk is recomputed backwards.

After Chen et al. 2016, "Training deep nets with sublinear memory cost" (arXiv:1604.06174), with steps as the layers.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np

from recurrency.backend import Call, Runner
from recurrency.errors import UsageError
from recurrency.graph.op import Array
from recurrency.graph.roots import ADJOINT, AFTER, FINAL, GRADIENT, INPUT, LOSS, OUTPUT, RESET, START, STREAM, WEIGHT
from recurrency.graph.types import Kind
from recurrency.model.budget import longest, size_in_bytes
from recurrency.model.call import GROUPS, clocks_of_resets
from recurrency.model.chunk_roots import ChunkRoots
from recurrency.model.interface import Interface
from recurrency.model.memory import Forecast
from recurrency.model.programs import Programs
from recurrency.model.results import Kept, State
from recurrency.passes.chunks import STEPS, of_each_step
from recurrency.passes.stepwise import obstacle_in_chunks

Piece = tuple[int, int]
"""The first step of a chunk, and the step after its last one."""


class Checkpoint:
    """Runs the calls of a model in chunks: of a fixed number of steps, or of as many as a budget of memory allows.

    The first chunk has no steps. It computes the initial states that the caller left out, so that all other chunks are
    called in the same way; and terms of the loss that have no steps, such as a penalty, count in it alone.

    Raises:
        UsageError: `wanted` is neither a number of steps nor a budget, or the cell can't be run in chunks.
    """

    def __init__(
        self, interface: Interface, programs: Programs, wanted: int | str, plain: Programs | None = None
    ) -> None:
        self.interface, self.programs, self.wanted = interface, programs, wanted
        self.plain = plain or programs
        """The programs that show whether the cell can be run in chunks: without resets after the last step."""
        self.roots = ChunkRoots(interface, programs)
        self.budget = size_in_bytes(wanted) if isinstance(wanted, str) and not wanted.strip().isdigit() else None
        self.fixed = whole_steps(wanted) if self.budget is None else 0
        self._chosen: dict[tuple[int, int, bool], int] = {}
        self._resetting: dict[tuple[str, ...], Checkpoint] = {}
        self._weighed: tuple[Call, dict[str, float]] | None = None
        reason = in_one_piece(interface, self.plain)
        if reason:
            raise UsageError(f"{interface.name} can't be run in chunks: {reason}")

    def of(self, call: Call) -> Checkpoint:
        """What runs such a call: these programs, or those with resets."""
        clocks = clocks_of_resets(call)
        if not clocks:
            return self
        if clocks not in self._resetting:
            plain = tuple(clock for clock in clocks if not AFTER.has(RESET.of(clock)))
            of_plain = self.programs.resetting(plain)
            self._resetting[clocks] = Checkpoint(self.interface, self.programs.resetting(clocks), self.wanted, of_plain)
        return self._resetting[clocks]

    def steps(self, count: int, batch: int, ragged: bool = False) -> int:
        """The number of steps of a chunk in calls of these sizes.

        Raises:
            UsageError: no chunk is within the budget.
        """
        if self.budget is None:
            return self.fixed
        key = (count, batch, ragged)
        if key not in self._chosen:
            forecast = Forecast(self.interface, self.programs, batch, ragged)
            self._chosen[key] = longest(forecast, self.budget, count)
        return self._chosen[key]

    def divides(self, call: Call) -> bool:
        """Whether a call is run in more than one chunk."""
        count = call.steps.get(self.interface.clock, 0)
        return 0 < self.steps(count, call.batch, call.lengths is not None) < count

    # ---------------------------------------------------------------------------------------------------- whole calls

    def forward(self, call: Call, streams: Sequence[str]) -> tuple[dict[str, Array], Kept]:
        """Outputs, streams and final states, and what is kept for the backward pass.

        Raises:
            UsageError: a stream can't be computed in chunks.
        """
        reason = in_one_piece(self.interface, self.plain, streams) if streams else ""
        if reason:
            raise UsageError(f"{' and '.join(streams)} can't be computed in chunks, but with keep=False: {reason}")
        roots = (*(OUTPUT.of(name) for name in self.interface.outputs), *(STREAM.of(name) for name in streams))
        pieces = self._pieces(call)
        states, values = self._states(call, pieces, roots)
        return {**values, **states.pop()}, Kept(tuple(pieces), tuple(states))

    def backward(self, call: Call, kept: Kept, seeds: Mapping[str, Array]) -> dict[str, Array]:
        """The gradients of a forward pass for given adjoints of its results."""
        return self._gradients(call, kept, seeds, GROUPS)

    def vjp(self, call: Call, seeds: Mapping[str, Array]) -> dict[str, Array]:
        """Forward and backward pass in one call."""
        return self._gradients(call, self._kept(call), seeds, GROUPS)

    def loss(self, call: Call) -> dict[str, Array]:
        """The loss, as a whole and by the kinds of its lines, and the final states."""
        losses = dict.fromkeys(self.roots.lines, 0.0)
        (state,) = deque(self._counted(call, losses), maxlen=1)
        return {**_loss_values(losses), **state}

    def loss_gradients(
        self, call: Call, wrt: tuple[str, ...], weights: Mapping[str, float] | None = None
    ) -> dict[str, Array]:
        """The loss, as a whole and by kinds, the gradients for these weights of the kinds, and the final states."""
        if not wrt:
            return self.loss(call)
        given = dict.fromkeys(self.roots.lines, 1.0) if weights is None else weights
        moving = self.roots.moving_weights(wrt)
        if not moving:
            return self._gradients(call, self._kept(call), {}, wrt, given)
        losses = dict.fromkeys(self.roots.lines, 0.0)
        states: list[State] = [{}, *self._counted(call, losses)]
        each = {ADJOINT.of(root): self._seed_of_weights(call, root, given[root] * losses[root]) for root in moving}
        return self._gradients(call, Kept(tuple(self._pieces(call)), tuple(states[:-1])), {}, wrt, given, each)

    # --------------------------------------------------------------------------------------------------------- chunks

    def _pieces(self, call: Call) -> list[Piece]:
        """All chunks, the one without steps first."""
        count = call.steps[self.interface.clock]
        size = self.steps(count, call.batch, call.lengths is not None)
        return [(0, 0), *((start, min(start + size, count)) for start in range(0, count, size))]

    def _kept(self, call: Call) -> Kept:
        """The states before each chunk."""
        pieces = self._pieces(call)
        states, _ = self._states(call, pieces[:-1], ())
        return Kept(tuple(pieces), tuple(states))

    def _counted(self, call: Call, losses: dict[str, float]) -> Iterator[State]:
        """The states after each chunk, while the kinds of loss lines are added up in `losses`."""
        runner = self.programs.runner("chunk", (*self.roots.finals, *self.roots.lines.values()))
        state: State = {}
        for piece in self._pieces(call):
            values = runner(self._chunk(call, piece, state))
            self._count(losses, values, call, piece)
            state = self._after(values)
            del values  # or the next chunk could not use their memory
            yield state

    def _states(
        self, call: Call, pieces: Sequence[Piece], roots: tuple[str, ...]
    ) -> tuple[list[State], dict[str, Array]]:
        """The states before each piece and after the last one, and some streams of all of them, joined."""
        runner = self.programs.runner("chunk", (*self.roots.finals, *roots))
        states: list[State] = [{}]
        whole: dict[str, Array] = {}
        for piece in pieces:
            values = runner(self._chunk(call, piece, states[-1]))
            states.append(self._after(values))
            for root in roots:
                self._join(whole, root, values[root], piece, call)
            del values
        return states, whole

    def _join(self, whole: dict[str, Array], root: str, array: Array, piece: Piece, call: Call) -> None:
        """Add the result of a chunk to those of the others; one value for all steps is the same in each chunk."""
        outputs, streams = self.interface.outputs, self.interface.streams
        port = outputs[OUTPUT.name(root)] if OUTPUT.has(root) else streams[STREAM.name(root)]
        if port.kind is Kind.STREAM:
            _write(whole, root, array, piece, call.steps[self.interface.clock])
        elif root not in whole:
            whole[root] = np.array(array)

    def _after(self, values: Mapping[str, Array]) -> State:
        """Copies of the states after a chunk; the arrays themselves may be views of much more memory."""
        return {root: np.array(values[root]) for root in self.roots.finals}

    def _chunk(self, call: Call, piece: Piece, before: State, seeds: Mapping[str, Array] | None = None) -> Call:
        """The call of one chunk, from the states before it; the first chunk gets the caller's initial states."""
        start, stop = piece
        inputs, clock = self.interface.inputs, self.interface.clock
        late = {n: a if stop == call.steps[clock] else np.zeros_like(a) for n, a in call.given.items() if AFTER.has(n)}
        cut = (n for n in call.given if n in inputs or (RESET.has(n) and n not in late))
        given = {**({} if before else call.given), **{n: call.given[n][start:stop] for n in cut}, **late}
        given |= {START.of(FINAL.name(root)): array for root, array in before.items()}
        lengths, offset = call.lengths, call.offset
        if lengths is not None:
            lengths = {**lengths, clock: np.clip(lengths[clock] - start, 0, stop - start)}
        if self.interface.random and start:
            offset = {clock: start + (np.zeros(call.batch, np.int64) if offset is None else offset[clock])}
        steps = {**call.steps, clock: stop - start}
        return call._replace(given={**given, **(seeds or {})}, lengths=lengths, steps=steps, offset=offset)

    # ------------------------------------------------------------------------------------------------------ gradients

    def _gradients(
        self,
        call: Call,
        kept: Kept,
        seeds: Mapping[str, Array],
        wrt: tuple[str, ...],
        weights: Mapping[str, float] | None = None,
        each: Mapping[str, Array] = MappingProxyType({}),
    ) -> dict[str, Array]:
        """Chunk after chunk from the last one: each is recomputed, with the adjoints of the states after it.

        With `weights`, the weighted lines of the loss are differentiated as well as the results that have `seeds`.
        All chunks get the adjoints `each`.
        """
        timed = [root for root in seeds if ADJOINT.nested(OUTPUT).has(root)]
        lines = () if weights is None else tuple(self.roots.lines.values())
        roots = (*map(ADJOINT.name, (*seeds, *each)), *lines)
        finals = self.roots.reached(roots)
        more = (*self.roots.finals, *lines) if lines else ()
        runner = self._runner({*finals, *roots}, wrt, more)
        later = self._zeros(call, finals) | {root: a for root, a in seeds.items() if root not in timed}
        whole: dict[str, Array] = {}
        losses = dict.fromkeys(self.roots.lines, 0.0)
        for piece, before in zip(reversed(kept.pieces), reversed(kept.states), strict=True):
            given = {**later, **each, **{root: seeds[root][piece[0] : piece[1]] for root in timed}}
            given |= {} if weights is None else self._loss_seeds(call, piece, weights)
            values = runner(self._chunk(call, piece, before, given))
            if weights is not None:
                self._count(losses, values, call, piece)
            self._add(whole, values, piece, call.steps[self.interface.clock])
            later = self._zeros(call, finals) | self._before(values, finals)
            del values
        whole |= {GRADIENT.of(START.of(FINAL.name(ADJOINT.name(root)))): array for root, array in later.items()}
        return whole if weights is None else whole | _loss_values(losses)

    def _runner(self, seeded: Collection[str], wrt: tuple[str, ...], more: tuple[str, ...]) -> Runner:
        groups = tuple(group for group in GROUPS if group in wrt or group == "state")
        return self.programs.runner("chunk_gradients", tuple(sorted(seeded)), groups, more)

    def _zeros(self, call: Call, finals: Iterable[str]) -> dict[str, Array]:
        """Adjoints of states that no later chunk has given any."""
        ports, real = self.interface.states, self.interface.real
        return {ADJOINT.of(root): ports[FINAL.name(root)].zeros(call.steps, call.batch, real) for root in finals}

    def _before(self, values: Mapping[str, Array], finals: Iterable[str]) -> dict[str, Array]:
        """The adjoints of the states before a chunk, which are those after the chunk before it."""
        found = {root: GRADIENT.of(START.of(FINAL.name(root))) for root in finals}
        return {ADJOINT.of(root): np.array(values[name]) for root, name in found.items() if name in values}

    def _add(self, whole: dict[str, Array], values: Mapping[str, Array], piece: Piece, count: int) -> None:
        """Add the gradients of a chunk to those of the later ones."""
        for root, array in values.items():
            if root == "gradient":
                whole[root] = whole[root] + array if root in whole else np.array(array)
            elif GRADIENT.nested(INPUT).has(root):
                _write(whole, root, array, piece, count)
            elif FINAL.has(root):
                whole.setdefault(root, np.array(array))

    # ----------------------------------------------------------------------------------------------------------- loss

    def _real_steps(self, call: Call) -> float:
        """The number that the mean over all steps divides by."""
        lengths = None if call.lengths is None else call.lengths[self.interface.clock]
        count = call.steps[self.interface.clock] * call.batch if lengths is None else int(lengths.sum())
        return max(float(count), 1.0)

    def _weights(self, call: Call) -> dict[str, float]:
        """The sums of the weights of loss lines, over all steps of a call."""
        if self._weighed is None or self._weighed[0] is not call:
            found = self.programs.runner("weights")(call)
            self._weighed = (
                call,
                {
                    LOSS.of(root): float(array.sum(dtype=np.float64))
                    for root, array in found.items()
                    if WEIGHT.has(root)
                },
            )
        return self._weighed[1]

    def _share(self, root: str, call: Call, piece: Piece) -> float:
        """The weight of a root of a chunk in the loss; terms without steps count in the first chunk alone."""
        if root == STEPS:
            return 1.0 / self._real_steps(call)
        if LOSS.nested(WEIGHT).has(root):
            return 1.0 / (self._weights(call)[root] or 1.0)
        return 1.0 if piece == (0, 0) else 0.0

    def _seed_of_weights(self, call: Call, root: str, loss: float) -> Array:
        """The adjoint of the weights of each sequence, [B]: a line is divided by their sum."""
        total = self._weights(call)[LOSS.of(root)]
        return np.full(call.batch, -loss / total if total else 0.0, self.interface.real)

    def _count(self, losses: dict[str, float], values: Mapping[str, Array], call: Call, piece: Piece) -> None:
        """Add what a chunk contributes to the loss."""
        for kind, root in self.roots.lines.items():
            if share := self._share(root, call, piece):
                losses[kind] += share * float(values[root])

    def _loss_seeds(self, call: Call, piece: Piece, weights: Mapping[str, float]) -> dict[str, Array]:
        seeds = {root: weights[kind] * self._share(root, call, piece) for kind, root in self.roots.lines.items()}
        return {ADJOINT.of(root): np.array(value, self.interface.real) for root, value in seeds.items()}


def in_one_piece(interface: Interface, programs: Programs, streams: Sequence[str] = ()) -> str:
    """Why a cell, or some streams of it, can't be run in chunks whose gradients add up ("" where they can)."""
    whole = programs.elaborated.graph
    clocks = sorted({str(whole[id].type.clock) for id in whole.order() if whole[id].type.kind is Kind.STREAM})
    if len(clocks) > 1:
        return f"it runs over the clocks {' and '.join(clocks)}"
    for name, port in interface.outputs.items():
        if port.kind is not Kind.STREAM:
            return f"its output {name} is one value for all steps"
    return obstacle_in_chunks(of_each_step(whole, streams))


def _loss_values(losses: Mapping[str, float]) -> dict[str, Array]:
    """The loss and its lines as roots of a program."""
    found = {"loss": sum(losses.values()), **{LOSS.of(kind): value for kind, value in losses.items()}}
    return {root: np.asarray(value, np.float64) for root, value in found.items()}


def whole_steps(wanted: Any) -> int:
    """A number of steps, from an integer or its text.

    Raises:
        UsageError: it is none.
    """
    number = int(wanted) if isinstance(wanted, str) else wanted
    whole = isinstance(number, int | np.integer) and not isinstance(number, bool)
    if not whole or number < 1:
        kinds = 'a number of steps from 1, or a budget such as "512 MB"'
        raise UsageError(f"checkpoint is {kinds}, not {wanted!r}")
    return int(number)


def _write(whole: dict[str, Array], root: str, array: Array, piece: Piece, count: int) -> None:
    """Write the steps of a chunk to their place in the array of all steps."""
    if root not in whole:
        whole[root] = np.zeros((count, *array.shape[1:]), array.dtype)
    whole[root][piece[0] : piece[1]] = array
