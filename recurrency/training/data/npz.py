"""Data in .npz files: published collections and the user's data."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from recurrency.errors import UsageError
from recurrency.training.data.rows import PLAIN, How, check_sequences, not_numbers, shown, unread, would_fit
from recurrency.training.data.sequences import FLAG, FLAGS, PLACE, Array, InputPort, Sequences, flag

SPLITS = ("train", "valid", "test")


def read_npz(path: str | Path) -> dict[str, Array]:
    """All arrays of an .npz file; UsageError where it cannot be read (pickled objects are never loaded)."""
    name = ""
    try:
        with Path(path).open("rb") as handle:
            file = np.load(handle, allow_pickle=False)
            if not isinstance(file, np.lib.npyio.NpzFile):
                raise UsageError(f"{path} holds a single array; save named arrays with numpy.savez")
            twice = [name for name in file.files if file.files.count(name) > 1]
            if twice:
                raise UsageError(f"{path} has two arrays {twice[0]}; leave one out")
            out = {}
            for name in file.files:
                out[name] = file[name]
            return out
    except (OSError, ValueError, EOFError, BadZipFile) as error:
        if name and "Object arrays" in str(error):
            raise UsageError(
                f"cannot read {name} of {path}: it holds objects, not numbers; pad sequences of unequal length into "
                "one array, and say in the array `lengths` how many steps of each are real"
            ) from error
        raise UsageError(f"cannot read {path} as an .npz file: {error}") from error


def read_ragged(path: str | Path, name: str, clock: str = "t") -> dict[str, Sequences]:
    """The splits of a file with all steps of all sequences in `train`, `valid`, `test`, and lengths in `train_len`, ...

    Returns `{"train": ..., "valid": ..., "test": ...}`, each with the one input `name`.
    """
    arrays = read_npz(path)
    missing = [k for split in SPLITS for k in (split, f"{split}_len") if k not in arrays]
    if missing:
        raise UsageError(f"{path} has no array {missing[0]}; it has {', '.join(arrays)}")
    out = {}
    for split in SPLITS:
        rows, lengths = arrays[split], arrays[f"{split}_len"]
        if lengths.sum() != len(rows) or lengths.min(initial=1) < 1:
            raise UsageError(
                f"{split} of {path} has {len(rows)} steps, but {split}_len adds up to {lengths.sum()}, "
                f"with sequences of {lengths.min(initial=1)} steps and more"
            )
        out[split] = Sequences({name: np.split(rows, np.cumsum(lengths)[:-1])}, {name: clock})
    return out


def read_arrays(path: str | Path, ports: Mapping[str, InputPort], how: How = PLAIN) -> dict[str, Sequences]:
    """The splits of a user's file that has an array [sequences, steps, *shape] for each input, named like it.

    `lengths` [sequences], if there, says how many steps of each are real (`lengths_s` for inputs over another clock
    `s`). `valid_x` and `test_x`, `valid_lengths`, ... give the other splits, which may be missing. An array `resets`
    [sequences, steps], if no input has this name, is 1 where a sequence begins again, else 0; `mask` is 0 at steps that
    are not there. Arrays [steps, *shape] of all inputs are one sequence. Missing numbers are NaN.

    Raises:
        UsageError: an array is missing or does not fit the spec; the message names the first bad step.
    """
    arrays = read_npz(path)
    arrays = {name: a for name, a in arrays.items() if not {name, *_without(name)} & set(how.others)}
    flags = [name for name in FLAGS if name in arrays and name not in ports]
    arrays = {_flagged(n, flags): a.astype(np.int64) if a.dtype == bool else a for n, a in arrays.items()}
    ports = {**ports, **{flag(name): FLAG for name in flags}}
    found = {"train": _split(_with_axis(arrays, ports), "", ports, path, how)}
    for split in SPLITS[1:]:
        if any(f"{split}_{name}" in arrays for name in ports):
            found[split] = _split(arrays, f"{split}_", ports, path, how)
    _check_names(arrays, found, ports, path)
    return found


def _with_axis(arrays: Mapping[str, Array], ports: Mapping[str, InputPort]) -> Mapping[str, Array]:
    """The arrays with an axis of sequences, where none of the inputs has one."""
    own = {name: arrays[name] for name in ports if name in arrays}
    alone = len(own) == len(ports) and all(a.ndim == 1 + len(ports[name].shape) for name, a in own.items())
    return {**arrays, **{name: a[None] for name, a in own.items()}} if alone else arrays


def _without(name: str) -> list[str]:
    """The name of an array without that of its split."""
    return [name.removeprefix(f"{split}_") for split in SPLITS[1:]]


def _flagged(name: str, flags: Collection[str]) -> str:
    """The name of an array with that of a flag replaced: `valid_resets` is `valid_:resets`."""
    own = next((f for f in flags if name in (f, *(f"{split}_{f}" for split in SPLITS[1:]))), None)
    return name if own is None else name.removesuffix(own) + flag(own)


def _check_names(
    arrays: Mapping[str, Array], found: Collection[str], ports: Mapping[str, InputPort], path: str | Path
) -> None:
    """Name the arrays that were not read, and refuse lengths of a split that is not there."""
    lengths = [_lengths_of(port.clock or "t") for port in ports.values()]
    known = {split: {f"{_prefix(split)}{name}" for name in (*ports, *lengths)} for split in SPLITS}
    for split in SPLITS[1:]:
        alone = [] if split in found else sorted(known[split] & arrays.keys())
        if alone:
            raise UsageError(f"{path} has {alone[0]}, but no {split}_{next(iter(ports))}; add it, or leave both out")
    every = set[str]().union(*known.values())
    unread(path, "array", [name for name in arrays if name not in every], sorted(every - arrays.keys()))


def _prefix(split: str) -> str:
    return "" if split == SPLITS[0] else f"{split}_"


def _lengths_of(clock: str) -> str:
    return "lengths" + ("" if clock == "t" else f"_{clock}")


def _split(
    arrays: Mapping[str, Array], prefix: str, ports: Mapping[str, InputPort], path: str | Path, how: How
) -> Sequences:
    inputs: dict[str, list[Array]] = {}
    clocks, counts = {}, set()
    late = {name for name, port in ports.items() if name in how.whole and _is_whole(arrays.get(prefix + name), port)}
    for name, port in sorted(ports.items(), key=lambda item: item[0] in late):
        clock = clocks[name] = port.clock or "t"
        other = next((n for n in inputs if clocks[n] == clock), None)
        if name in late and other is not None:
            array = arrays[prefix + name]
            inputs[name] = [
                np.repeat(array[row : row + 1], len(a), 0) for row, a in enumerate(inputs[other][: len(array)])
            ]
        else:
            array = _fitting(arrays, prefix + name, port, path)
            lengths = _lengths(arrays, prefix, clock, array, path)
            inputs[name] = [row[:n] for row, n in zip(array, lengths, strict=True)]
        if port is FLAG:
            check_sequences(prefix + name, inputs[name], port, str(path))
        counts.add(len(array))
    if len(counts) > 1:
        raise UsageError(
            f"the arrays {', '.join(prefix + name for name in ports)} of {path} differ in their number of sequences"
        )
    inputs = {name: inputs[name] for name in ports}
    if len(set(clocks.values())) == 1:
        inputs[flag(PLACE)] = places(next(iter(inputs.values())))
        clocks[flag(PLACE)] = next(iter(clocks.values()))
    symbols = frozenset(name for name, port in ports.items() if port.index is not None)
    return Sequences(inputs, clocks, symbols, where=lambda name, place: where(f"{prefix}{name} of {path}", place))


def places(sequences: Sequence[Array]) -> list[Array]:
    """The number of the sequence and of the step, [T, 2], for each sequence."""
    return [np.stack([np.full(len(a), number), np.arange(len(a))], 1) for number, a in enumerate(sequences)]


def where(name: str, place: Array) -> str:
    """Such a place in words."""
    return f"{name}, sequence {int(place[0])}, step {int(place[1])}"


def _is_whole(array: Array | None, port: InputPort) -> bool:
    """Whether an array has no axis of steps, but one value for each sequence."""
    return array is not None and array.ndim == 1 + len(port.shape)


def _fitting(arrays: Mapping[str, Array], name: str, port: InputPort, path: str | Path) -> Array:
    """The array `name`, of the right shape and type for its port."""
    wanted = shown(port, "sequences", "steps")
    array = arrays.get(name)
    if array is None:
        raise UsageError(
            f"{path} has no array {name.replace(flag(''), '')} {wanted}; it has {', '.join(arrays) or 'none'}"
        )
    name = name.replace(flag(""), "")
    if array.ndim < 2 or array.shape[2:] != tuple(port.shape) or array.size == 0:
        hint = would_fit(port, array.shape[2:]) if array.size else ""
        hint = (
            "; one value for each sequence is for inputs that the loss reads once, as last(...)"
            if _is_whole(array, port)
            else hint
        )
        raise UsageError(f"{name} of {path} is {list(array.shape)}; the spec needs {wanted}{hint}")
    if array.dtype.kind not in "biuf" and (port.index is None or array.dtype.kind != "U"):
        raise UsageError(f"{name} of {path}: {not_numbers(array.dtype, port)}")
    if port.index is not None and array.dtype.kind == "f":
        raise UsageError(
            f"{name} of {path} holds {array.dtype} numbers; symbols of index[{port.index}] must be integers"
        )
    return array


def _lengths(arrays: Mapping[str, Array], prefix: str, clock: str, array: Array, path: str | Path) -> Array:
    name = f"{prefix}{_lengths_of(clock)}"
    lengths = arrays.get(name, np.full(len(array), array.shape[1]))
    if lengths.shape != (len(array),) or lengths.dtype.kind not in "iu":
        raise UsageError(
            f"{name} of {path} is {list(lengths.shape)} {lengths.dtype}; it must be [{len(array)}] integers"
        )
    for number in np.flatnonzero((lengths < 1) | (lengths > array.shape[1]))[:1]:
        raise UsageError(
            f"{name} of {path}, sequence {number}, is {lengths[number]}; the arrays have {array.shape[1]} steps"
        )
    return lengths


def read_npy(path: str | Path, ports: Mapping[str, InputPort], how: How = PLAIN) -> dict[str, Sequences]:
    """The sequences of an .npy file, [sequences, steps, *shape] of the only input, or one of them, [steps, *shape].

    Raises:
        UsageError: there are several inputs, the file cannot be read, or its array does not fit the spec.
    """
    if len(ports) != 1:
        raise UsageError(f"{path} holds a single array; the inputs {', '.join(ports)} are read from an .npz file")
    (name,) = ports
    return {"train": _split(_with_axis({name: read_single(path)}, ports), "", ports, path, how)}


def read_single(path: str | Path) -> Array:
    """The array of an .npy file; UsageError where it cannot be read (pickled objects are never loaded)."""
    try:
        with Path(path).open("rb") as handle:
            return np.asarray(np.lib.format.read_array(handle, allow_pickle=False))
    except (OSError, ValueError, EOFError) as error:
        raise UsageError(f"cannot read {path} as an .npy file: {error}") from error
