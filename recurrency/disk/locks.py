"""Locks between processes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from recurrency.errors import UsageError

LOCK = ".lock"
"""The name of the lock in a folder."""


@contextmanager
def locked(folder: Path, does: str) -> Iterator[None]:
    """Keep other processes out of a folder, which exists; `does` says what one does that has the lock.

    Raises:
        UsageError: another one has the lock, or the folder can't be written to.
    """
    from filelock import FileLock, Timeout

    lock = FileLock(folder / LOCK)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        raise UsageError(f"another process {does} in {folder}; wait for it, or stop it") from None
    except OSError as error:
        raise UsageError(f"{folder} can't be written to: {error.strerror or error}") from error
    try:
        yield
    finally:
        lock.release()
