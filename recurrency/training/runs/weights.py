"""Trained parameters on disk, as .safetensors files that any framework can read."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from recurrency.disk.files import read_name, stored_name, write_whole
from recurrency.errors import UsageError


class Named(Protocol):
    """The part of a model that maps its flat vector of parameters to named arrays and back."""

    def views(self, params: Any) -> Mapping[str, Any]: ...
    def pack(self, arrays: Any) -> Any: ...


def save_weights(path: str | Path, model: Named, params: Any, about: Mapping[str, str] | None = None) -> None:
    """Write every parameter under its dotted name, and `about` as the file's metadata.

    The file is written under another name and then renamed, so an interrupted run leaves the old one intact.

    Raises:
        UsageError: the file cannot be written.
    """
    from safetensors.numpy import save

    arrays = {stored_name(name): np.ascontiguousarray(value) for name, value in model.views(params).items()}
    write_whole(path, save(arrays, metadata=dict(about or {})))


def load_weights(path: str | Path, model: Named) -> Any:
    """The flat vector of parameters that `save_weights` wrote; UsageError if the file cannot be read."""
    return model.pack(read_arrays(path))


def read_arrays(path: str | Path) -> dict[str, Any]:
    """The arrays of a file by name, in its own dtypes.

    Raises:
        UsageError: the file cannot be read, or NumPy does not have one of its dtypes.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        return {read_name(name): array for name, array in load_file(path).items()}
    except (OSError, SafetensorError, TypeError, KeyError, AttributeError) as error:
        raise UsageError(f"cannot read weights from {path}: {error}") from error


def read_about(path: str | Path) -> dict[str, str]:
    """The metadata that `save_weights` wrote; UsageError if the file cannot be read."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "np") as file:
            return dict(file.metadata() or {})
    except (OSError, SafetensorError) as error:
        raise UsageError(f"cannot read weights from {path}: {error}") from error
