"""One long sequence: split by time, and read as parallel streams in pieces or as windows."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import DTypeLike

from recurrency.errors import UsageError
from recurrency.training.data.npz import SPLITS
from recurrency.training.data.pieces import pieces
from recurrency.training.data.sequences import Array, Batch, Sequences, joined

LEAST = 2
"""The fewest steps of a part of a series."""
LONG = 4
"""A stream has at least so many pieces, if there is more than one stream."""


def shares(split: str) -> tuple[int, int, int]:
    """The percents of training, validation and test in words such as `80/10/10`.

    Raises:
        UsageError: these are not three whole numbers that add up to 100.
    """
    parts = split.split("/")
    if len(parts) == 3 and all(part.strip().isdigit() for part in parts):
        train, valid, test = (int(part) for part in parts)
        if train and train + valid + test == 100:
            return train, valid, test
    raise UsageError(f"the option split must be three percents that add up to 100, such as 80/10/10, not {split!r}")


def split_by_time(data: Sequences, split: str, path: object) -> dict[str, Sequences]:
    """Beginning, middle and end of each sequence, to train, to validate and to test on: percents such as `80/10/10`.

    Raises:
        UsageError: `split` is malformed, or a part would have fewer than two steps.
    """
    train, valid, test = shares(split)
    _one_clock(data)
    names = list(data.names) or [str(number) for number in range(len(data))]
    out: dict[str, Sequences] = {}
    lengths = data.lengths(next(iter(data.clocks.values())))
    ends = [0 * lengths, lengths * train // 100, lengths * (train + valid) // 100, lengths]
    for name, share, starts, stops in zip(SPLITS, (train, valid, test), ends[:-1], ends[1:], strict=True):
        steps = stops - starts
        for number in np.flatnonzero(steps < LEAST)[:1] if share else ():
            raise UsageError(
                f"{path} has {lengths[number]} steps, too few to split by time: {split} leaves {steps[number]} for "
                f"{name}; add more, choose other percents with -T split=..., or name sequences in a column `sequence`"
            )
        if share:
            out[name] = _parts(data, starts, stops, names)
    return out


def _one_clock(data: Sequences) -> None:
    clocks = sorted(set(data.clocks.values()))
    if len(clocks) > 1:
        raise UsageError(f"sequences over the clocks {', '.join(clocks)} can't be cut by time")


def _parts(data: Sequences, starts: Array, stops: Array, names: list[str]) -> Sequences:
    """The steps of each sequence between two numbers."""
    first = np.array(data.first or [0] * len(data)) + starts
    inputs = {
        name: [a[start:stop] for a, start, stop in zip(rows, starts, stops, strict=True)]
        for name, rows in data.inputs.items()
    }
    return replace(data, inputs=inputs, names=names, first=first.tolist())


def told(splits: Mapping[str, Sequences]) -> str:
    """Where the parts of a series are, in words."""
    words = {"train": "train", "valid": "validate", "test": "test"}
    parts = []
    for name, data in splits.items():
        steps = sum(len(a) for a in next(iter(data.inputs.values())))
        place = f" (steps {data.first[0]} to {data.first[0] + steps - 1})" if len(data) == 1 and len(data.first) else ""
        parts.append(f"{steps} steps to {words[name]}{place}")
    return ", ".join(parts)


def windows(data: Sequences, steps: int, stride: int, rest: bool) -> Sequences:
    """Pieces of `steps` steps as sequences of their own, each beginning `stride` steps behind the one before.

    With `rest`, what is left at the end of a sequence is a shorter one.

    Raises:
        UsageError: a sequence is shorter than a window.
    """
    _one_clock(data)
    names = list(data.names) or [str(number) for number in range(len(data))]
    first = list(data.first) or [0] * len(data)
    chosen: list[tuple[int, int, int]] = []
    for number, length in enumerate(len(a) for a in next(iter(data.inputs.values()))):
        if length < steps and not rest:
            raise UsageError(
                f"a part of the series has {length} steps, fewer than a window of {steps}: choose a smaller one"
            )
        starts = range(0, max(length - steps, 0) + 1, stride)
        chosen += [(number, start, start + steps) for start in starts]
        if rest and starts[-1] + steps < length:
            chosen.append((number, starts[-1] + stride, length))
    inputs = {name: [rows[n][start:end] for n, start, end in chosen] for name, rows in data.inputs.items()}
    return replace(
        data,
        inputs=inputs,
        names=[f"{names[n]}:{first[n] + start}" for n, start, _ in chosen],
        first=[first[n] + start for n, start, _ in chosen],
    )


def streams(data: Sequences, size: int, chunk: int) -> Sequences:
    """Each sequence as at most `size` consecutive streams of even length, each of at least `LONG` pieces of `chunk`."""
    lengths = data.lengths(next(iter(data.clocks.values())))
    counts = [int(np.clip(length // (LONG * chunk), 1, size)) for length in lengths]
    inputs = {
        name: [part for a, count in zip(rows, counts, strict=True) for part in np.array_split(a, count)]
        for name, rows in data.inputs.items()
    }
    return replace(data, inputs=inputs, names=(), first=())


def begun(data: Sequences, elapsed: Collection[str]) -> Sequences:
    """The sequences with elapsed times, the inputs `elapsed`, that are 0 at the first step, where states are new."""
    inputs = dict(data.inputs)
    for name in elapsed:
        if name in inputs:
            inputs[name] = [np.concatenate([np.zeros_like(a[:1]), a[1:]]) for a in inputs[name]]
    return replace(data, inputs=inputs)


def read(data: Sequences, chunk: int, dtype: DTypeLike) -> Iterator[Batch]:
    """All sequences side by side, in pieces of at most `chunk` steps: each continues the one before."""
    return pieces(joined(data, dtype), chunk)
