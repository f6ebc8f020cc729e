"""Trained parameters on disk, as .safetensors files that any framework can read."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from recurrency.errors import UsageError


class Named(Protocol):
    """The part of a model that maps its flat vector of parameters to named arrays and back."""

    def views(self, params: Any) -> Mapping[str, Any]: ...
    def pack(self, arrays: Any) -> Any: ...


def save_weights(path: str | Path, model: Named, params: Any, about: Mapping[str, str] | None = None) -> None:
    """Writes every parameter under its dotted name, and `about` as the file's metadata.

    The file is written beside its place and then renamed, so that an interrupted run leaves the old one whole.

    Raises:
        UsageError: the file cannot be written.
    """
    from safetensors.numpy import save

    arrays = {name: np.ascontiguousarray(value) for name, value in model.views(params).items()}
    content = save(arrays, metadata=dict(about or {}))
    path = Path(path)
    try:
        handle, beside = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
            # mkstemp keeps its files private; a result should be as readable as any other new file.
            Path(beside).chmod(0o666 & ~_umask())
            Path(beside).replace(path)
        except BaseException:
            Path(beside).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror or error}") from error


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def load_weights(path: str | Path, model: Named) -> Any:
    """The flat vector of parameters that `save_weights` wrote; UsageError where the file cannot be read."""
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        return model.pack(load_file(path))
    except (OSError, SafetensorError) as error:
        raise UsageError(f"cannot read weights from {path}: {error}") from error
