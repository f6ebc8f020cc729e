"""Reads and writes weights as .safetensors, .npz or PyTorch files; of the latter only tensors are read, never code."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from recurrency.disk.files import read_name, stored_name, write_whole
from recurrency.errors import UsageError
from recurrency.extras import install

TORCH = (".pt", ".pth", ".bin")
NUMBERED = re.compile(r"arr_(\d+)")


def read(path: str | Path) -> dict[str, Any]:
    """The arrays of a file by name (tensors, if it is a file of PyTorch).

    Raises:
        UsageError: it can't be read, has an unknown extension, or contains entries that are not arrays.
    """
    reader = _by_suffix(path, READERS)
    try:
        found: dict[str, Any] = reader(Path(path))
    except OSError as error:
        raise UsageError(f"{path} can't be read: {error.strerror or error}") from error
    except Exception as error:  # three libraries raise different errors for damaged files
        if isinstance(error, UsageError):
            raise
        raise UsageError(f"{path} can't be read as weights: {str(error).splitlines()[0]}") from error
    wrong = [name for name, array in found.items() if not hasattr(array, "shape")]
    if wrong:
        raise UsageError(f"{path} contains entries that are not arrays: {', '.join(map(str, wrong[:5]))}")
    return found


def write(path: str | Path, arrays: Mapping[str, Any], about: Mapping[str, str]) -> None:
    """Write arrays by name; `about` is metadata, which only .safetensors stores.

    Raises:
        UsageError: the file can't be written, or has an unknown extension.
    """
    write_whole(path, _by_suffix(path, WRITERS)(arrays, about))


def _by_suffix(path: str | Path, table: Mapping[str, Callable[..., Any]]) -> Callable[..., Any]:
    suffix = Path(path).suffix.lower()
    if suffix not in table:
        raise UsageError(f"{path}: the extension of a file of weights is one of {', '.join(table)}")
    return table[suffix]


def in_order(arrays: Mapping[str, Any], names: tuple[str, ...]) -> list[Any]:
    """Arrays as a list: in the order of `names`, or in that of `numpy.savez(path, *list)`."""
    numbered = {int(m[1]): array for name, array in arrays.items() if (m := NUMBERED.fullmatch(name))}
    if numbered:
        return [numbered[k] for k in sorted(numbered)]
    found = [arrays[name] for name in names if name in arrays]
    if len(found) != len(arrays):
        raise UsageError(
            f"the arrays should be {', '.join(names)}, or arr_0, arr_1, ...; there are {', '.join(arrays)}"
        )
    return found


# ---------------------------------------------------------------------------------------------------------- formats


def _torch() -> Any:
    try:
        import torch
    except ImportError:
        raise UsageError(f"files of PyTorch need it: {install('torch')}, or use .safetensors") from None
    return torch


def _read_torch(path: Path) -> dict[str, Any]:
    """A state dict, alone or under a key that training scripts use; never code."""
    found = _torch().load(path, map_location="cpu", weights_only=True)
    for key in ("state_dict", "model_state_dict", "model"):
        if isinstance(found, Mapping) and isinstance(found.get(key), Mapping):
            found = found[key]
    if not isinstance(found, Mapping):
        raise UsageError(f"{path} holds a {type(found).__name__}, not a state dict")
    return dict(found)


def _read_safetensors(path: Path) -> dict[str, Any]:
    from safetensors.numpy import load

    return {read_name(name): array for name, array in load(path.read_bytes()).items()}


def _read_npz(path: Path) -> dict[str, Any]:
    with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as file:
        return {name: file[name] for name in file.files}


def _host(array: Any) -> Any:
    """A NumPy array; bfloat16, which NumPy lacks, becomes float32."""
    if not hasattr(array, "detach"):
        return np.ascontiguousarray(array)
    array = array.detach().cpu()
    return np.ascontiguousarray((array.float() if str(array.dtype) == "torch.bfloat16" else array).numpy())


def _written_torch(arrays: Mapping[str, Any], about: Mapping[str, str]) -> bytes:
    torch, buffer = _torch(), io.BytesIO()
    torch.save({name: torch.as_tensor(array) for name, array in arrays.items()}, buffer)
    return buffer.getvalue()


def _written_safetensors(arrays: Mapping[str, Any], about: Mapping[str, str]) -> bytes:
    from safetensors.numpy import save

    return save({stored_name(name): _host(array) for name, array in arrays.items()}, metadata=dict(about))


def _written_npz(arrays: Mapping[str, Any], about: Mapping[str, str]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(
        buffer, "w"
    ) as archive:  # as numpy.savez does, which can't write arrays called like its own arguments
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as file:
                np.lib.format.write_array(file, _host(array), allow_pickle=False)
    return buffer.getvalue()


READERS = {".safetensors": _read_safetensors, ".npz": _read_npz, **dict.fromkeys(TORCH, _read_torch)}
WRITERS = {".safetensors": _written_safetensors, ".npz": _written_npz, **dict.fromkeys(TORCH, _written_torch)}
