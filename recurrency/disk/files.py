"""Atomic writing of files, and checks whether they can be written."""

from __future__ import annotations

import contextlib
import os
import re
import tempfile
from collections.abc import Iterable
from pathlib import Path

from recurrency.errors import UsageError


def write_whole(path: str | Path, data: bytes | str) -> None:
    """Write a file atomically: to a temporary file beside it, which is then renamed. Pipes and devices are written to.

    Raises:
        UsageError: the file can't be written (the message says why).
    """
    path = Path(path)
    data = data.encode() if isinstance(data, str) else data
    try:
        require_file(path)
        if path.exists() and not path.is_file():
            path.write_bytes(data)
            return
        handle, beside = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            mode = path.stat().st_mode & 0o777 if path.exists() else 0o666 & ~_umask()
            Path(beside).chmod(mode)
            Path(beside).replace(path)
        except BaseException:
            with contextlib.suppress(OSError):
                Path(beside).unlink()
            raise
    except OSError as error:
        raise UsageError(f"{path} can't be written: {error.strerror or error}") from error


def sweep(folder: Path, names: Iterable[str]) -> None:
    """Remove temporary files that a killed `write_whole` left for these names. No other process may be writing them."""
    halves = re.compile(rf"\.(?:{'|'.join(map(re.escape, names))})\.\w{{8}}")
    for path in folder.iterdir():
        if halves.fullmatch(path.name) and not path.is_symlink() and path.is_file():
            with contextlib.suppress(OSError):
                path.unlink()


def require_file(path: str | Path) -> None:
    """Check, before a long computation, that a file for its result can be created.

    Raises:
        UsageError: it can't (the message says why).
    """
    path = Path(path)
    if path.is_dir():
        raise UsageError(f"{path} is a folder; name a file in it")
    if not path.parent.is_dir():
        raise UsageError(f"{path} can't be written: there is no folder {path.parent}")


def require_folder(path: str | Path) -> None:
    """Check that a folder exists or can be created.

    Raises:
        UsageError: there is a file in its place.
    """
    path = Path(path)
    first = next(p for p in (path, *path.parents) if p.exists())
    if not first.is_dir():
        raise UsageError(f"{path} can't be a folder: {first} is a file")


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


RESERVED = "__metadata__"
"""The key of a safetensors file that is not an array."""


def stored_name(name: str) -> str:
    """The key of an array in a safetensors file: its name, with `_` appended where the name is reserved."""
    return f"{name}_" if name.rstrip("_") == RESERVED.rstrip("_") and name.startswith(RESERVED) else name


def read_name(stored: str) -> str:
    """The name of an array by its key in a safetensors file: the inverse of `stored_name`."""
    return stored[:-1] if stored_name(stored) != stored and stored != RESERVED else stored
