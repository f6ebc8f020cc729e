"""The words of the language in groups, from the grammar and the tables: what highlighters colour alike."""

from __future__ import annotations

import re

from recurrency.language.reading.tree import RESERVED
from recurrency.language.syntax import FORMULAS
from recurrency.language.vocabulary.initialisers import INITIALISERS
from recurrency.language.vocabulary.table import FUNCTIONS, NUMBERS
from recurrency.language.words import CLAUSES, GREEK, STARTERS, reserved, spellings

NAME = r"[^\W\d²³¹⁰⁴-⁹₀-₉][^\W²³¹⁰⁴-⁹]*"
"""A name, nearly as in the grammar: without combining accents."""
NUMBER = r"(?:[0-9]+(?:\.[0-9]+|\.(?![.\w]))?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"
STEP = r"\[\s*t\s*(?:[+-][^\[\]]*)?\]"
"""An index that is a step, such as `[t-1]`."""

CALLED = r"(?=\s*\()"
"""Behind the name of a function."""
NOT_DEFINED = r"(?!\s*=(?!=))"
"""Not behind a stream whose name is also a word, as in `reset = ...`."""


def groups() -> dict[str, list[str]]:
    """The words of each group: `declarations`, `keywords`, `operators`, `functions`, `initialisers`, `constants`.

    `keywords` have a meaning only where the grammar asks for them; a stream may be called `reset`.
    """
    words = {name: spellings()[name] for name in reserved()}
    operators = {"AND", "OR", "NOT"}
    return {
        "declarations": sorted(words[name] for name in words if name in STARTERS),
        "keywords": sorted({*(words[n] for n in words if n not in STARTERS and n not in operators), *CLAUSES}),
        "operators": sorted(words[name] for name in operators),
        "functions": sorted({*FUNCTIONS, *GREEK, *FORMULAS, *(n for n in RESERVED if n == "init")}),
        "initialisers": sorted(INITIALISERS),
        "constants": sorted(NUMBERS),
    }


def any_of(words: list[str]) -> str:
    """A regular expression for one of some whole words."""
    return rf"\b(?:{'|'.join(map(re.escape, words))})\b"
