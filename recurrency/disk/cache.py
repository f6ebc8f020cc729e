"""The user's cache: a folder for each backend, of bounded size, that nobody else can change."""

from __future__ import annotations

import atexit
import contextlib
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import NamedTuple

from recurrency.disk.ownership import stranger
from recurrency.errors import UsageError

VARIABLE = "RECURRENCY_CACHE"


MEGABYTES = 512
"""Bound on the size of a folder, unless `RECURRENCY_CACHE_SIZE` is set."""


MEGA = 1 << 20


TOOLS = "zig"
"""A subfolder for the files of a compiler."""


OURS = re.compile(r"[0-9a-f]+\.(KINDS)|\.[0-9a-f]+\.(KINDS)\.\w+".replace("KINDS", "so|version|record|verdict"))
"""The names of the files that we write, temporary ones included; no others are ever removed."""


class File(NamedTuple):
    """A file that we wrote, and when it was last used."""

    used: float
    size: int
    path: Path


@dataclass(frozen=True)
class Store:
    """The folder of one backend in the cache; `about` describes the compiler of its files."""

    name: str
    about: Callable[[], Mapping[str, str]]

    @property
    def place(self) -> Path:
        """The path of the folder, which may not exist yet."""
        return root() / self.name

    def folder(self) -> Path:
        """The folder, which is created if it does not exist.

        Raises:
            UsageError: it can't be written, or somebody else could put files there, whose code would then be run.
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
        """Remove all files, and return what there was.

        Raises:
            UsageError: a file can't be removed.
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
"""The folders of the backends that have been imported, by name."""


def store(name: str, about: Callable[[], Mapping[str, str]]) -> Store:
    """The folder of a backend."""
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
    """A temporary folder of this process, which is removed at its end.

    Raises:
        UsageError: no temporary folder can be created.
    """
    try:
        private = tempfile.TemporaryDirectory(prefix="recurrency-", ignore_cleanup_errors=True)
    except OSError as error:
        raise UsageError(f"{error.strerror}; set TMPDIR to a folder that can be written") from error
    atexit.register(private.cleanup)
    return Path(private.name)


def touch(path: Path) -> None:
    """Mark a file as used now, if possible."""
    with contextlib.suppress(OSError):
        os.utime(path)


def files(folder: Path) -> list[File]:
    """The files that we wrote in a folder, the least recently used first."""
    found = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                with contextlib.suppress(FileNotFoundError):  # another process has just removed it
                    if OURS.fullmatch(entry.name) and entry.is_file(follow_symlinks=False):
                        about = entry.stat(follow_symlinks=False)
                        found.append(File(about.st_mtime, about.st_size, Path(entry.path)))
    except (FileNotFoundError, NotADirectoryError):
        pass  # nothing was compiled so far
    except OSError as error:
        raise UsageError(f"{folder} can't be read: {error.strerror}") from error
    return sorted(found)


def prune(folder: Path, most_files: int, most_bytes: int) -> None:
    """If a folder is too large, remove the least recently used files until it is at three quarters of its bounds."""
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
    """Bound on the size of a folder, in bytes.

    Raises:
        UsageError: `RECURRENCY_CACHE_SIZE` is no number.
    """
    text = os.environ.get("RECURRENCY_CACHE_SIZE") or str(MEGABYTES)
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        raise UsageError(f"RECURRENCY_CACHE_SIZE is a whole number of megabytes, and not {text!r}")
    return int(text) * MEGA
