"""Faults planted one by one in a copy of the sources: do the tests notice? `make mutants` runs them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Mutant:
    """One change of one file: `old`, which stands there once, becomes `new`; `tests` are what should fail then.

    `same` says why the change makes no difference that a test could see; such a mutant is planted all the same.
    """

    name: str
    file: str
    old: str
    new: str
    tests: str
    same: str = ""


@dataclass(frozen=True)
class Changes:
    """Mutants of one file, which mostly have the same tests."""

    file: str
    tests: str
    rows: tuple[tuple[str, ...], ...]
    """Name, old text and new text, then other tests ("" for the same), then why it makes no difference."""

    def mutants(self) -> list[Mutant]:
        """Each of them."""
        out = []
        for name, old, new, *rest in self.rows:
            tests, same = (*rest, "", "")[:2]
            out.append(Mutant(name, self.file, old, new, tests or self.tests, same))
        return out
