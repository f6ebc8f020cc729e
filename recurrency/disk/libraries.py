"""Compiled libraries: written with a seal, loaded from the cache, and unloaded with the last reference."""

from __future__ import annotations

import _ctypes
import contextlib
import ctypes
import weakref
from pathlib import Path
from typing import Any, TypeVar

from recurrency.disk.cache import touch
from recurrency.disk.files import write_whole
from recurrency.disk.ownership import read_own, sealed, unsealed
from recurrency.errors import UsageError

L = TypeVar("L", bound="Library")

MOST_BYTES = 1 << 28
"""Bound on the size of a library."""


class CompileError(UsageError):
    """A compiler rejects a text; the message is the compiler's."""


class Library(ctypes.CDLL):
    """A loaded library. It is unloaded when neither the library nor one of its functions is referenced.

    The functions that `ctypes` makes also refer to themselves, so they would live until the next garbage collection.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(str(path))
        weakref.finalize(self, _ctypes.dlclose, self._handle).atexit = False

    def __getitem__(self, name: str) -> Any:
        function: Any = self._FuncPtr(_ctypes.dlsym(self._handle, name))
        function.library = self
        return function


class LockedLibrary(Library, ctypes.PyDLL):
    """A library whose functions run with the global interpreter lock."""


def opened(path: Path, kind: type[L]) -> L:
    """Load a library, after its seal was checked: a damaged library could crash this process.

    Raises:
        OSError: it does not exist, is damaged, belongs to another name, or is no library for this machine.
    """
    unsealed(path.name, read_own(path, MOST_BYTES))
    loaded = kind(path)
    touch(path)
    return loaded


def kept(path: Path, data: bytes, kind: type[L]) -> L:
    """Write a library that has just been compiled to its place in the cache, and load it.

    Raises:
        UsageError: it can't be written or loaded.
    """
    put(path, data)
    try:
        return opened(path, kind)
    except OSError as error:
        with contextlib.suppress(OSError):
            path.unlink()
        raise UsageError(f"what has just been compiled can't be loaded: {error}") from error


def put(path: Path, data: bytes) -> None:
    """Write a library, with its seal appended.

    Raises:
        UsageError: it can't be written.
    """
    write_whole(path, sealed(path.name, data))
