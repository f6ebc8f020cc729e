"""Selects the helpers of a generated file: those that its code uses.

Macros come before the code. Functions come after it, and are declared before it.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import cache

COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.DOTALL)
DEFINED = re.compile(r"^#\s*define (\w+)|^(?:static|struct|typedef)\b[^\n]*?\b(rec_\w+)", re.MULTILINE)
FUNCTION = re.compile(r"^static [^;={}]*?\b(rec_\w+)\([^{};]*\)(?= \{)", re.MULTILINE)
WIDTH = 120
"""Characters of a line."""
JOIN = "\0"
"""Stands for a space at which no line ends."""


def words(text: str) -> set[str]:
    """The words of a text of C, without its comments."""
    return set(re.findall(r"\w+", COMMENT.sub(" ", text)))


@dataclass(frozen=True)
class Helper:
    """The text between two empty lines: a function, some macros, or alternatives of the preprocessor."""

    text: str
    defines: frozenset[str]
    uses: frozenset[str]
    functions: tuple[tuple[str, str], ...]
    """The functions that it defines: the name of each, and its prototype."""


@cache
def helpers(text: str) -> tuple[Helper, ...]:
    """The helpers of a text."""
    found, lines, depth = [], list[str](), 0
    for line in [*text.split("\n"), ""]:
        depth += line.startswith("#if") - line.startswith("#endif")
        if line or depth:
            lines.append(line)
        elif lines:
            found.append(_helper("\n".join(lines)))
            lines = []
    return tuple(found)


def _helper(text: str) -> Helper:
    defines = frozenset(one or other for one, other in DEFINED.findall(text))
    functions = {found[1]: " ".join(found[0].split()) for found in FUNCTION.finditer(text)}
    return Helper(text, defines, frozenset(words(text)), tuple(functions.items()))


def used(all_helpers: Sequence[Helper], wanted: Collection[str]) -> list[Helper]:
    """The helpers that some words name, those that these use, and so on; and those that define nothing."""
    needed, kept = set(wanted), set[int]()
    while True:
        new = {k for k, h in enumerate(all_helpers) if k not in kept and (not h.defines or h.defines & needed)}
        if not new:
            return [all_helpers[k] for k in sorted(kept)]
        kept |= new
        needed = needed.union(*(all_helpers[k].uses for k in new))


def around(text: str, code: str) -> tuple[str, str]:
    """The helpers of a text that some code uses: what comes before the code, and what comes after it."""
    named = words(code)
    kept = used(helpers(text), named)
    before = used([helper for helper in kept if not helper.functions], named)
    called = named.union(*(helper.uses for helper in before))
    heads = [head for helper in kept for name, head in helper.functions if name in called]
    first = [*(helper.text for helper in before), "\n".join(map(_prototype, heads))]
    return _joined(first), _joined(helper.text for helper in kept if helper not in before)


def _joined(parts: Iterable[str]) -> str:
    return "\n\n".join(part for part in parts if part) + "\n"


def _prototype(head: str) -> str:
    """A declaration; its lines end after a parameter."""
    name, _, parameters = head.replace("REC_UNUSED ", "").rpartition("(")
    words = "".join(f"{part.strip().replace(' ', JOIN)}, " for part in parameters.strip(" )").split(","))
    text = f"{name.replace(' ', JOIN)}({words.strip(', ')});"
    lines = textwrap.wrap(text, WIDTH, subsequent_indent="    ", break_long_words=False)
    return "\n".join(lines).replace(JOIN, " ")
