"""Pieces of generated modules of Python."""

from __future__ import annotations

import io
import tokenize
from functools import cache


def names_of(text: str) -> set[str]:
    """The names that a text uses."""
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    return {token.string for token in tokens if token.type == tokenize.NAME}


@cache
def names_of_helper(text: str) -> frozenset[str]:
    """The names that a text uses which is a part of many modules."""
    return frozenset(names_of(text))


def docstring(text: str) -> str:
    """A text as a docstring: whatever it holds, it stays text."""
    safe = "".join(c if c.isprintable() or c == "\n" else "?" for c in text).replace("\\", "\\\\")
    return '"""' + safe.replace('"""', "'''").replace('"', '\\"') + '"""'
