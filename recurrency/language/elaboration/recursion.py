"""The recursion limit of Python while a spec is elaborated."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from recurrency.language.elaboration.walk import GREATEST_DEPTH

_LOCK = threading.Lock()
_WALKS: list[int] = []
if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_LOCK.acquire, after_in_parent=_LOCK.release, after_in_child=_LOCK.release)


@contextmanager
def deep_recursion() -> Iterator[None]:
    """Raise the recursion limit for `GREATEST_DEPTH`: each level of nesting in a spec takes about ten nested calls."""
    with _LOCK:
        if not _WALKS:
            _WALKS.append(sys.getrecursionlimit())
            sys.setrecursionlimit(max(_WALKS[0], 20 * GREATEST_DEPTH + 2000))
        _WALKS.append(1)
    try:
        yield
    finally:
        with _LOCK:
            _WALKS.pop()
            if len(_WALKS) == 1:
                sys.setrecursionlimit(_WALKS.pop())
