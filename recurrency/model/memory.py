"""The memory that training on one batch needs, known before anything runs."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING

import numpy as np

from recurrency.backend import Measured
from recurrency.errors import UsageError
from recurrency.model.arrays import SYMBOLS, Port
from recurrency.model.call import GROUPS
from recurrency.program.footprint import Footprint

if TYPE_CHECKING:
    from recurrency.model.model import Model


class UnknownMemoryError(UsageError):
    """A backend does not say what it allocates."""


@dataclass(frozen=True)
class Memory:
    """Bytes that training on one batch needs, by what they are for.

    `gradients` are those of the parameters and, of a cell without a loss, those of outputs, inputs and first states.
    The `tape` is what the backward pass reads of the forward one, with the states that a checkpoint keeps. The
    `workspace` is all else that the backend allocates, results among it.
    """

    parameters: int
    gradients: int
    inputs: int
    tape: int
    workspace: int

    @property
    def peak(self) -> int:
        """All together: the most that there is at any time."""
        return self.parameters + self.gradients + self.inputs + self.tape + self.workspace


def memory(model: Model, steps: int | Mapping[str, int], batch: int, ragged: bool = False) -> Memory:
    """The memory of training on a batch of `batch` sequences of `steps` steps (of each clock), with lengths or without.

    Raises:
        UsageError: the sizes are negative. UnknownMemoryError: the backend does not say what it allocates.
    """
    count = checked(model, steps, batch)
    size = model.checkpoint.steps(count[model.clock], batch, ragged) if model.checkpoint else 0
    return of_chunks(model, count, batch, ragged, size)


def checked(model: Model, steps: int | Mapping[str, int], batch: int) -> dict[str, int]:
    """The steps of each clock.

    Raises:
        UsageError: a number is missing or negative.
    """
    count = dict.fromkeys(model.clocks, steps) if isinstance(steps, int) else dict(steps)
    missing = [clock for clock in model.clocks if clock not in count]
    if missing:
        raise UsageError(f"{model.spec.name} runs over {', '.join(model.clocks)}: say how many steps {missing[0]} has")
    if min(*count.values(), batch) < 0:
        raise UsageError(f"steps and batch are whole numbers from 0, not {min(*count.values(), batch)}")
    return count


def of_chunks(
    model: Model, count: Mapping[str, int], batch: int, ragged: bool, size: int, left: int | None = None
) -> Memory:
    """The memory with chunks of `size` steps (0: with none), and `left` at the end (by default those left over)."""
    whole = not 0 < size < count[model.clock]
    if left is None and not whole:
        left = count[model.clock] % size
    calls = _whole(model) if whole else _chunks(model, size, left or 0)
    found = Footprint()
    for kind, options, steps, handed in calls:
        runner = model.programs.runner(kind, *options)
        if not isinstance(runner, Measured):
            raise UnknownMemoryError(f"the backend {model.backend} does not say what memory it needs")
        found += runner.footprint({**count, **steps}, batch, handed, ragged)
    if not whole:
        found += _joined(model, count, batch, size)
    inputs = sum(_bytes(model, p, count, batch) for p in model.inputs.values())
    given = 0 if model.has_loss else sum(_bytes(model, p, count, batch) for p in _real(model.outputs))
    if ragged:  # copies in which nothing stands in padding, and what says where that is
        inputs, given = 2 * inputs + (8 + max(count.values())) * batch, 2 * given
    size = model.size * model.real.itemsize
    return Memory(size, found.gradients + given, inputs, found.tape, found.workspace + found.passing)


Call = tuple[str, tuple[object, ...], dict[str, int], Collection[str]]
"""A kind of program and its options, steps that are other than those of the batch, and what is given."""


def _whole(model: Model) -> Iterator[Call]:
    inputs = tuple(model.inputs)
    if model.has_loss:
        yield "loss_gradients", (("params",),), {}, inputs
    else:
        yield "forward_kept", ((),), {}, inputs
        yield "backward", ((),), {}, inputs


def _chunks(model: Model, size: int, left: int) -> Iterator[Call]:
    """Each function with the sizes that it is called with: no step, whole chunks, and what is left over."""
    assert model.checkpoint is not None
    finals = model.checkpoint.finals
    outputs = () if model.has_loss else tuple(f"output:{name}" for name in model.outputs)
    real = (*(f"output:{p.name}" for p in _real(model.outputs)), *model.checkpoint.real_finals)
    lines = tuple(model.checkpoint.lines.values())
    seeded = (*lines, *model.checkpoint.reached(lines)) if model.has_loss else real
    wrt = ("params", "state") if model.has_loss else GROUPS
    more = (*finals, *lines) if model.has_loss else ()
    for steps in sorted({0, left, size}):
        given = (*model.inputs, *(f"start:{name}" for name in model.states if steps))
        if not model.has_loss or steps != left or not left:
            yield "chunk", ((*finals, *outputs),), {model.clock: steps}, given
        yield "chunk_gradients", (tuple(sorted(seeded)), wrt, more), {model.clock: steps}, given


def _joined(model: Model, count: Mapping[str, int], batch: int, size: int) -> Footprint:
    """What lies outside the chunks: states before each of them, and what is joined or added up."""
    chunks = 1 - (-count[model.clock] // size)
    states = states_in_bytes(model, batch)
    gradients, results = model.size * model.real.itemsize, 0
    if not model.has_loss:
        gradients += sum(_bytes(model, p, count, batch) for p in _real(model.inputs))
        results = sum(_bytes(model, p, count, batch) for p in model.outputs.values())
    return Footprint(gradients, chunks * states, results + 3 * states)


def states_in_bytes(model: Model, batch: int) -> int:
    """The states of a batch between two steps."""
    return sum(_bytes(model, p, {}, batch) for p in model.state_ports.values())


def _real(ports: Mapping[str, Port]) -> list[Port]:
    return [p for p in ports.values() if p.index is None]


def _bytes(model: Model, port: Port, count: Mapping[str, int], batch: int) -> int:
    dtype: np.dtype[np.generic] = model.real if port.index is None else SYMBOLS
    lead = port.lead(count, batch)
    return prod((*lead, *port.shape)) * dtype.itemsize
