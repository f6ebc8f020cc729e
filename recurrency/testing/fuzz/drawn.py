"""How often the programs of a search have each construct of the language."""

from __future__ import annotations

import re
import textwrap
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from recurrency.language.vocabulary.initialisers import INITIALISERS
from recurrency.language.vocabulary.table import FUNCTIONS

if TYPE_CHECKING:
    from recurrency.testing.fuzz.checks import Trial

CONSTRUCTS = {
    "state": r"(?m)^ +state ",
    "delay of several steps": r"\[t-(?!1\])\d+\]",
    "later step": r"\[t\+\d+\]",
    "input of symbols": r": index\[",
    "another clock": r" over s\b",
    "family": r"\w\[1\.\.",
    "use of a cell": r"\b(Part\d*|Layer|Elman|GRU|LSTM|Linear)(\[[^\]]*\])?\(",
    "use `from`": r"\) from \(",
    "use `reset`": r"\) reset [(\w]",
    "use `when`": r"\) when [(\w]",
    "loss": r"(?m)^ +loss ",
    "loss `where`": r"(?m)^ +loss .* where ",
    "own derivative": r"(?m)^ *fn .* derivative ",
    "const by a formula": r"(?m)^ +const .* = (vector|matrix|tensor)\(",
    "const drawn": r"(?m)^ +const [^=]* ~ ",
    "const drawn by a product": r"(?m)^ +const [^=]* ~ \w+(\([^)]*\))? \*",
    "const given": r"(?m)^ +const .* = given",
    "param drawn by a product": r"(?m)^ +param [^=]* ~ \w+(\([^)]*\))? \*",
    "state with heads": r"(?m)^ +state \w+ +: \[[^,\]]+,[^,\]]+,",
    "einsum of one": r'einsum\("\w+->',
    "einsum of two": r'einsum\("\w+,\w+->',
    "einsum of three": r'einsum\("\w+,\w+,\w+->',
    "along an axis": r"axis = \d",
    "row": r"\)\[1\]",
    "two axes exchanged": r"transpose\(.*, \d, \d\)",
}
"""Construct -> what stands in the text of a program that has it."""

CALL = re.compile(r"\b(\w+)\(")
NAME = re.compile(r"\b\w+\b")
LAW = re.compile(r"~ ([^\n]*)")


def drawn(trial: Trial) -> Iterator[tuple[str, str]]:
    """Heading and name of everything that is counted in one program, each once."""
    text = trial.program.text
    yield from (("constructs", name) for name, pattern in CONSTRUCTS.items() if re.search(pattern, text))
    yield from (("functions", name) for name in set(CALL.findall(text)) & set(FUNCTIONS))
    laws = {word for law in LAW.findall(text) for word in NAME.findall(law)}
    yield from (("initialisers", name) for name in laws & set(INITIALISERS))
    yield from (("calls", kind) for kind in trial.kinds)
    if trial.case is not None:
        settings = {"lengths": trial.case.lengths is not None, "cut into chunks": bool(trial.case.cuts)}
        settings |= {name: bool(getattr(trial.case, name)) for name in ("state", "training", "resets")}
        yield from (("arguments", name) for name, given in settings.items() if given)


def table(counts: Mapping[tuple[str, str], int], programs: int) -> str:
    """In how many of some programs everything was drawn, the most frequent first; what was never drawn, too."""
    every = Counter({("constructs", name): 0 for name in CONSTRUCTS})
    every.update({("functions", name): 0 for name in FUNCTIONS})
    every.update({("initialisers", name): 0 for name in INITIALISERS})
    every.update(counts)
    lines = [f"drawn, in so many of {programs:,} programs:"]
    for heading in dict.fromkeys(heading for heading, _ in every):
        found = sorted((-n, name) for (own, name), n in every.items() if own == heading)
        text = f"{heading}: {', '.join(f'{name} {-n:,}' for n, name in found)}"
        lines += textwrap.wrap(text, 100, initial_indent="  ", subsequent_indent="    ")
    return "\n".join(lines)
