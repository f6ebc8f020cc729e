"""A user's data from any file format, as sequences in splits."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Protocol

import numpy as np

from recurrency.errors import UsageError
from recurrency.training.data.csv_rows import read_csv
from recurrency.training.data.npz import SPLITS, read_arrays, read_npy
from recurrency.training.data.parquet import read_parquet
from recurrency.training.data.places import PACKED
from recurrency.training.data.sequences import InputPort, Sequences, alike, without_gaps


class Reader(Protocol):
    """Reads a file: see `csv_rows.read_csv`."""

    def __call__(
        self,
        path: str | Path,
        ports: Mapping[str, InputPort],
        real: str = "float64",
        others: Collection[str] = (),
        alone: bool = False,
    ) -> dict[str, Sequences]: ...


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


def read_user(
    path: str | Path, ports: Mapping[str, InputPort], hold_out: float | None = None, real: str = "float64"
) -> dict[str, Sequences]:
    """The splits of a user's own file, for the inputs of a spec that computes in the dtype `real`.

    Where there is no `valid` or `test`, the part `hold_out` of the sequences (a tenth) is set aside for each, always
    the same ones.

    Raises:
        UsageError: the file cannot be read or does not fit the spec (the message names the first bad row), there are
            too few sequences to set some aside, or how many is said though none have to be.
    """
    read = reader(path)
    found = {split: without_gaps(data, str(path)) for split, data in read(path, ports, real).items()}
    if SPLITS[0] not in found:
        raise UsageError(f"{path} has no sequence of the split {SPLITS[0]}")
    if hold_out is not None and all(split in found for split in SPLITS):
        raise UsageError(f"the option held has no effect: {path} says what to validate and to test on; leave it out")
    count, missing = len(found["train"]), [split for split in SPLITS[1:] if split not in found]
    aside = max(1, round((0.1 if hold_out is None else hold_out) * count))
    if missing and count <= aside * (len(missing) + 1):
        raise too_few(path, count)
    for split in missing:
        found["train"], found[split] = set_aside(found["train"], aside, path)
    return found


def too_few(path: str | Path, count: int) -> UsageError:
    """The error of a file from which none can be spared."""
    return UsageError(
        f"{path} has {count} sequence{'s' * (count != 1)}, too few to set some aside: add more, or say which ones are "
        "to validate and to test on"
    )


def set_aside(data: Sequences, count: int, path: str | Path) -> tuple[Sequences, Sequences]:
    """The sequences without `count` of them, and these; the choice is always the same.

    Equal ones are not parted, unless there are no others.

    Raises:
        UsageError: fewer than these would be left.
    """
    if len(data) <= 2 * count:
        raise too_few(path, len(data))
    groups = alike(data)
    groups = groups if len(groups) > 1 else [[number] for number in range(len(data))]
    order = np.random.RandomState(0).permutation(len(groups))
    chosen: list[int] = []
    for group in order:
        if len(chosen) + len(groups[group]) <= count:
            chosen += groups[group]
    chosen = chosen or min(groups, key=len)
    aside = set(chosen)
    return data.take([n for group in order for n in groups[group] if n not in aside]), data.take(chosen)
