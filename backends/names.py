"""Names and comments in generated code: the user's words in ASCII, which every compiler accepts."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache

from recurrency.graph.graph import Graph


class Names:
    """Makes unique names for the values of a specification, which clash with nothing else in generated code.

    They end in `_`, as no keyword of Python, C, C++ or CUDA does, no macro of a header, and no other generated name.
    """

    def __init__(self, taken: Iterable[str] = (), outer: Names | None = None) -> None:
        """`taken` are names that others have; those of `outer` are taken as well, now and later."""
        self.taken, self.outer = set(taken), outer
        self.numbers: dict[str, int] = {}
        """Word -> the last number that was appended to it; lower ones are taken."""

    def __contains__(self, name: str) -> bool:
        return name in self.taken or (self.outer is not None and name in self.outer)

    def new(self, wish: str) -> str:
        """The wished name in ASCII, with a number if it is taken: `h_`, `h_2_`."""
        base = ascii_name(wish)
        number = self.numbers.get(base, 1 if self.outer is None else self.outer.numbers.get(base, 1))
        name = f"{base}_" if number == 1 else f"{base}_{number}_"
        while name in self:
            number += 1
            name = f"{base}_{number}_"
        self.numbers[base] = number
        self.taken.add(name)
        return name


@lru_cache(maxsize=10_000)
def ascii_name(wish: str) -> str:
    """A name of ASCII letters, digits and underscores: `σ` becomes `sigma`, `a.b` becomes `a_b`."""
    letters = "".join(_letter(c) for c in unicodedata.normalize("NFKD", wish))
    name = re.sub("__+", "_", letters).strip("_")[:60].rstrip("_") or "value"
    return f"v{name}" if name[0].isdigit() else name


def _letter(character: str) -> str:
    if character.isascii():
        return character if character.isalnum() else "_"
    if unicodedata.combining(character):
        return ""
    words = unicodedata.name(character, "").split()
    return words[-1].lower() if words and words[-1].isalnum() and words[-1].isascii() else f"u{ord(character):x}"


def clock_suffixes(graph: Graph, names: Names) -> dict[str, str]:
    """The clocks of a graph -> the suffix of their names: empty if there is only one clock."""
    found: set[str] = set()
    for id in graph.order():
        node = graph[id]
        found |= {str(c) for c in (node.type.clock, node.attrs.get("clock"), *node.type.shape) if isinstance(c, str)}
    if len(found) == 1:
        return {next(iter(found)): ""}
    own = Names()
    out = {clock: f"_{own.new(clock)}" for clock in sorted(found)}
    names.taken |= {f"{word}{suffix}" for suffix in out.values() for word in ("T", "n", "ragged", "padding")}
    return out


@lru_cache(maxsize=10_000)
def comment(text: str, width: int = 100) -> str:
    """A piece of a specification for a comment: one line of at most `width`, without control characters."""
    clean = "".join(" " if unicodedata.category(c)[0] in "CZ" else c for c in text)
    clean = " ".join(clean.split())
    return clean if len(clean) <= width else clean[: width - 3] + "..."
