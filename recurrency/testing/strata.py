"""The fixed first cases of a comparison: one row each, covering every pair of settings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from recurrency.graph.op import Trait
from recurrency.testing.case import Case

if TYPE_CHECKING:
    from recurrency.model.spec import Spec


@dataclass(frozen=True)
class Traits:
    """The facts that decide how a cell can be called: clocks of its inputs, states, randomness."""

    clocks: tuple[str, ...]
    state: bool
    random: bool

    @classmethod
    def of(cls, spec: Spec, dimensions: Mapping[str, Any]) -> Traits:
        """The traits of a cell.

        Raises:
            UsageError, SpecError: the cell can't be compiled for these dimensions.
        """
        found = spec.elaborate(**dimensions)
        clocks = tuple(sorted({str(t.clock) for t in found.inputs.values()}))
        return cls(clocks, bool(found.starts), any(Trait.DRAWS in found.graph[id].op.traits for id in found.graph))


def draws_always(spec: Spec, dimensions: Mapping[str, Any]) -> bool:
    """Whether a cell draws random numbers out of training too."""
    graph = spec.elaborate(**dimensions).graph
    return any(Trait.DRAWS in graph[id].op.traits and bool(graph[id].attrs.get("always")) for id in graph)


@dataclass(frozen=True)
class Stratum:
    """One case of any cell: `set` chooses among its sets of dimensions, `lengths` are those on the first clock.

    Where these differ the case is ragged. On other clocks there is a step less, and other sequences are the long ones.
    """

    steps: int
    lengths: tuple[int, ...]
    dtype: str = "float64"
    state: bool = False
    training: bool = False
    cuts: tuple[int, ...] = (2,)
    values: str = "normal"
    set: int = 1
    resets: bool = False
    mask: bool = False

    def case(self, traits: Traits, sets: Sequence[Mapping[str, Any]], seed: int) -> Case:
        """The case of a cell."""
        batch, steps, lengths = len(self.lengths), {}, {}
        for k, clock in enumerate(traits.clocks):
            steps[clock] = max(self.steps - k, min(self.steps, 1))
            turned = self.lengths[k % max(batch, 1) :] + self.lengths[: k % max(batch, 1)]
            lengths[clock] = tuple(min(n, steps[clock]) for n in turned)
        full = all(n == self.steps for n in self.lengths)
        return Case(
            dict(sets[min(self.set, len(sets) - 1)]),
            steps,
            batch,
            None if full else lengths,
            self.dtype,
            state=self.state and traits.state,
            training=self.training and traits.random,
            values=self.values,
            cuts=self.cuts,
            seed=seed % 256,
            resets=self.resets,
            mask=self.mask,
        )


STRATA = (
    Stratum(3, (3,), state=True, set=0),
    Stratum(4, (4, 4), "float32", training=True, cuts=(1, 3)),
    Stratum(5, (5, 3, 0), state=True, training=True),
    Stratum(5, (0, 5, 2), "float32", cuts=(1, 4), set=2),
    Stratum(0, (0, 0), state=True, cuts=()),
    Stratum(4, (4, 4), set=2),
    Stratum(3, (), training=True, set=0),
    Stratum(5, (5, 4, 1), "float32", state=True, training=True, cuts=(), set=2),
    Stratum(4, (1, 4), cuts=(1,), set=0),
    Stratum(1, (1, 1), "float32", state=True, training=True, cuts=()),
    Stratum(4, (4, 4, 4), "float32", values="special", cuts=(1, 1)),
    Stratum(5, (5, 2), values="large", state=True),
    Stratum(2, (2,), "float32", values="tails", cuts=()),
    Stratum(5, (5, 2, 4), state=True, resets=True),
    Stratum(4, (4, 4), "float32", training=True, resets=True, cuts=(1, 2)),
    Stratum(5, (5, 5, 5), mask=True, state=True),
    Stratum(5, (5, 3, 4), "float32", mask=True, resets=True, training=True, set=2),
)
"""The smallest first. Every third tests derivatives, which needs some steps and plain numbers."""


def listed(spec: Spec, sets: Sequence[Mapping[str, Any]], seed: int = 0) -> list[Case]:
    """The first cases of a cell for these sets of dimensions; the seed decides only their numbers.

    Raises:
        UsageError, SpecError: the cell can't be compiled for the first set.
    """
    traits = Traits.of(spec, sets[0])
    return [row.case(traits, sets, seed + 21 * k) for k, row in enumerate(STRATA)]
