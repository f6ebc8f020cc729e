"""Small Python programs and what they print (Zaremba & Sutskever 2014), for an encoder and a decoder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

import numpy as np

from recurrency.training.data.sequences import Batch, Input, Sequences, joined
from recurrency.training.tasks.kinds import HELD, STEPS, Kind, Option
from recurrency.training.tasks.measures import wrong_steps
from recurrency.training.tasks.phrases import encoded, placed
from recurrency.training.tasks.task import Settings, Task, from_draws

VARIABLES = "abcdefghij"
WRITTEN = "0123456789abcdefghijlnoprstx+-*=<>:;()# @"
"""The 41 characters of a program; `#` ends a line and `@` the program."""

PRINTED = "0123456789-."
"""The 12 characters of what is printed; the point ends it."""


class Term(NamedTuple):
    """An expression and its value."""

    text: str
    value: int


@dataclass
class Writer:
    """A program under construction: its lines, and the term that the next statement uses."""

    rng: np.random.Generator
    size: Callable[[], int]
    """The number of digits that numbers have, asked for each of them."""
    lines: list[str] = field(default_factory=list)
    last: Term | None = None
    names: list[str] = field(default_factory=list)

    def below(self, most: int) -> int:
        """A number from 1 to `most`."""
        return int(self.rng.integers(1, most + 1))

    def coin(self) -> bool:
        """True or False."""
        return bool(self.rng.integers(0, 2))

    def terms(self, count: int) -> list[Term]:
        """So many terms in random order; one of them is what the statement before made, the others are new numbers."""
        found = [self.last] if self.last is not None else []
        self.last = None
        while len(found) < count:
            value = self.below(10 ** self.size())
            found.append(Term(str(value), value))
        return [found[int(place)] for place in self.rng.permutation(count)]

    def name(self) -> str:
        """A variable that is not yet used."""
        self.names = self.names or [VARIABLES[int(place)] for place in self.rng.permutation(len(VARIABLES))]
        return self.names.pop()


Statement: TypeAlias = Callable[[Writer], Term]
"""What makes a new term out of others, and may write lines before it."""


def _joined(w: Writer, a: Term, b: Term) -> Term:
    if w.coin():
        return Term(f"({a.text}+{b.text})", a.value + b.value)
    return Term(f"({a.text}-{b.text})", a.value - b.value)


def pair(w: Writer) -> Term:
    """A sum or a difference."""
    return _joined(w, *w.terms(2))


def product(w: Writer) -> Term:
    """The product with a small number."""
    (a,), b = w.terms(1), w.below(4 * w.size())
    return Term(f"({a.text}*{b})" if w.coin() else f"({b}*{a.text})", a.value * b)


def same(w: Writer) -> Term:
    """The term itself."""
    return w.terms(1)[0]


def assignment(w: Writer) -> Term:
    """A sum or difference with one of its terms in a variable."""
    name, (a, b) = w.name(), w.terms(2)
    w.lines.append(f"{name}={a.text};")
    return _joined(w, Term(name, a.value), b)


def loop(w: Writer) -> Term:
    """A variable to which something is added a few times, or from which it is taken."""
    name, (a, b), times = w.name(), w.terms(2), w.below(4 * w.size())
    sign = 1 if w.coin() else -1
    w.lines += [f"{name}={a.text}", f"for x in range({times}):{name}{'+' if sign > 0 else '-'}={b.text}"]
    return Term(name, a.value + sign * times * b.value)


def choice(w: Writer) -> Term:
    """One of two terms, by how two others compare."""
    a, b, c, d = w.terms(4)
    more = w.coin()
    chosen = c if (a.value > b.value if more else a.value < b.value) else d
    return Term(f"({c.text} if {a.text}{'>' if more else '<'}{b.text} else {d.text})", chosen.value)


STATEMENTS: tuple[Statement, ...] = (pair, product, same, assignment, loop, choice)


def program(rng: np.random.Generator, size: Callable[[], int], nesting: int) -> tuple[str, str]:
    """A program of `nesting` statements, each of which goes on from the one before, and what it prints."""
    writer = Writer(rng, size)
    for _ in range(nesting):
        writer.last = STATEMENTS[int(rng.integers(0, len(STATEMENTS)))](writer)
    assert writer.last is not None
    return "".join(f"{line}#" for line in writer.lines) + f"print({writer.last.text})@", f"{writer.last.value}."


def side_by_side(pairs: Sequence[tuple[str, str]]) -> Batch:
    """Programs with what they print as one batch: `src` over the clock s, `tgt` over the clock t."""
    sources, targets = placed(WRITTEN), placed(PRINTED)
    inputs = {
        "src": [encoded(source, sources) for source, _ in pairs],
        "tgt": [encoded(target, targets) for _, target in pairs],
    }
    return joined(Sequences(inputs, {"src": "s", "tgt": "t"}, frozenset(inputs)), np.float64)


def programs(settings: Settings, length: int, nesting: int, curriculum: str, steps: int, held: int) -> Task:
    """Read a program over the clock s, and write what it prints over the clock t."""

    def one(rng: np.random.Generator) -> tuple[str, str]:
        if curriculum == "mixed":
            return program(rng, lambda: int(rng.integers(1, length + 1)), int(rng.integers(1, nesting + 1)))
        return program(rng, lambda: length, nesting)

    def draw(rng: np.random.Generator, count: int) -> Batch:
        return side_by_side([one(rng) for _ in range(count)])

    inputs = {"src": Input((), len(WRITTEN), "s"), "tgt": Input((), len(PRINTED))}
    facts = {
        "vocabulary": {"src": list(WRITTEN), "tgt": list(PRINTED)},
        "unit": "characters",
        "ends": {"src": "@", "tgt": "."},
    }
    return from_draws("programs", draw, settings, steps, held, inputs=inputs, measure=wrong_steps("tgt"), facts=facts)


KINDS = (
    Kind(
        "programs",
        "read a small Python program and write what it prints",
        "Zaremba & Sutskever 2014; Chung et al. 2015",
        {"src": "symbol of 41, over the clock s", "tgt": "symbol of 12"},
        programs,
        (
            Option("length", 10, "the most digits of a number in the program", 1, 18),
            Option("nesting", 5, "the most statements that build on one another", 1, len(VARIABLES)),
            Option(
                "curriculum",
                "mixed",
                "lengths and nestings up to these, or always these (`none`)",
                words=("mixed", "none"),
            ),
            STEPS,
            HELD,
        ),
    ),
)
