"""Results of compiling specs, remembered in the user's cache for other processes.

The key of a record is a digest of everything that it depends on, the code of this package included.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import sys
import zlib
from collections.abc import Callable, Iterator
from functools import cache
from importlib import util
from typing import Any, TypeVar

import numpy as np

from recurrency.disk import typed_json
from recurrency.disk.cache import most_bytes, prune, store, touch
from recurrency.disk.files import write_whole
from recurrency.disk.ownership import read_own, sealed, unsealed
from recurrency.errors import UsageError

V = TypeVar("V")

VARIABLE = "RECURRENCY_RECORDS"
"""The environment variable that switches records off, if it is 0."""
MOST_FILES = 8192
MOST_BYTES = 1 << 26
"""Bound on the size of a record before compression."""
SUFFIXES = (".py", ".lark", ".rnn")
PARTS = ("recurrency", "recurrency.backends", "recurrency.grammars", "recurrency.specs")

STORE = store("records", dict)


def switched_on(variable: str) -> bool:
    """Whether an environment variable is 1 or not set.

    Raises:
        UsageError: it is neither 0 nor 1.
    """
    said = os.environ.get(variable) or "1"
    if said not in ("0", "1"):
        raise UsageError(f"{variable} is 0 or 1, and not {said!r}")
    return said == "1"


def enabled() -> bool:
    """Whether records are used: on POSIX systems, where it is known who can write a folder, unless switched off.

    Raises:
        UsageError: the variable is neither 0 nor 1.
    """
    return switched_on(VARIABLE) and os.name == "posix"


def key(*parts: object) -> str:
    """The name of the record of something that depends on these parts: a digest of them and of the code."""
    return hashlib.sha256(repr((_code(), parts)).encode("utf-8", "surrogatepass")).hexdigest()[:32]


@cache
def _code() -> str:
    """A digest of the files of this package (by size and date) and of the versions of Python and NumPy."""
    state: list[object] = [sys.version, np.__version__]
    for part in PARTS:
        spec = util.find_spec(part)
        for folder in (spec.submodule_search_locations or []) if spec else []:
            state += sorted(_files(folder))
    return hashlib.sha256(repr(state).encode()).hexdigest()


def _files(folder: str) -> Iterator[tuple[str, int, int]]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir():
                yield from _files(entry.path)
            elif entry.name.endswith(SUFFIXES):
                about = entry.stat()
                yield entry.path, about.st_size, about.st_mtime_ns


def read(wanted: Any, name: str) -> Any:
    """The value of the type `wanted` in a record; None if there is no record, or it is damaged."""
    file = f"{name}.record"
    try:
        path = STORE.folder() / file
        data = unsealed(file, read_own(path, MOST_BYTES))
        found = typed_json.loads(wanted, _inflated(data))
    except (OSError, UsageError, typed_json.MisfitError, zlib.error):
        return None
    touch(path)
    return found


def _inflated(data: bytes) -> bytes:
    """The decompressed data, if it is not larger than any record that is written."""
    reader = zlib.decompressobj()
    out = reader.decompress(data, MOST_BYTES)
    if reader.unconsumed_tail:
        raise typed_json.MisfitError(f"more than {MOST_BYTES} bytes")
    return out


def write(name: str, value: object) -> None:
    """Write a record. Failures are ignored: the next process computes the value again."""
    file = f"{name}.record"
    data = zlib.compress(typed_json.dumps(value).encode(), 1)
    with contextlib.suppress(UsageError):
        prune(STORE.folder(), MOST_FILES, most_bytes() - len(data))
        write_whole(STORE.folder() / file, sealed(file, data))


def remembered(wanted: Any, make: Callable[[], V], *parts: object) -> V:
    """The value of the type `wanted` in the record of these parts (see `key`); without a record, make and record it."""
    if not enabled():
        return make()
    name = key(*parts)
    found: V | None = read(wanted, name)
    if found is None:
        found = make()
        write(name, found)
    return found
