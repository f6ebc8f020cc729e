"""Print for all names of a cell, so that no two look alike: `h` and `h_` become h and h'."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from recurrency.language import syntax
from recurrency.language.writing.notation import operator, primed, split_name, symbol

TIMES = ("t", "0")
"""An index that could be part of a name or a time: `h_0` may be a name, or h before the first step."""


Print: TypeAlias = tuple[str, int, tuple[str, ...]]
"""The letters of a name, how many primes it wears, and its indices."""


@dataclass(frozen=True)
class Naming:
    """How many primes each name and each function wears that has any."""

    symbols: Mapping[str, int] = field(default_factory=dict)
    operators: Mapping[str, int] = field(default_factory=dict)

    def symbol(self, name: str, time: str = "", members: str = "") -> str:
        """A stream, a parameter or a dimension."""
        return symbol(name, time, members, self.symbols.get(name, 0))

    def operator(self, name: str) -> str:
        """A function or a cell."""
        primes = self.operators.get(name, 0)
        return operator(name) + (f"^{{{primed(primes)}}}" if primes else "")

    def legend(self) -> Iterator[str]:
        """The lines that explain which names have primes."""
        yield from (f"{self.symbol(name)} is {name}" for name in self.symbols)
        yield from (f"{self.operator(name)} is {name}" for name in self.operators)


def naming_of(cell: syntax.Cell) -> Naming:
    """The naming of a cell: of two names that would look alike, the longer or the later one wears a prime.

    Functions and cells come first: σ is `sigmoid` where a cell has it, and a stream `sigma` then wears a prime.
    """
    symbols, operators = _names(cell)
    rows = [(name, *split_name(name), True) for name in symbols]
    rows += [(name, operator(name), [], False) for name in operators if name not in symbols]
    taken: set[Print] = set()
    begin: dict[tuple[str, tuple[str, ...]], int] = {}
    """For each print, the least number of primes that may be free: the search stays short."""
    primes: dict[bool, dict[str, int]] = {True: {}, False: {}}
    for name, base, indices, is_symbol in sorted(rows, key=lambda row: (row[3], len(row[0]))):
        own = tuple(indices)
        count = begin.get((base, own), 0)
        while taken & _alike(base, count, own):
            count += 1
        taken.add((base, count, own))
        begin[base, own] = count + 1
        if count:
            primes[is_symbol][name] = count
    return Naming(primes[True], primes[False])


def _alike(base: str, primes: int, indices: tuple[str, ...]) -> set[Print]:
    """The prints that look like this one, with or without a time."""
    out = {(base, primes, indices), *((base, primes, (*indices, time)) for time in TIMES)}
    return out | {(base, primes, indices[:-1])} if indices and indices[-1] in TIMES else out


def _names(cell: syntax.Cell) -> tuple[list[str], list[str]]:
    """The names that are printed as symbols, and those of functions and cells, in the order of the text."""
    symbols: dict[str, None] = {"t": None}
    operators: dict[str, None] = {}
    called = {id(part.callee) for part in syntax.walk(cell) if isinstance(part, syntax.Call)}
    for part in syntax.walk(cell):
        match part:
            case syntax.Name(name=name):
                (operators if id(part) in called else symbols)[name] = None
            case syntax.Target(name=name) | syntax.Dimension(name=name) | syntax.Attribute(name=name):
                symbols[name] = None
            case syntax.Port(name=name, clock=clock):
                symbols.update({name: None} | ({clock: None} if clock else {}))
            case syntax.Clause(index=name) | syntax.For(index=name):
                symbols[name] = None
            case syntax.Formula(indices=indices):
                symbols.update(dict.fromkeys(indices))
            case syntax.Fn(name=name, parameters=parameters):
                operators[name] = None
                symbols.update(dict.fromkeys(parameters))
            case syntax.From(first=first) | syntax.With(past=first):
                symbols.update({k.name: None for k in first})
    return list(symbols), list(operators)
