"""Checkpointing through time: the states between chunks of steps are kept, and each chunk is run again backwards."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from recurrency.errors import UsageError
from recurrency.graph.graph import Graph
from recurrency.graph.op import Array, Trait
from recurrency.graph.types import Kind
from recurrency.model.budget import longest, size_in_bytes
from recurrency.model.call import GROUPS, Request
from recurrency.model.obstacles import in_one_piece
from recurrency.model.results import Kept, State
from recurrency.passes.chunks import STEPS, loss_roots
from recurrency.passes.loss_lines import root_of

if TYPE_CHECKING:
    from recurrency.model.model import Model


class Checkpoint:
    """Runs the calls of a model in chunks: of so many steps, or of as many as a budget of memory allows.

    Before the first chunk comes one of no steps. It gives first values to states that the caller has not given, so that
    all others are called alike; and it is the one in which what has no steps, such as a penalty, counts.

    Raises:
        UsageError: `wanted` is neither a number of steps nor a budget, or the cell can't be run in chunks.
    """

    def __init__(self, model: Model, wanted: int | str) -> None:
        self.model, self.wanted = model, wanted
        self.budget = size_in_bytes(wanted) if isinstance(wanted, str) and not wanted.strip().isdigit() else None
        self.fixed = whole_steps(wanted) if self.budget is None else 0
        self._reached: dict[frozenset[str], tuple[str, ...]] = {}
        self._chosen: dict[tuple[int, int, bool], int] = {}
        reason = in_one_piece(model)
        if reason:
            raise UsageError(f"{model.spec.name} can't be run in chunks: {reason}")

    def steps(self, count: int, batch: int, ragged: bool = False) -> int:
        """The number of steps of a chunk in calls of these sizes.

        Raises:
            UsageError: no chunk is within the budget.
        """
        if self.budget is None:
            return self.fixed
        key = (count, batch, ragged)
        if key not in self._chosen:
            self._chosen[key] = longest(self.model, self.budget, *key)
        return self._chosen[key]

    def divides(self, request: Request) -> bool:
        """Whether a call is run in more than one chunk."""
        count = request.steps.get(self.model.clock, 0)
        return 0 < self.steps(count, request.batch, request.lengths is not None) < count

    @cached_property
    def finals(self) -> tuple[str, ...]:
        """The roots that hold the states after a chunk."""
        return tuple(f"final:{name}" for name in self.model.states)

    @cached_property
    def real_finals(self) -> tuple[str, ...]:
        """Those through which gradients flow."""
        return tuple(f"final:{n}" for n, p in self.model.state_ports.items() if p.index is None)

    # ---------------------------------------------------------------------------------------------------- whole calls

    def forward(self, params: Array, request: Request, streams: Sequence[str]) -> tuple[dict[str, Array], Kept]:
        """Outputs, streams and final states, and what is kept for the backward pass.

        Raises:
            UsageError: a stream can't be computed in chunks.
        """
        reason = in_one_piece(self.model, streams) if streams else ""
        if reason:
            raise UsageError(f"{' and '.join(streams)} can't be computed in chunks, but with keep=False: {reason}")
        roots = (*(f"output:{name}" for name in self.model.outputs), *(f"stream:{name}" for name in streams))
        pieces = self._pieces(request)
        states, values = self._states(params, request, pieces, roots)
        return {**values, **states.pop()}, Kept(tuple(pieces), tuple(states))

    def backward(self, params: Array, request: Request, kept: Kept, seeds: Mapping[str, Array]) -> dict[str, Array]:
        """The gradients of a forward run for given adjoints of its results."""
        return self._gradients(params, request, kept, seeds, GROUPS)

    def vjp(self, params: Array, request: Request, seeds: Mapping[str, Array]) -> dict[str, Array]:
        """Forward and backward in one call."""
        return self._gradients(params, request, self._kept(params, request), seeds, GROUPS)

    def loss(self, params: Array, request: Request) -> dict[str, Array]:
        """The loss, as a whole and by the kinds of its lines, and the final states."""
        losses = dict.fromkeys(self.lines, 0.0)
        state: State = {}
        runner = self.model.programs.runner("chunk", (*self.finals, *self.lines.values()))
        for piece in self._pieces(request):
            values = self._run(runner, params, request, piece, state)
            self._count(losses, values, request, piece)
            state = self._after(values)
            del values  # or the next chunk could not use their memory
        return {**_told(losses), **state}

    def loss_gradients(
        self, params: Array, request: Request, wrt: tuple[str, ...], weights: Mapping[str, float] | None = None
    ) -> dict[str, Array]:
        """The loss, as a whole and by kinds, the gradients for these weights of the kinds, and the final states."""
        if not wrt:
            return self.loss(params, request)
        given = dict.fromkeys(self.lines, 1.0) if weights is None else weights
        return self._gradients(params, request, self._kept(params, request), {}, wrt, given)

    @cached_property
    def lines(self) -> dict[str, str]:
        """The roots that hold the lines of the loss, by kind."""
        return loss_roots(self.model.loss_kinds)

    # --------------------------------------------------------------------------------------------------------- chunks

    def _pieces(self, request: Request) -> list[tuple[int, int]]:
        """The steps at which chunks begin and end, that of no steps first."""
        clock = self.model.clock
        count = request.steps[clock]
        size = self.steps(count, request.batch, request.lengths is not None)
        return [(0, 0), *((start, min(start + size, count)) for start in range(0, count, size))]

    def _kept(self, params: Array, request: Request) -> Kept:
        """The states before each chunk."""
        pieces = self._pieces(request)
        states, _ = self._states(params, request, pieces[:-1], ())
        return Kept(tuple(pieces), tuple(states))

    def _states(
        self, params: Array, request: Request, pieces: Sequence[tuple[int, int]], roots: tuple[str, ...]
    ) -> tuple[list[State], dict[str, Array]]:
        """The states before each piece and after the last one, and some streams of all of them, joined."""
        runner = self.model.programs.runner("chunk", (*self.finals, *roots))
        states: list[State] = [{}]
        whole: dict[str, Array] = {}
        for piece in pieces:
            values = self._run(runner, params, request, piece, states[-1])
            states.append(self._after(values))
            for root in roots:
                self._join(whole, root, values[root], piece, request)
            del values
        return states, whole

    def _join(self, whole: dict[str, Array], root: str, array: Array, piece: tuple[int, int], request: Request) -> None:
        """Put what a chunk gives with that of the others; what has one value for all steps is in all of them."""
        group, _, name = root.partition(":")
        port = (self.model.outputs if group == "output" else self.model.streams)[name]
        if port.kind is Kind.STREAM:
            _write(whole, root, array, piece, request.steps[self.model.clock])
        elif root not in whole:
            whole[root] = np.array(array)

    def _after(self, values: Mapping[str, Array]) -> State:
        """Copies of the states after a chunk: where they lie may be a part of much more memory."""
        return {root: np.array(values[root]) for root in self.finals}

    def _run(
        self, runner: Any, params: Array, request: Request, piece: tuple[int, int], before: State,
        seeds: Mapping[str, Array] | None = None,
    ) -> dict[str, Array]:  # fmt: skip
        """One chunk, from the states before it; the first one has what the caller gave."""
        start, stop = piece
        model = self.model
        given: dict[str, Array] = {}
        for name, array in request.given.items():
            if name in model.inputs:
                given[name] = array[start:stop]
            elif not before:
                given[name] = array
        given |= {f"start:{root[6:]}": array for root, array in before.items()}
        return _cut(request, given, model.clock, piece, model.random).run(runner, params, seeds)

    # ------------------------------------------------------------------------------------------------------ gradients

    def _gradients(
        self, params: Array, request: Request, kept: Kept, seeds: Mapping[str, Array], wrt: tuple[str, ...],
        weights: Mapping[str, float] | None = None,
    ) -> dict[str, Array]:  # fmt: skip
        """Chunk after chunk from the last one: each is run again, with the adjoints of the states after it.

        With `weights` the lines of the loss, which have these, are what is differentiated, beside the `seeds`.
        """
        timed = [root for root in seeds if root.startswith("d:output:")]
        lines = () if weights is None else tuple(self.lines.values())
        roots = (*(root[2:] for root in seeds), *lines)
        finals = self.reached(roots)
        more = (*self.finals, *lines) if lines else ()
        runner = self._runner({*finals, *roots}, wrt, more)
        later = self._zeros(request, finals) | {root: a for root, a in seeds.items() if root not in timed}
        whole: dict[str, Array] = {}
        losses = dict.fromkeys(self.lines, 0.0)
        for piece, before in zip(reversed(kept.pieces), reversed(kept.states), strict=True):
            given = {**later, **{root: seeds[root][piece[0] : piece[1]] for root in timed}}
            given |= {} if weights is None else self._loss_seeds(request, piece, weights)
            values = self._run(runner, params, request, piece, before, given)
            if weights is not None:
                self._count(losses, values, request, piece)
            self._add(whole, values, piece, request.steps[self.model.clock])
            later = self._zeros(request, finals) | self._before(values, finals)
            del values
        whole |= {f"gradient:start:{root[8:]}": array for root, array in later.items()}
        return whole if weights is None else whole | _told(losses)

    def reached(self, roots: Iterable[str]) -> tuple[str, ...]:
        """The states after a chunk that some roots of the next chunks depend on, and through which gradients flow.

        Zero as the adjoint of another state would not do: zero times infinity is not zero.
        """
        key = frozenset(roots)
        if key not in self._reached:
            graph, found = self.model.programs.graphs.chunked(), set(key)
            while True:
                more = {f"final:{name}" for name in _starts(graph, found)} - found
                if not more:
                    break
                found |= more
            self._reached[key] = tuple(root for root in self.real_finals if root in found)
        return self._reached[key]

    def _runner(self, seeded: Collection[str], wrt: tuple[str, ...], more: tuple[str, ...]) -> Any:
        groups = tuple(group for group in GROUPS if group in wrt or group == "state")
        return self.model.programs.runner("chunk_gradients", tuple(sorted(seeded)), groups, more)

    def _zeros(self, request: Request, finals: Iterable[str]) -> dict[str, Array]:
        """Adjoints of states that nothing is known of."""
        ports = self.model.state_ports
        return {f"d:{root}": ports[root[6:]].zeros(request.steps, request.batch, self.model.real) for root in finals}

    def _before(self, values: Mapping[str, Array], finals: Iterable[str]) -> dict[str, Array]:
        """The adjoints of the states before a chunk, as those of the states after the one that comes before it."""
        found = {root: f"gradient:start:{root[6:]}" for root in finals}
        return {f"d:{root}": np.array(values[name]) for root, name in found.items() if name in values}

    def _add(self, whole: dict[str, Array], values: Mapping[str, Array], piece: tuple[int, int], count: int) -> None:
        """Add the gradients of a chunk to those of the later ones."""
        for root, array in values.items():
            if root == "gradient":
                whole[root] = whole[root] + array if root in whole else np.array(array)
            elif root.startswith("gradient:input:"):
                _write(whole, root, array, piece, count)
            elif root.startswith("final:"):
                whole.setdefault(root, np.array(array))

    # ----------------------------------------------------------------------------------------------------------- loss

    def _real_steps(self, request: Request) -> float:
        """What the mean over all steps divides by."""
        lengths = None if request.lengths is None else request.lengths[self.model.clock]
        count = request.steps[self.model.clock] * request.batch if lengths is None else int(lengths.sum())
        return max(float(count), 1.0)

    def _share(self, root: str, request: Request, piece: tuple[int, int]) -> float:
        """What the value of a root in a chunk counts in the loss: what has no steps counts in the first chunk alone."""
        if root == STEPS:
            return 1.0 / self._real_steps(request)
        return 1.0 if piece == (0, 0) else 0.0

    def _count(
        self, losses: dict[str, float], values: Mapping[str, Array], request: Request, piece: tuple[int, int]
    ) -> None:
        """Add what a chunk contributes to the loss."""
        for kind, root in self.lines.items():
            if share := self._share(root, request, piece):
                losses[kind] += share * float(values[root])

    def _loss_seeds(self, request: Request, piece: tuple[int, int], weights: Mapping[str, float]) -> dict[str, Array]:
        seeds = {root: weights[kind] * self._share(root, request, piece) for kind, root in self.lines.items()}
        return {f"d:{root}": np.array(value, self.model.real) for root, value in seeds.items()}


def _told(losses: Mapping[str, float]) -> dict[str, Array]:
    """The loss and its lines as roots of a program."""
    found = {"loss": sum(losses.values()), **{root_of(kind): value for kind, value in losses.items()}}
    return {root: np.asarray(value, np.float64) for root, value in found.items()}


def whole_steps(wanted: Any) -> int:
    """A number of steps.

    Raises:
        UsageError: it is none.
    """
    number = int(wanted) if isinstance(wanted, str) else wanted
    whole = isinstance(number, int | np.integer) and not isinstance(number, bool)
    if not whole or number < 1:
        kinds = 'a number of steps from 1, or a budget such as "512 MB"'
        raise UsageError(f"checkpoint is {kinds}, not {wanted!r}")
    return int(number)


def _cut(request: Request, given: dict[str, Array], clock: str, piece: tuple[int, int], random: bool) -> Request:
    """The steps of a chunk; `given` are its arrays."""
    start, stop = piece
    lengths, offset = request.lengths, request.offset
    if lengths is not None:
        lengths = {**lengths, clock: np.clip(lengths[clock] - start, 0, stop - start)}
    if random and start:
        before = np.zeros(request.batch, np.int64) if offset is None else offset[clock]
        offset = {clock: before + start}
    return replace(
        request, given=given, lengths=lengths, steps={**request.steps, clock: stop - start}, offset=offset, valid={}
    )


def _starts(graph: Graph, roots: Iterable[str]) -> set[str]:
    """The states whose first values some roots depend on."""
    nodes = [graph[id] for id in graph.order([graph.roots[root] for root in roots])]
    return {node.attrs["name"] for node in nodes if Trait.FIRST in node.op.traits}


def _write(whole: dict[str, Array], root: str, array: Array, piece: tuple[int, int], count: int) -> None:
    """Put the steps of a chunk where they belong in the array of all steps."""
    if root not in whole:
        whole[root] = np.zeros((count, *array.shape[1:]), array.dtype)
    whole[root][piece[0] : piece[1]] = array
