"""Libraries that backends compile: kept in the user's cache, whole, of bounded size, and loaded while they are held."""

from __future__ import annotations

import _ctypes
import atexit
import contextlib
import ctypes
import os
import re
import shutil
import tempfile
import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from recurrency.disk.files import write_whole
from recurrency.disk.ownership import read_own, sealed, stranger, unsealed
from recurrency.errors import UsageError

L = TypeVar("L", bound="Library")

VARIABLE = "RECURRENCY_CACHE"
MEGABYTES = 512
"""So large a folder of libraries may grow, unless `RECURRENCY_CACHE_SIZE` says otherwise."""
MEGA = 1 << 20
TOOLS = "zig"
"""A folder among the libraries, in which a compiler keeps what it needs itself."""
OURS = re.compile(r"[0-9a-f]+\.(KINDS)|\.[0-9a-f]+\.(KINDS)\.\w+".replace("KINDS", "so|version|record|verdict"))
"""Names of what we write, whole or half; nothing else is ever removed."""
MOST_BYTES = 1 << 28
"""No library is larger."""


class CompileError(UsageError):
    """A compiler refuses a text; the message is the compiler's own."""


class Library(ctypes.CDLL):
    """A loaded library. Its code is unloaded with it, and each of its functions holds it.

    Those that `ctypes` makes hold themselves as well: they and what they hold would stay until garbage is collected.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(str(path))
        weakref.finalize(self, _ctypes.dlclose, self._handle).atexit = False

    def __getitem__(self, name: str) -> Any:
        function: Any = self._FuncPtr(_ctypes.dlsym(self._handle, name))
        function.library = self
        return function


class LockedLibrary(Library, ctypes.PyDLL):
    """A library whose functions keep Python's lock."""


class File(NamedTuple):
    """A file that we wrote."""

    used: float
    size: int
    path: Path


@dataclass(frozen=True)
class Store:
    """The libraries of one backend: a folder of the cache, and what compiles them (see `about`)."""

    name: str
    about: Callable[[], Mapping[str, str]]

    @property
    def place(self) -> Path:
        """The folder, which need not be there yet."""
        return root() / self.name

    def folder(self) -> Path:
        """The folder, made if it isn't there.

        Raises:
            UsageError: it can't be written, or somebody else could put libraries there, which would then be run.
        """
        place = self.place
        try:
            place.mkdir(mode=0o700, parents=True, exist_ok=True)
            reason = stranger(place)
        except OSError as error:
            raise UsageError(f"{place} can't be made: {error.strerror or error}") from error
        if reason:
            raise UsageError(f"{place} {reason}")
        if not os.access(place, os.W_OK):
            raise UsageError(f"{place} can't be written")
        return place

    def clear(self) -> list[File]:
        """Remove all that was compiled, and say what there was.

        Raises:
            UsageError: it can't be removed.
        """
        found = files(self.place)
        try:
            for file in found:
                file.path.unlink(missing_ok=True)
        except OSError as error:
            raise UsageError(f"{error.filename} can't be removed: {error.strerror}") from error
        shutil.rmtree(self.place / TOOLS, ignore_errors=True)
        return found


STORES: dict[str, Store] = {}
"""Those of the backends that have been loaded."""


def store(name: str, about: Callable[[], Mapping[str, str]]) -> Store:
    """A folder for the libraries of a backend."""
    return STORES.setdefault(name, Store(name, about))


def root() -> Path:
    """The folder of the cache: $RECURRENCY_CACHE, else `recurrency` in $XDG_CACHE_HOME or ~/.cache.

    Raises:
        UsageError: there is no home folder.
    """
    chosen = os.environ.get(VARIABLE)
    try:
        if chosen:
            return Path(chosen).expanduser().absolute()
        return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser().absolute() / "recurrency"
    except RuntimeError as error:
        raise UsageError("there is no home folder for a cache") from error


@cache
def private_folder() -> Path:
    """A folder for this process, removed when it ends.

    Raises:
        UsageError: there is no place for one.
    """
    try:
        private = tempfile.TemporaryDirectory(prefix="recurrency-", ignore_cleanup_errors=True)
    except OSError as error:
        raise UsageError(f"{error.strerror}; set TMPDIR to a folder that can be written") from error
    atexit.register(private.cleanup)
    return Path(private.name)


# ------------------------------------------------------------------------------------------------- writing and loading


def opened(path: Path, kind: type[L]) -> L:
    """A library that is there. Its seal stands behind what a loader reads: a damaged one could end this process.

    Raises:
        OSError: it is not there, or damaged, or that of another name, or no library of this machine.
    """
    unsealed(path.name, read_own(path, MOST_BYTES))
    loaded = kind(path)
    touch(path)
    return loaded


def kept(path: Path, data: bytes, kind: type[L]) -> L:
    """A library that has just been compiled: written, and loaded from where it is kept.

    Raises:
        UsageError: it can't be written, or not be loaded.
    """
    put(path, data)
    try:
        return opened(path, kind)
    except OSError as error:
        with contextlib.suppress(OSError):
            path.unlink()
        raise UsageError(f"what has just been compiled can't be loaded: {error}") from error


def put(path: Path, data: bytes) -> None:
    """Write a library, with its seal behind it.

    Raises:
        UsageError: it can't be written.
    """
    write_whole(path, sealed(path.name, data))


def touch(path: Path) -> None:
    """Note that a file was used now; where that can't be noted, it is older than it could be."""
    with contextlib.suppress(OSError):
        os.utime(path)


# --------------------------------------------------------------------------------------------------------------- bounds


def files(folder: Path) -> list[File]:
    """What we wrote in a folder; those used least lately come first."""
    found = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                with contextlib.suppress(FileNotFoundError):  # somebody else has just removed it
                    if OURS.fullmatch(entry.name) and entry.is_file(follow_symlinks=False):
                        about = entry.stat(follow_symlinks=False)
                        found.append(File(about.st_mtime, about.st_size, Path(entry.path)))
    except (FileNotFoundError, NotADirectoryError):
        pass  # nothing was compiled so far
    except OSError as error:
        raise UsageError(f"{folder} can't be read: {error.strerror}") from error
    return sorted(found)


def prune(folder: Path, most_files: int, most_bytes: int) -> None:
    """Bring a folder that has grown too large down to three quarters, those first that were used least lately."""
    found = files(folder)
    count, size = len(found), sum(file.size for file in found)
    if count <= most_files and size <= most_bytes:
        return
    for file in found:
        if count <= most_files * 3 // 4 and size <= max(0, most_bytes) * 3 // 4:
            break
        with contextlib.suppress(OSError):
            file.path.unlink(missing_ok=True)
            count, size = count - 1, size - file.size


def most_bytes() -> int:
    """How large a folder of libraries may be.

    Raises:
        UsageError: `RECURRENCY_CACHE_SIZE` is no number.
    """
    text = os.environ.get("RECURRENCY_CACHE_SIZE") or str(MEGABYTES)
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        raise UsageError(f"RECURRENCY_CACHE_SIZE is a whole number of megabytes, and not {text!r}")
    return int(text) * MEGA
