"""Sequences of unequal length: how they are cut, sorted, padded and put into batches."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from operator import itemgetter
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import DTypeLike, NDArray

from recurrency.errors import UsageError
from recurrency.model.gaps import after_gaps

Array: TypeAlias = NDArray[Any]
Lengths: TypeAlias = Array | dict[str, Array] | None


@dataclass(frozen=True)
class Batch:
    """The data of one training step.

    `inputs` are arrays [T, B, *shape] by name; `lengths` is [B], {clock: [B]}, or None where no sequence is padded;
    a batch that is not `fresh` continues the sequences of the previous batch, whose final states are its initial
    states (truncated back-propagation through time).
    """

    inputs: dict[str, Array]
    lengths: Lengths = None
    fresh: bool = True
    flags: Mapping[str, Array] = field(default_factory=dict)
    """What else a model gets for each step, by keyword: `resets` [T, B]."""

    @property
    def size(self) -> int:
        """The number of sequences."""
        return int(next(iter(self.inputs.values())).shape[1])

    @property
    def keywords(self) -> dict[str, Any]:
        """What a model gets besides the inputs: `lengths`, and the flags that there are."""
        return {"lengths": self.lengths, **self.flags}

    def steps(self, name: str, clock: str = "t") -> Array:
        """The number of valid steps of each sequence [B] of the input `name`, which runs over `clock`."""
        array = self.inputs[name]
        lengths = self.lengths.get(clock) if isinstance(self.lengths, dict) else self.lengths
        return np.full(array.shape[1], len(array)) if lengths is None else np.asarray(lengths)

    def part(self, chosen: Any) -> Batch:
        """The sequences that an index chooses, in its order; padding is not cut off."""
        lengths = self.lengths
        if isinstance(lengths, dict):
            lengths = {clock: each[chosen] for clock, each in lengths.items()}
        elif lengths is not None:
            lengths = lengths[chosen]
        inputs, flags = (
            {name: np.ascontiguousarray(array[:, chosen]) for name, array in table.items()}
            for table in (self.inputs, self.flags)
        )
        return replace(self, inputs=inputs, lengths=lengths, flags=flags)


class InputPort(Protocol):
    """The part of an input port of a model that data need."""

    @property
    def shape(self) -> tuple[int, ...]: ...
    @property
    def clock(self) -> str | None: ...
    @property
    def index(self) -> int | None: ...


@dataclass(frozen=True)
class Input:
    """An input of the data: the shape of a step, or the number of different symbols."""

    shape: tuple[int, ...] = ()
    index: int | None = None
    clock: str = "t"


FLAGS = ("resets", "mask")
"""What data may have for each step besides inputs: see `Batch.flags`, and `without_gaps`."""
FLAG = Input((), 2)
"""The port of a flag, which is 0 or 1."""
PLACE = "place"
"""The flag with the place of each step in its file, for messages: see `Sequences.where`."""


def flag(name: str) -> str:
    """The name of a flag among the inputs of `Sequences`; no input has such a name."""
    return f":{name}"


@dataclass(frozen=True)
class Sequences:
    """A data set: for each input a list of arrays [T_i, *shape], one a sequence, and the clock it runs over.

    `symbols` names the inputs that are integers out of a vocabulary; all others become real numbers in a batch. `names`
    are those of the sequences, where the data have them, and `first` the numbers of their first steps, where these are
    not 0. `where` says in words where a value is, from the name of its input and its row of `PLACE`.
    """

    inputs: Mapping[str, Sequence[Array]]
    clocks: Mapping[str, str]
    symbols: frozenset[str] = frozenset()
    names: Sequence[str] = ()
    first: Sequence[int] = ()
    where: Callable[[str, Array], str] | None = None

    def __len__(self) -> int:
        return len(next(iter(self.inputs.values())))

    def lengths(self, clock: str) -> Array:
        """The number of steps of every sequence over `clock`, [count]."""
        name = next(name for name, other in self.clocks.items() if other == clock)
        return np.array([len(a) for a in self.inputs[name]], dtype=np.int64)

    def take(self, chosen: Sequence[int] | Array) -> Sequences:
        """The sequences with these numbers, in this order."""
        names = [self.names[int(i)] for i in chosen] if len(self.names) else ()
        first = [self.first[int(i)] for i in chosen] if len(self.first) else ()
        inputs = {k: [v[int(i)] for i in chosen] for k, v in self.inputs.items()}
        return replace(self, inputs=inputs, names=names, first=first)

    def place(self, name: str, number: int, step: int) -> str:
        """Where a value is, in words."""
        if self.where is None or flag(PLACE) not in self.inputs:
            return f"{name} of the data, sequence {number}, step {step}"
        return self.where(name, self.inputs[flag(PLACE)][number][step])

    def cut(self, chunk: int) -> Sequences:
        """Every sequence of more than `chunk` steps in the fewest even pieces of at most `chunk` steps."""
        if len(set(self.clocks.values())) > 1:
            raise UsageError(
                "sequences whose inputs run over several clocks cannot be cut into chunks; leave --chunk out"
            )
        inputs = {k: [piece for a in v for piece in _pieces(a, chunk)] for k, v in self.inputs.items()}
        return replace(self, inputs=inputs, names=(), first=())


def without_gaps(data: Sequences, where: str) -> Sequences:
    """Sequences without the steps at which the flag `mask` is 0; a reset there takes effect at the next step.

    Raises:
        UsageError: no step of a sequence is left; `where` says where the data are from.
    """
    masks = data.inputs.get(flag("mask"))
    if masks is None:
        return data
    kept = [np.flatnonzero(mask) for mask in masks]
    for number in [number for number, rows in enumerate(kept) if not len(rows)][:1]:
        raise UsageError(f"mask of {where}, sequence {number}: it leaves no step")
    inputs = {n: [a[rows] for a, rows in zip(v, kept, strict=True)] for n, v in data.inputs.items() if v is not masks}
    if (resets := data.inputs.get(flag("resets"))) is not None:
        pairs = zip(resets, kept, strict=True)
        inputs[flag("resets")] = [after_gaps(a, itemgetter(rows)).astype(np.int64) for a, rows in pairs]
    return replace(data, inputs=inputs)


def usual(data: Sequences) -> int:
    """The median number of steps of a sequence, over the first clock."""
    return int(np.median(data.lengths(next(iter(data.clocks.values())))))


def _pieces(a: Array, chunk: int) -> list[Array]:
    return np.array_split(a, max(1, -(-len(a) // chunk)))


def pad(arrays: Sequence[Array], dtype: DTypeLike) -> Array:
    """Arrays [T_i, *shape] side by side as [T, B, *shape], zero after their ends."""
    out = np.zeros((max(len(a) for a in arrays), len(arrays), *arrays[0].shape[1:]), dtype)
    for column, a in enumerate(arrays):
        out[: len(a), column] = a
    return out


def joined(data: Sequences, dtype: DTypeLike) -> Batch:
    """All sequences of `data` as one batch."""
    inputs = {k: pad(v, np.int64 if k in data.symbols else dtype) for k, v in data.inputs.items()}
    by_clock = {clock: data.lengths(clock) for clock in dict.fromkeys(data.clocks.values())}
    first = next(iter(by_clock.values()))
    lengths: Lengths = by_clock if len(by_clock) > 1 else first
    if all((steps == steps[0]).all() for steps in by_clock.values()):
        lengths = None
    flags = {name: inputs.pop(flag(name)) for name in FLAGS if flag(name) in inputs}
    return Batch(inputs, lengths, flags=flags)


def apart(joint: Sequence[Batch], ports: Mapping[str, Input]) -> Sequences:
    """The sequences of batches, without padding; `ports` says over which clock each input runs, if not over t."""
    first = joint[0].inputs
    clocks = {name: ports[name].clock if name in ports else "t" for name in first}
    inputs: dict[str, list[Array]] = {name: [] for name in first}
    for batch in joint:
        for name, array in batch.inputs.items():
            inputs[name] += [array[:steps, b] for b, steps in enumerate(batch.steps(name, clocks[name]))]
    return Sequences(inputs, clocks, frozenset(name for name, array in first.items() if array.dtype.kind in "iu"))


def alike(data: Sequences) -> list[list[int]]:
    """The numbers of the sequences in groups of equal ones, in the order of the first of each group."""
    groups: dict[tuple[tuple[Any, ...], ...], list[int]] = {}
    for number in range(len(data)):
        found = tuple(
            (own[number].shape, own[number].tobytes()) for name, own in data.inputs.items() if name != flag(PLACE)
        )
        groups.setdefault(found, []).append(number)
    return list(groups.values())


def batches(data: Sequences, size: int, dtype: DTypeLike, rng: np.random.Generator | None = None) -> Iterator[Batch]:
    """Batches of at most `size` sequences of similar length; with `rng` their order is random, and so are ties."""
    count = len(data)
    order = np.arange(count) if rng is None else rng.permutation(count)
    steps = [data.lengths(clock)[order] for clock in dict.fromkeys(data.clocks.values())]
    order = order[np.lexsort(steps[::-1])]  # by the first clock, then by the others
    groups = [order[start : start + size] for start in range(0, count, size)]
    for group in range(len(groups)) if rng is None else rng.permutation(len(groups)):
        yield joined(data.take(groups[group]), dtype)
