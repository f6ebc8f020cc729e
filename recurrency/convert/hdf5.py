"""Reads the weights of Keras' layers from HDF5 files, which may come from anywhere.

Only arrays of floating point numbers are read: no code, no links to other files, and nothing above a bound on sizes.
Three layouts are known: `model.weights.h5` of Keras 3 (alone, or within a `.keras` file), and `model.save("x.h5")` and
`save_weights("x.h5")` as Keras 2 writes them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from math import prod
from typing import Any

import numpy as np

from recurrency.convert.foreign import KERAS_NAMES
from recurrency.errors import UsageError
from recurrency.extras import install
from recurrency.graph.op import Array

GREATEST_ARRAY = 2**28
"""Bound on the elements of one array."""
GREATEST_GROUPS = 10_000
"""Bound on the layers of a file."""
SIDES = ("cell", "forward_layer/cell", "backward_layer/cell")
"""Where Keras 3 stores the weights of a layer, and of both directions of a bidirectional one."""


@contextmanager
def opened(file: Any, name: str) -> Iterator[Any]:
    """An HDF5 file by its path, or from an open file.

    Raises:
        UsageError: h5py is absent, or the file is no HDF5 file.
    """
    try:
        import h5py
    except ImportError:
        raise UsageError(f"files of Keras need h5py: {install('keras')}") from None
    try:
        opened = h5py.File(file, "r")
    except OSError as error:
        raise UsageError(f"{name} can't be read as HDF5: {error}") from error
    with opened:
        yield opened


def layers(file: Any, keys: bool = False) -> dict[str, str]:
    """The path of each layer by its name; `keys`: where the file has no names, by its class and a number (`gru_1`)."""
    if _is_group(_at(file, "layers")):  # Keras 3
        found = {key: f"layers/{key}" for key in _keys(_at(file, "layers"))}
        names = {_name(_at(file, f"{path}/vars")): path for path in found.values()}
        return {name: path for name, path in names.items() if name} if any(names) else found if keys else {}
    root = "model_weights" if _at(file, "model_weights") is not None else ""
    return {key: f"{root}/{key}".lstrip("/") for key in _keys(_at(file, root) if root else file)}


def arrays(file: Any, path: str) -> list[Array]:
    """The weights of the layer at a path in the order of `get_weights()`; empty if it is not recurrent.

    Raises:
        UsageError: they are not arrays of bounded size with floating point numbers.
    """
    if path.startswith("layers/"):
        found = [(f"{path}/{side}/vars", _at(file, f"{path}/{side}/vars")) for side in SIDES]
        return [_array(file, f"{place}/{key}") for place, group in found if _is_group(group) for key in _numbers(group)]
    group = _at(file, path)
    names = [_text(name).split("/") for name in _attribute(group, "weight_names")]
    wanted = [parts for parts in names if parts[-1].split(":")[0] in KERAS_NAMES]
    for place, parts in enumerate(wanted):
        other = "backward_" if place < len(wanted) / 2 else "forward_"
        if len(wanted) > len(KERAS_NAMES) and any(part.startswith(other) for part in parts[-3:-1]):
            raise UsageError(f"the directions of {path} are in an unknown order: {' '.join(map('/'.join, wanted))}")
    return [_array(file, "/".join([path, *parts])) for parts in wanted]


def configuration(file: Any) -> Mapping[str, str]:
    """`model_config` and `keras_version` of a file by `model.save`; the former is absent from a file of weights."""
    found = {key: file.attrs.get(key) for key in ("model_config", "keras_version")}
    return {key: _text(value) for key, value in found.items() if value is not None}


def _keys(group: Any) -> list[str]:
    if len(group) > GREATEST_GROUPS:
        raise UsageError(f"{group.name} has {len(group)} entries; at most {GREATEST_GROUPS} are read")
    return [key for key in group if _is_group(_at(group, key))]


def _numbers(group: Any) -> list[str]:
    return sorted((key for key in group if key.isdecimal()), key=int)


def _is_group(found: Any) -> bool:
    return found is not None and not hasattr(found, "dtype")


def _at(group: Any, path: str) -> Any:
    """The entry at a path, or None; links to other files and to other places are refused, not followed."""
    import h5py

    for part in path.split("/"):
        if not _is_group(group):
            return None
        link = group.get(part, getlink=True)
        if link is not None and not isinstance(link, h5py.HardLink):
            raise UsageError(f"{part} in {group.name} is a link, which is not followed")
        group = group.get(part)
    return group


def _name(group: Any) -> str:
    name = group.attrs.get("name") if _is_group(group) else None
    return "" if name is None else _text(name)


def _attribute(group: Any, name: str) -> Any:
    found = group.attrs.get(name) if _is_group(group) else None
    return () if found is None else np.atleast_1d(found)


def _text(value: Any) -> str:
    return value.decode("utf-8") if isinstance(value, bytes) else str(value)


def _array(file: Any, path: str) -> Array:
    """One array, whose size and type are checked before it is read."""
    found = _at(file, path)
    if not hasattr(found, "dtype"):
        raise UsageError(f"{path} is no array")
    if found.is_virtual or found.external:
        raise UsageError(f"{path} is stored in another file, which is not read")
    if found.dtype.kind != "f":
        raise UsageError(f"{path} has numbers of type {found.dtype}, not floating point numbers")
    if prod(found.shape) > GREATEST_ARRAY:
        raise UsageError(f"{path} has {prod(found.shape)} elements; at most {GREATEST_ARRAY} are read")
    return np.asarray(found[()])
