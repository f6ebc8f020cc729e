"""The data that a trained model reads: files, or arrays in Python."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from recurrency.errors import UsageError, nearest_hint
from recurrency.model.arrays import Port
from recurrency.training.data.filling import filled
from recurrency.training.data.npz import SPLITS
from recurrency.training.data.own import Reading, bare, read_raw
from recurrency.training.data.rows import How, check_shapes, not_numbers
from recurrency.training.data.sequences import Array, Batch, InputPort, Sequences, joined
from recurrency.training.data.vocabularies import Vocabulary, numbered


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


@dataclass(frozen=True)
class Known:
    """What is known of the data of a run: how they are read, and the vocabularies of symbols that are texts."""

    reading: Reading = field(default_factory=Reading)
    vocabulary: Vocabulary = field(default_factory=dict)

    def settled(self, raw: Sequences, model: Any, names: Collection[str]) -> Sequences:
        """Some inputs of a model from the values that were read."""
        ports = ports_of(model, names)
        whole = filled(raw, ports, self.reading.rules, np.dtype(model.dtype).name)
        return bare(numbered(whole, self.vocabulary, ports))


def read_file(
    path: str | Path, model: Any, names: Collection[str], split: str | None = None, known: Known | None = None
) -> Sequences:
    """The sequences of a file for some inputs of a model, in the order of the file: those of one split, or all.

    Other inputs of the model may be in the file. A table without a column `sequence` is one sequence.

    Raises:
        UsageError: the file cannot be read, is empty or does not fit; there is no such split in it.
    """
    known = known or Known()
    wanted = known.reading.rules.needed(names)
    how = How([name for name in model.inputs if name not in wanted], known.vocabulary)
    found = read_raw(path, ports_of(model, wanted), known.reading, how)
    if split is not None and split not in found:
        hint = nearest_hint(split, list(found))
        own = "" if hint or len(found) > 1 else ". The parts of a run's own data are chosen without --data"
        raise UsageError(f"{path} has no sequence of the split {split}; it has {', '.join(found)}{hint}{own}")
    parts = [found[split]] if split is not None else [found[name] for name in SPLITS if name in found]
    return _together([known.settled(part, model, names) for part in parts])


def _together(parts: list[Sequences]) -> Sequences:
    """The sequences of several splits."""
    first = parts[0]
    inputs = {name: [a for part in parts for a in part.inputs.get(name, ())] for name in first.inputs}
    flags = {len(part.inputs) for part in parts}
    if len(flags) > 1:
        raise UsageError("some splits have resets or a mask, and others have none; choose one with --split")
    names, starts = ([each for part in parts for each in of(part)] for of in (_names, _starts))
    return Sequences(inputs, first.clocks, first.symbols, names, starts)


def _names(data: Sequences) -> Sequence[Any]:
    return data.names


def _starts(data: Sequences) -> Sequence[Any]:
    return data.first


def from_arrays(data: Any, model: Any, names: Collection[str], known: Known | None = None) -> Sequences:
    """Sequences from arrays [sequences, steps, *shape] or lists of arrays [steps, *shape], by the names of inputs.

    Numbers may be missing (NaN) and symbols texts where the run has `known` such ones. An input that the loss reads
    once for each sequence may be [sequences, *shape].

    One array, or one list, belongs to the only input of `names`. `lengths` [sequences] among the names, if no input is
    called so, gives the numbers of steps; `lengths_s` those of inputs over another clock `s`.

    Raises:
        UsageError: an input is missing or unknown, there is no sequence, or one does not fit.
    """
    known = known or Known()
    rules = known.reading.rules
    if isinstance(data, Mapping):
        rules = rules.without(data)
    ports = rules.asked(ports_of(model, rules.needed(names)))
    given = data if isinstance(data, Mapping) else {_only(ports, model): data}
    lengths = {n: given[n] for n in given if n.partition("_")[0] == "lengths" and n not in model.inputs}
    _check_names(given, ports, {*model.inputs, *lengths, *ports}, model)
    inputs = _inputs(given, ports, lengths, rules.whole)
    clocks = {name: port.clock or "t" for name, port in ports.items()}
    _check_steps(inputs, clocks)
    symbols = frozenset(name for name, port in ports.items() if port.index is not None)
    raw = Sequences(_checked(inputs, ports), clocks, symbols)
    return replace(known, reading=replace(known.reading, rules=rules)).settled(raw, model, names)


def _check_names(given: Mapping[str, Any], ports: Mapping[str, InputPort], known: Collection[str], model: Any) -> None:
    """Refuse a name that is not known, and an input that is not given."""
    for name in given:
        if name not in known:
            has = ", ".join(model.inputs)
            raise UsageError(f"{model.spec.name} has no input {name}; it has {has}{nearest_hint(name, model.inputs)}")
    missing = [name for name in ports if name not in given]
    if missing:
        raise UsageError(f"the input {missing[0]} is missing; needed are {', '.join(ports)}")


def _inputs(
    given: Mapping[str, Any], ports: Mapping[str, InputPort], lengths: Mapping[str, Any], whole: Collection[str]
) -> dict[str, list[Array]]:
    """The arrays of each input; those of the inputs `whole` may have one value for each sequence, and come last."""
    inputs: dict[str, list[Array]] = {}
    for name, port in sorted(ports.items(), key=lambda item: item[0] in whole):
        steps = next((list(map(len, rows)) for n, rows in inputs.items() if ports[n].clock == port.clock), None)
        repeated = _repeated(name, given[name], port, steps) if name in whole and steps is not None else None
        inputs[name] = _sequences(name, given[name], port, lengths) if repeated is None else repeated
        check_shapes(name, inputs[name], port, "the data")
    counts = {name: len(rows) for name, rows in inputs.items()}
    if len(set(counts.values())) > 1:
        raise UsageError(f"the inputs differ in their number of sequences: {_counted(counts)}")
    return inputs


def _repeated(name: str, given: Any, port: InputPort, steps: Sequence[int]) -> list[Array] | None:
    """One value for each sequence, at each of its `steps`; None if the values are given for each step."""
    try:
        array = np.asarray(given)
    except ValueError:  # sequences of unequal length
        return None
    if array.ndim != 1 + len(port.shape):
        return None
    if len(array) != len(steps):
        raise UsageError(f"{name} has {len(array)} values for {len(steps)} sequences")
    return [np.repeat(array[row : row + 1], count, 0) for row, count in enumerate(steps)]


def _checked(inputs: Mapping[str, list[Array]], ports: Mapping[str, InputPort]) -> dict[str, list[Array]]:
    """The inputs, unless they are of a dtype that holds neither numbers nor, for symbols, texts."""
    for name, sequences in inputs.items():
        for number, rows in enumerate(sequences):
            if rows.dtype.kind not in ("biuf" if ports[name].index is None else "biufU"):
                raise UsageError(f"{name} of the data, sequence {number}: {not_numbers(rows.dtype, ports[name])}")
    return {n: [a.astype(np.int64) if a.dtype.kind == "b" else a for a in rows] for n, rows in inputs.items()}


def _only(ports: Mapping[str, InputPort], model: Any) -> str:
    if len(ports) != 1:
        raise UsageError(f"{model.spec.name} reads the inputs {', '.join(ports)}: pass them by name")
    return next(iter(ports))


def _counted(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} has {count}" for name, count in counts.items())


def _sequences(name: str, given: Any, port: InputPort, lengths: Mapping[str, Any]) -> list[Array]:
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
