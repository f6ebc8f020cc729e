"""The memory that training on one batch needs, computed before anything runs."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import TypeAlias

from recurrency.backend import Measured
from recurrency.errors import UsageError
from recurrency.graph.roots import OUTPUT, START
from recurrency.model.arrays import Port
from recurrency.model.call import GROUPS
from recurrency.model.chunk_roots import ChunkRoots
from recurrency.model.interface import Interface
from recurrency.model.programs import Programs
from recurrency.program.footprint import Footprint

Run: TypeAlias = tuple[str, tuple[object, ...], dict[str, int], Collection[str]]
"""A kind of program and its options, the steps that differ from those of the batch, and the names of its inputs."""


class UnknownMemoryError(UsageError):
    """The backend does not report what it allocates."""


@dataclass(frozen=True)
class Memory:
    """Bytes that training on one batch needs, by purpose.

    `gradients` are the gradients of the parameters and, without a loss, of outputs, inputs and initial states. The
    `tape` is what the forward pass keeps for the backward pass, with the states that a checkpoint keeps. The
    `workspace` is everything else that the backend allocates, results included.
    """

    parameters: int
    gradients: int
    inputs: int
    tape: int
    workspace: int

    @property
    def peak(self) -> int:
        """The most that is allocated at any time: the sum of all."""
        return self.parameters + self.gradients + self.inputs + self.tape + self.workspace


@dataclass(frozen=True)
class Forecast:
    """The memory of training on `batch` sequences, which have padding if `ragged`."""

    interface: Interface
    programs: Programs
    batch: int
    ragged: bool

    def counted(self, steps: int | Mapping[str, int]) -> dict[str, int]:
        """The steps of each clock.

        Raises:
            UsageError: a number is missing or negative.
        """
        clocks = self.interface.clocks
        count = dict.fromkeys(clocks, steps) if isinstance(steps, int) else dict(steps)
        missing = [clock for clock in clocks if clock not in count]
        if missing:
            runs = f"{self.interface.name} runs over {', '.join(clocks)}"
            raise UsageError(f"{runs}: the number of steps of {missing[0]} is missing")
        if (least := min(*count.values(), self.batch)) < 0:
            raise UsageError(f"steps and batch are whole numbers from 0, not {least}")
        return count

    def memory(self, count: Mapping[str, int], size: int, left: int | None = None) -> Memory:
        """The memory for these steps of each clock, in chunks of `size` steps (0: in one piece).

        The last chunk has `left` steps; by default, what is left over.

        Raises:
            UnknownMemoryError: the backend does not report what it allocates.
        """
        total = count[self.interface.clock]
        whole = not 0 < size < total
        if left is None and not whole:
            left = total % size
        found = Footprint()
        for run in self._whole() if whole else self._chunks(size, left or 0):
            found += self._footprint(run, count)
        if not whole:
            found += self._joined(count, size)
        ports, vector = self.interface, self.interface.size * self.interface.real.itemsize
        inputs = sum(self._bytes(p, count) for p in ports.inputs.values())
        given = 0 if ports.loss_kinds else sum(self._bytes(p, count) for p in _real(ports.outputs))
        if self.ragged:  # copies that are zero in padding, and masks of the padding
            inputs, given = 2 * inputs + (8 + max(count.values())) * self.batch, 2 * given
        return Memory(vector, found.gradients + given, inputs, found.tape, found.workspace + found.passing)

    @cached_property
    def states(self) -> int:
        """The bytes of the states of a batch between two steps."""
        return sum(self._bytes(p, {}) for p in self.interface.states.values())

    @cached_property
    def _roots(self) -> ChunkRoots:
        return ChunkRoots(self.interface, self.programs)

    def _footprint(self, run: Run, count: Mapping[str, int]) -> Footprint:
        kind, options, steps, given = run
        runner = self.programs.runner(kind, *options)
        if not isinstance(runner, Measured):
            raise UnknownMemoryError(f"the backend {self.programs.backend.name} does not report what memory it needs")
        return runner.footprint({**count, **steps}, self.batch, given, self.ragged)

    def _whole(self) -> Iterator[Run]:
        inputs = tuple(self.interface.inputs)
        if self.interface.loss_kinds:
            yield "loss_gradients", (("params",),), {}, inputs
        else:
            yield "forward_kept", ((),), {}, inputs
            yield "backward", ((),), {}, inputs

    def _chunks(self, size: int, left: int) -> Iterator[Run]:
        """Each program with the sizes that it is called with: no step, a whole chunk, and what is left over."""
        ports, roots, loss = self.interface, self._roots, bool(self.interface.loss_kinds)
        outputs = () if loss else tuple(OUTPUT.of(name) for name in ports.outputs)
        real = (*(OUTPUT.of(p.name) for p in _real(ports.outputs)), *roots.real_finals)
        lines = tuple(roots.lines.values())
        seeded = (*lines, *roots.reached(lines)) if loss else real
        wrt = ("params", "state") if loss else GROUPS
        more = (*roots.finals, *lines) if loss else ()
        for steps in sorted({0, left, size}):
            given = (*ports.inputs, *(START.of(name) for name in ports.states if steps))
            if not loss or steps != left or not left:
                yield "chunk", ((*roots.finals, *outputs),), {ports.clock: steps}, given
            yield "chunk_gradients", (tuple(sorted(seeded)), wrt, more), {ports.clock: steps}, given

    def _joined(self, count: Mapping[str, int], size: int) -> Footprint:
        """What is kept outside the chunks: the states before each of them, and what they are joined or summed to."""
        chunks = 1 - (-count[self.interface.clock] // size)
        gradients, results = self.interface.size * self.interface.real.itemsize, 0
        if not self.interface.loss_kinds:
            gradients += sum(self._bytes(p, count) for p in _real(self.interface.inputs))
            results = sum(self._bytes(p, count) for p in self.interface.outputs.values())
        return Footprint(gradients, chunks * self.states, results + 3 * self.states)

    def _bytes(self, port: Port, count: Mapping[str, int]) -> int:
        return prod((*port.lead(count, self.batch), *port.shape)) * port.dtype(self.interface.real).itemsize


def _real(ports: Mapping[str, Port]) -> list[Port]:
    return [p for p in ports.values() if p.index is None]
