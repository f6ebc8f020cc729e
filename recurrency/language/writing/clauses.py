"""The LaTeX of what stands behind the use of a cell."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from recurrency.language import syntax
from recurrency.language.writing.symbols import Symbols


class Printing(Protocol):
    """What prints expressions; see `recurrency.language.writing.latex.Printer`."""

    @property
    def scope(self) -> Symbols: ...
    def text(self, expression: syntax.Expression, least: int = ...) -> str: ...


def clause(printer: Printing, use: syntax.From | syntax.Changed | syntax.With, atom: int) -> str:
    """A use with its last clause: `LSTM(x) when m`, or values of states at step 0 or before each step.

    `atom` is the precedence from which on what follows a word needs no brackets.
    """
    match use:
        case syntax.From(call=before, first=first):
            word, given = "from", _states(printer, first, "0")
        case syntax.With(use=before, past=past):
            word, given = "with", _states(printer, past, "t-1")
        case syntax.Changed(use=before, word=word, by=by):
            given = printer.text(by, atom)
    return f"{printer.text(before)} \\;\\text{{{word}}}\\; {given}"


def _states(printer: Printing, given: Sequence[syntax.Keyword], time: str) -> str:
    return ",\\; ".join(f"{printer.scope.naming.symbol(k.name, time)} = {printer.text(k.value)}" for k in given)
