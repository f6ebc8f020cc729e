"""Sequences of unequal length: where they are found, how they are cut, sorted, padded and put into batches."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol, TypeAlias
from zipfile import BadZipFile

import numpy as np
from numpy.typing import DTypeLike, NDArray

from recurrency.errors import UsageError

Array: TypeAlias = NDArray[Any]
Lengths: TypeAlias = Array | dict[str, Array] | None

PLACES = ("data", "../shared/data")
"""Folders looked into, in this order, when neither --data nor RECURRENCY_DATA says where the data are."""


@dataclass(frozen=True)
class Batch:
    """What one step of training sees.

    `inputs` are arrays [T, B, *shape] by name; `lengths` is [B], {clock: [B]}, or None where no sequence is padded;
    `weight` is the number of things (steps or sequences) of which the batch's loss is the mean. A batch that is not
    `fresh` goes on with the sequences of the batch before it, whose last states are its first ones (truncated
    back-propagation through time).
    """

    inputs: dict[str, Array]
    lengths: Lengths
    weight: int
    fresh: bool = True


@dataclass(frozen=True)
class Sequences:
    """A data set: for each input a list of arrays [T_i, *shape], one a sequence, and the clock it runs over.

    `symbols` names the inputs that are integers out of a vocabulary; all others become real numbers in a batch.
    """

    inputs: Mapping[str, Sequence[Array]]
    clocks: Mapping[str, str]
    symbols: frozenset[str] = frozenset()

    def __len__(self) -> int:
        return len(next(iter(self.inputs.values())))

    def lengths(self, clock: str) -> Array:
        """The number of steps of every sequence over `clock`, [count]."""
        name = next(name for name, other in self.clocks.items() if other == clock)
        return np.array([len(a) for a in self.inputs[name]], dtype=np.int64)

    def take(self, chosen: Sequence[int] | Array) -> Sequences:
        """The sequences with these numbers, in this order."""
        return replace(self, inputs={k: [v[int(i)] for i in chosen] for k, v in self.inputs.items()})

    def cut(self, chunk: int) -> Sequences:
        """Every sequence of more than `chunk` steps in the fewest even pieces of at most `chunk` steps."""
        if len(set(self.clocks.values())) > 1:
            raise UsageError(
                "sequences whose inputs run over several clocks cannot be cut into chunks; leave --chunk out"
            )
        return replace(
            self, inputs={k: [piece for a in v for piece in _pieces(a, chunk)] for k, v in self.inputs.items()}
        )


def _pieces(a: Array, chunk: int) -> list[Array]:
    return np.array_split(a, max(1, -(-len(a) // chunk)))


def pad(arrays: Sequence[Array], dtype: DTypeLike) -> Array:
    """Arrays [T_i, *shape] side by side as [T, B, *shape], zero after their ends."""
    out = np.zeros((max(len(a) for a in arrays), len(arrays), *arrays[0].shape[1:]), dtype)
    for column, a in enumerate(arrays):
        out[: len(a), column] = a
    return out


def _batch(data: Sequences, dtype: DTypeLike) -> Batch:
    """All sequences of `data` as one batch, weighed by its steps."""
    inputs = {k: pad(v, np.int64 if k in data.symbols else dtype) for k, v in data.inputs.items()}
    by_clock = {clock: data.lengths(clock) for clock in dict.fromkeys(data.clocks.values())}
    first = next(iter(by_clock.values()))
    lengths: Lengths = by_clock if len(by_clock) > 1 else first
    if all((steps == steps[0]).all() for steps in by_clock.values()):
        lengths = None
    return Batch(inputs, lengths, int(first.sum()))


def batches(data: Sequences, size: int, dtype: DTypeLike, rng: np.random.Generator | None = None) -> Iterator[Batch]:
    """Batches of at most `size` sequences of like length; with `rng` their order is random, and so are ties."""
    count = len(data)
    order = np.arange(count) if rng is None else rng.permutation(count)
    steps = data.lengths(next(iter(data.clocks.values())))
    order = order[np.argsort(steps[order], kind="stable")]
    groups = [order[start : start + size] for start in range(0, count, size)]
    for group in range(len(groups)) if rng is None else rng.permutation(len(groups)):
        yield _batch(data.take(groups[group]), dtype)


# ------------------------------------------------------------------------------------------------------------ files


def find_data(name: str, given: str | Path | None = None) -> Path:
    """The file `name`, such as `music/JSB_Chorales.npz`.

    Looked for at `given` (the file itself or a folder that holds it), else under the folder named by the environment
    variable RECURRENCY_DATA, else under `./data` and `../shared/data`; in each with and without the name's own folder.

    Raises:
        UsageError: it is in none of these places, which the message lists.
    """
    settings = os.environ.get("RECURRENCY_DATA")
    roots = [Path(given)] if given else [Path(p) for p in ((settings,) if settings else PLACES)]
    looked = [place for root in roots for place in (root / name, root / Path(name).name)]
    if given:
        looked.insert(0, Path(given))
    for place in looked:
        if place.is_file():
            return place
    raise UsageError(
        f"{Path(name).name} is not at {', '.join(map(str, looked))}; "
        "say where it is with --data PATH or the environment variable RECURRENCY_DATA"
    )


def read_npz(path: str | Path) -> dict[str, Array]:
    """All arrays of an .npz file; UsageError where it cannot be read (pickled objects are never loaded)."""
    try:
        with Path(path).open("rb") as handle:
            file = np.load(handle, allow_pickle=False)
            if not isinstance(file, np.lib.npyio.NpzFile):
                raise UsageError(f"{path} holds a single array; save named arrays with numpy.savez")
            return {name: file[name] for name in file.files}
    except (OSError, ValueError, EOFError, BadZipFile) as error:
        raise UsageError(f"cannot read {path} as an .npz file: {error}") from error


def read_ragged(path: str | Path, name: str, clock: str = "t") -> dict[str, Sequences]:
    """The splits of a file with all steps of all sequences in `train`, `valid`, `test`, and lengths in `train_len`, ...

    Returns `{"train": ..., "valid": ..., "test": ...}`, each with the one input `name`.
    """
    arrays = read_npz(path)
    missing = [k for split in ("train", "valid", "test") for k in (split, f"{split}_len") if k not in arrays]
    if missing:
        raise UsageError(f"{path} has no array {missing[0]}; it has {', '.join(arrays)}")
    out = {}
    for split in ("train", "valid", "test"):
        ends = np.cumsum(arrays[f"{split}_len"])
        out[split] = Sequences({name: np.split(arrays[split], ends[:-1])}, {name: clock})
    return out


class InputPort(Protocol):
    """What the reading of a user's file needs to know of an input of a compiled model."""

    @property
    def shape(self) -> tuple[int, ...]: ...
    @property
    def clock(self) -> str | None: ...
    @property
    def index(self) -> int | None: ...


def read_user(path: str | Path, ports: Mapping[str, InputPort], hold_out: float = 0.1) -> dict[str, Sequences]:
    """A user's own data: an .npz file with an array [sequences, steps, *shape] for each input, named like it.

    `lengths` [sequences], if there, says how many steps of each are real (`lengths_s` for inputs over another clock
    `s`). `valid_x` and `test_x`, `valid_lengths`, ... give the other splits; where they are missing, the part
    `hold_out` of the sequences is set aside for each, always the same ones.

    Raises:
        UsageError: an array is missing or does not fit the spec, or there are too few sequences to set some aside.
    """
    arrays = read_npz(path)
    found = {"train": _split(arrays, "", ports, path)}
    for split in ("valid", "test"):
        if any(f"{split}_{name}" in arrays for name in ports):
            found[split] = _split(arrays, f"{split}_", ports, path)
    for split in ("valid", "test"):
        if split not in found:
            found["train"], found[split] = _set_aside(found["train"], hold_out, path)
    return found


def _split(arrays: Mapping[str, Array], prefix: str, ports: Mapping[str, InputPort], path: str | Path) -> Sequences:
    inputs, clocks, counts = {}, {}, set()
    for name, port in ports.items():
        array = _fitting(arrays, prefix + name, port, path)
        clock = port.clock or "t"
        lengths = _lengths(arrays, prefix, clock, array, path)
        inputs[name] = [row[:n] for row, n in zip(array, lengths, strict=True)]
        clocks[name] = clock
        counts.add(len(array))
    if len(counts) > 1:
        raise UsageError(
            f"the arrays {', '.join(prefix + name for name in ports)} of {path} differ in their number of sequences"
        )
    return Sequences(inputs, clocks, frozenset(name for name, port in ports.items() if port.index is not None))


def _fitting(arrays: Mapping[str, Array], name: str, port: InputPort, path: str | Path) -> Array:
    """The array `name`, of the right shape and type for its port."""
    wanted = ", ".join(["sequences", "steps", *map(str, port.shape)])
    array = arrays.get(name)
    if array is None:
        raise UsageError(f"{path} has no array {name} [{wanted}]; it has {', '.join(arrays) or 'none'}")
    if array.ndim < 2 or array.shape[2:] != tuple(port.shape) or array.size == 0:
        raise UsageError(f"{name} of {path} is {list(array.shape)}; the spec needs [{wanted}]")
    if port.index is None:
        return array
    if array.dtype.kind not in "iu":
        raise UsageError(
            f"{name} of {path} holds {array.dtype} numbers; symbols of index[{port.index}] must be integers"
        )
    return array.astype(np.int64)


def _lengths(arrays: Mapping[str, Array], prefix: str, clock: str, array: Array, path: str | Path) -> Array:
    name = f"{prefix}lengths" + ("" if clock == "t" else f"_{clock}")
    lengths = arrays.get(name, np.full(len(array), array.shape[1]))
    if lengths.shape != (len(array),) or lengths.dtype.kind not in "iu":
        raise UsageError(
            f"{name} of {path} is {list(lengths.shape)} {lengths.dtype}; it must be [{len(array)}] integers"
        )
    if lengths.min() < 1 or lengths.max() > array.shape[1]:
        raise UsageError(
            f"{name} of {path} goes from {lengths.min()} to {lengths.max()}; the arrays have {array.shape[1]} steps"
        )
    return lengths


def _set_aside(data: Sequences, part: float, path: str | Path) -> tuple[Sequences, Sequences]:
    aside = max(1, round(part * len(data)))
    if len(data) <= 2 * aside:
        raise UsageError(
            f"{path} has {len(data)} sequences, too few to set some aside: add more, or arrays valid_... and test_..."
        )
    order = np.random.RandomState(0).permutation(len(data))
    return data.take(order[aside:]), data.take(order[:aside])
