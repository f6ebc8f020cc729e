"""Pieces of generated modules of Python."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache

PIECES = re.compile(
    r"""
    [A-Za-z]{0,2}(?:\"{3}.*?\"{3} | '{3}.*?'{3} | \"(?:\\.|[^\"\\\n])*\" | '(?:\\.|[^'\\\n])*')  # a string
    | \#[^\n]*
    | ([^\W\d]\w*)  # a name, the only piece that is found
    | \d[\w.]*
    """,
    re.DOTALL | re.VERBOSE,
)


def names_of(text: str) -> set[str]:
    """The names that a text uses, outside of strings and comments."""
    return {word for word in PIECES.findall(text) if word}


@cache
def names_of_helper(text: str) -> frozenset[str]:
    """The names that a text uses which is a part of many modules."""
    return frozenset(names_of(text))


def helpers_of(table: Mapping[str, str], used: set[str]) -> list[str]:
    """The texts of a table that are called, by one another as well, in their order: each calls those before it."""
    found: dict[str, str] = {}
    for name, text in reversed(list(table.items())):
        if name in used:
            found[name] = text
            used = used | names_of_helper(text)
    return list(reversed(found.values()))


def docstring(text: str) -> str:
    """A text as a docstring: whatever it holds, it stays text."""
    safe = "".join(c if c.isprintable() or c == "\n" else "?" for c in text).replace("\\", "\\\\")
    return '"""' + safe.replace('"""', "'''").replace('"', '\\"') + '"""'
