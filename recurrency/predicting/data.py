"""The data that a trained model reads: files, or arrays in Python."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from recurrency.errors import UsageError, nearest_hint
from recurrency.model.arrays import Port
from recurrency.training.data.npz import SPLITS
from recurrency.training.data.readers import reader
from recurrency.training.data.rows import check_sequences
from recurrency.training.data.sequences import Array, Batch, Sequences, joined


@dataclass(frozen=True)
class Wanted:
    """An input of a trained model, as readers take it: its dimensions are fixed."""

    shape: tuple[int, ...]
    clock: str | None
    index: int | None
    dimensions: tuple[str, ...]
    trained: bool = True

    @classmethod
    def of(cls, port: Port) -> Wanted:
        """The port of a compiled model."""
        return cls(tuple(port.shape), port.clock, port.index, port.dimensions)


def ports_of(model: Any, names: Collection[str]) -> dict[str, Wanted]:
    """Some inputs of a model."""
    return {name: Wanted.of(port) for name, port in model.inputs.items() if name in names}


def read_file(path: str | Path, model: Any, names: Collection[str], split: str | None = None) -> Sequences:
    """The sequences of a file for some inputs of a model, in the order of the file: those of one split, or all.

    Other inputs of the model may be in the file. A table without a column `sequence` is one sequence.

    Raises:
        UsageError: the file cannot be read, is empty or does not fit; there is no such split in it.
    """
    others = [name for name in model.inputs if name not in names]
    found = reader(path)(path, ports_of(model, names), np.dtype(model.dtype).name, others, True)
    if split is not None and split not in found:
        hint = nearest_hint(split, list(found))
        raise UsageError(f"{path} has no sequence of the split {split}; it has {', '.join(found)}{hint}")
    return _together([found[split]] if split is not None else [found[name] for name in SPLITS if name in found])


def _together(parts: list[Sequences]) -> Sequences:
    """The sequences of several splits."""
    first = parts[0]
    inputs = {name: [a for part in parts for a in part.inputs.get(name, ())] for name in first.inputs}
    flags = {len(part.inputs) for part in parts}
    if len(flags) > 1:
        raise UsageError("some splits have resets or a mask, and others have none; choose one with --split")
    return Sequences(inputs, first.clocks, first.symbols, [name for part in parts for name in part.names])


def from_arrays(data: Any, model: Any, names: Collection[str]) -> Sequences:
    """Sequences from arrays [sequences, steps, *shape] or lists of arrays [steps, *shape], by the names of inputs.

    One array, or one list, belongs to the only input of `names`. `lengths` [sequences] among the names, if no input is
    called so, gives the numbers of steps; `lengths_s` those of inputs over another clock `s`.

    Raises:
        UsageError: an input is missing or unknown, there is no sequence, or one does not fit.
    """
    ports = ports_of(model, names)
    given = data if isinstance(data, Mapping) else {_only(ports, model): data}
    lengths = {n: given[n] for n in given if n.partition("_")[0] == "lengths" and n not in model.inputs}
    for name in given:
        if name not in model.inputs and name not in lengths:
            has = ", ".join(model.inputs)
            raise UsageError(f"{model.spec.name} has no input {name}; it has {has}{nearest_hint(name, model.inputs)}")
    missing = [name for name in ports if name not in given]
    if missing:
        raise UsageError(f"the input {missing[0]} is missing; needed are {', '.join(ports)}")
    inputs = {name: _sequences(name, given[name], port, lengths, model) for name, port in ports.items()}
    counts = {name: len(rows) for name, rows in inputs.items()}
    if len(set(counts.values())) > 1:
        raise UsageError(f"the inputs differ in their number of sequences: {_counted(counts)}")
    clocks = {name: port.clock or "t" for name, port in ports.items()}
    _check_steps(inputs, clocks)
    return Sequences(inputs, clocks, frozenset(name for name, port in ports.items() if port.index is not None))


def _only(ports: Mapping[str, Wanted], model: Any) -> str:
    if len(ports) != 1:
        raise UsageError(f"{model.spec.name} reads the inputs {', '.join(ports)}: pass them by name")
    return next(iter(ports))


def _counted(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} has {count}" for name, count in counts.items())


def _sequences(name: str, given: Any, port: Wanted, lengths: Mapping[str, Any], model: Any) -> list[Array]:
    if isinstance(given, np.ndarray) and given.ndim != 2 + len(port.shape):
        axes = ", ".join(["sequences", "steps", *map(str, port.shape)])
        raise UsageError(f"{name} is {list(given.shape)}; it must be [{axes}], or a list of sequences")
    rows = [np.asarray(sequence) for sequence in given]
    if not rows:
        raise UsageError(f"{name} holds no sequence")
    key = "lengths" if port.clock in (None, "t") else f"lengths_{port.clock}"
    if key in lengths:
        ends = np.asarray(lengths[key])
        if ends.shape != (len(rows),) or ends.dtype.kind not in "iu" or (ends < 1).any():
            raise UsageError(f"{key} must be {len(rows)} whole numbers from 1 on, one for each sequence of {name}")
        short = next((n for n, (row, end) in enumerate(zip(rows, ends, strict=True)) if end > len(row)), None)
        if short is not None:
            raise UsageError(f"{key}[{short}] is {ends[short]}; {name} has {len(rows[short])} steps there")
        rows = [row[:end] for row, end in zip(rows, ends, strict=True)]
    check_sequences(name, rows, port, "the data", np.dtype(model.dtype).name)
    return rows


def _check_steps(inputs: Mapping[str, list[Array]], clocks: Mapping[str, str]) -> None:
    """Refuse inputs over one clock whose sequences differ in length."""
    for number in range(len(next(iter(inputs.values())))):
        seen: dict[str, str] = {}
        for name, rows in inputs.items():
            other = seen.setdefault(clocks[name], name)
            if len(inputs[other][number]) != len(rows[number]):
                raise UsageError(
                    f"sequence {number}: {other} has {len(inputs[other][number])} steps, {name} has {len(rows[number])}"
                )


def groups(data: Sequences, size: int, dtype: Any) -> Iterator[tuple[Array, Batch]]:
    """Batches of at most `size` sequences of similar length, each with the numbers of its sequences."""
    steps = [data.lengths(clock) for clock in dict.fromkeys(data.clocks.values())]
    order = np.lexsort(steps[::-1])
    for start in range(0, len(order), size):
        chosen = order[start : start + size]
        yield chosen, joined(data.take(chosen), dtype)
