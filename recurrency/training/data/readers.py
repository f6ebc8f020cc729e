"""A user's data from any file format, as sequences in splits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Protocol

import numpy as np

from recurrency.errors import UsageError
from recurrency.training.data.csv_rows import read_csv
from recurrency.training.data.npz import read_arrays, read_npy
from recurrency.training.data.parquet import read_parquet
from recurrency.training.data.places import PACKED
from recurrency.training.data.rows import PLAIN, How
from recurrency.training.data.sequences import InputPort, Sequences


class Reader(Protocol):
    """Reads a file: see `csv_rows.read_csv`."""

    def __call__(self, path: str | Path, ports: Mapping[str, InputPort], how: How = PLAIN) -> dict[str, Sequences]: ...


READERS: Mapping[str, Reader] = {
    ".npz": read_arrays,
    ".npy": read_npy,
    ".csv": read_csv,
    ".parquet": read_parquet,
}
"""What reads a file of sequences, by the end of its name; a text (.txt) is read by `recurrency.training.tasks.text`."""


def ending(path: str | Path) -> str:
    """The extension that determines the format: `.csv` of `my.csv.xz`."""
    path = Path(path)
    return Path(path.stem).suffix if path.suffix in PACKED and path.suffix else path.suffix


def reader(path: str | Path) -> Reader:
    """What reads a file of sequences, by the end of its name.

    Raises:
        UsageError: it is of another kind.
    """
    if ending(path) not in READERS:
        raise UsageError(f"{path} is not of a known kind; data are in {', '.join(READERS)} or .txt files")
    return READERS[ending(path)]


def too_few(path: str | Path, count: int) -> UsageError:
    """The error of a file from which none can be spared."""
    return UsageError(
        f"{path} has {count} sequence{'s' * (count != 1)}, too few to set some aside: add more, say which ones are to "
        "validate and to test on, or split each by time with -T split=80/10/10"
    )


def set_aside(
    data: Sequences, count: int, path: str | Path, groups: Sequence[Sequence[int]]
) -> tuple[Sequences, Sequences, list[list[int]]]:
    """The sequences without `count` of them, these, and the groups of equal ones among the first.

    `groups` are the numbers of sequences that are equal, which are not parted, unless there are no others. The choice
    is always the same.

    Raises:
        UsageError: fewer than these would be left.
    """
    if len(data) <= 2 * count:
        raise too_few(path, len(data))
    groups = groups if len(groups) > 1 else [[number] for number in range(len(data))]
    order = np.random.RandomState(0).permutation(len(groups))
    chosen: list[int] = []
    for group in order:
        if len(chosen) + len(groups[group]) <= count:
            chosen += groups[group]
    fewest: Sequence[int] = min(groups, key=len)
    chosen = chosen or [*fewest]
    aside = set(chosen)
    kept = [groups[group] for group in order if not aside & {*groups[group]}]
    left = [n for group in kept for n in group]
    return data.take(left), data.take(chosen), regrouped(kept)


def regrouped(groups: Sequence[Sequence[int]]) -> list[list[int]]:
    """The numbers of sequences that are put one group after the other, in these groups."""
    ends = np.cumsum([0, *map(len, groups)])
    return [list(range(start, end)) for start, end in pairwise(ends.tolist())]
