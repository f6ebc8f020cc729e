"""Writing files so that a reader never sees half of one."""

from __future__ import annotations

import contextlib
import os
import re
import tempfile
from collections.abc import Iterable
from pathlib import Path

from recurrency.errors import UsageError


def write_whole(path: str | Path, data: bytes | str) -> None:
    """Write beside the file, then rename: it is there whole, or as it was before. A pipe or a device is written to.

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
    """Remove what a killed process left of `write_whole` for these names. Nobody else may be writing them."""
    halves = re.compile(rf"\.(?:{'|'.join(map(re.escape, names))})\.\w{{8}}")
    for path in folder.iterdir():
        if halves.fullmatch(path.name) and not path.is_symlink() and path.is_file():
            with contextlib.suppress(OSError):
                path.unlink()


def require_file(path: str | Path) -> None:
    """See before long work whether there is a place for the file that is to hold its result.

    Raises:
        UsageError: there is none (the message says why).
    """
    path = Path(path)
    if path.is_dir():
        raise UsageError(f"{path} is a folder; name a file in it")
    if not path.parent.is_dir():
        raise UsageError(f"{path} can't be written: there is no folder {path.parent}")


def require_folder(path: str | Path) -> None:
    """The same for a folder, which need not be there yet.

    Raises:
        UsageError: it can't be made, for a file is in its way.
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
"""What a file of safetensors calls something else than an array."""


def stored_name(name: str) -> str:
    """How an array is called in a file of safetensors: by its name, but for the one that it can't have there."""
    return f"{name}_" if name.rstrip("_") == RESERVED.rstrip("_") and name.startswith(RESERVED) else name


def read_name(stored: str) -> str:
    """The name of an array in a file of safetensors: see `stored_name`."""
    return stored[:-1] if stored_name(stored) != stored and stored != RESERVED else stored
