"""What was worked out of specs before, kept in the user's cache: by all that it depends on, the code included."""

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

from recurrency.disk import plain
from recurrency.disk.files import write_whole
from recurrency.disk.libraries import most_bytes, prune, store, touch
from recurrency.disk.ownership import read_own, sealed, unsealed
from recurrency.errors import UsageError

V = TypeVar("V")

VARIABLE = "RECURRENCY_RECORDS"
"""Set to 0, nothing is remembered: each process works out everything itself."""
MOST_FILES = 8192
MOST_BYTES = 1 << 26
"""No record is larger, before it is compressed."""
SUFFIXES = (".py", ".lark", ".rnn")
PARTS = ("recurrency", "recurrency.backends", "recurrency.grammars", "recurrency.specs")

STORE = store("records", dict)


def switched_on(variable: str) -> bool:
    """Whether a variable of the environment does not switch something off.

    Raises:
        UsageError: it is neither 0 nor 1.
    """
    said = os.environ.get(variable) or "1"
    if said not in ("0", "1"):
        raise UsageError(f"{variable} is 0 or 1, and not {said!r}")
    return said == "1"


def enabled() -> bool:
    """Whether anything is remembered: on systems where it is known who else can write a folder.

    Raises:
        UsageError: the variable is neither 0 nor 1.
    """
    return switched_on(VARIABLE) and os.name == "posix"


def key(*parts: object) -> str:
    """A name for what depends on these, and on the code that works it out."""
    return hashlib.sha256(repr((_code(), parts)).encode("utf-8", "surrogatepass")).hexdigest()[:32]


@cache
def _code() -> str:
    """A name for the state of all files of this package, and for what writes and reads records."""
    facts: list[object] = [sys.version, np.__version__]
    for part in PARTS:
        spec = util.find_spec(part)
        for folder in (spec.submodule_search_locations or []) if spec else []:
            facts += sorted(_files(folder))
    return hashlib.sha256(repr(facts).encode()).hexdigest()


def _files(folder: str) -> Iterator[tuple[str, int, int]]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir():
                yield from _files(entry.path)
            elif entry.name.endswith(SUFFIXES):
                about = entry.stat()
                yield entry.path, about.st_size, about.st_mtime_ns


def read(wanted: Any, name: str) -> Any:
    """The value of a type (`wanted`, see `plain`) that is remembered under a name; None: nothing, or it is damaged."""
    file = f"{name}.record"
    try:
        path = STORE.folder() / file
        data = unsealed(file, read_own(path, MOST_BYTES))
        found = plain.loads(wanted, _inflated(data))
    except (OSError, UsageError, plain.MisfitError, zlib.error):
        return None
    touch(path)
    return found


def _inflated(data: bytes) -> bytes:
    """What was compressed, unless it is larger than anything that is written."""
    reader = zlib.decompressobj()
    out = reader.decompress(data, MOST_BYTES)
    if reader.unconsumed_tail:
        raise plain.MisfitError(f"more than {MOST_BYTES} bytes")
    return out


def write(name: str, value: object) -> None:
    """Remember a value; where that can't be, the next process works it out again."""
    file = f"{name}.record"
    data = zlib.compress(plain.dumps(value).encode(), 1)
    with contextlib.suppress(UsageError):
        prune(STORE.folder(), MOST_FILES, most_bytes() - len(data))
        write_whole(STORE.folder() / file, sealed(file, data))


def remembered(wanted: Any, make: Callable[[], V], *parts: object) -> V:
    """What is remembered of these, a value of the type `wanted`, or else is made, and then remembered; see `key`."""
    if not enabled():
        return make()
    name = key(*parts)
    found: V | None = read(wanted, name)
    if found is None:
        found = make()
        write(name, found)
    return found
