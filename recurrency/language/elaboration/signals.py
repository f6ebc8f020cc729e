"""What ends the elaboration of a definition early: a mistake, one found elsewhere, or a number that is needed."""

from __future__ import annotations

from dataclasses import replace

from recurrency.errors import Diagnostic


class Problem(Exception):  # noqa: N818 - it carries a mistake of the user's to where it is kept
    """A mistake was found; the definition that is being elaborated ends here."""

    def __init__(self, diagnostic: Diagnostic) -> None:
        self.diagnostic = diagnostic
        super().__init__(diagnostic.title)

    def noted(self, note: str) -> Problem:
        """The same mistake, with a note added."""
        return Problem(replace(self.diagnostic, notes=(*self.diagnostic.notes, note)))


class TooMuch(Problem):
    """The spec expands without bound: the walk ends here."""


class Poisoned(Exception):  # noqa: N818 - a signal that is never reported
    """A definition needs another one in which a mistake was already found."""


class NeedNumber(Exception):  # noqa: N818 - a request
    """A dimension is needed as a number; the check starts again with one."""

    def __init__(self, names: frozenset[str]) -> None:
        self.names = names
