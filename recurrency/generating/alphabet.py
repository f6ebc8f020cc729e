"""Converts text to the symbols of a task and back: characters, words with `<eos>` at line ends, or bytes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from recurrency.errors import UsageError
from recurrency.training.data.vocabularies import UNKNOWN
from recurrency.training.tasks.text import END

Symbols = np.ndarray[tuple[int], np.dtype[np.int64]]


def _words(text: str) -> list[str]:
    lines = text.split("\n")
    return [word for i, line in enumerate(lines) for word in (*line.split(), *([END] * (i + 1 < len(lines))))]


def _lines(words: Sequence[str]) -> str:
    """Words joined by spaces; `<eos>` ends a line."""
    out = ""
    for word in words:
        out += "\n" if word == END else f" {word}" if out and not out.endswith("\n") else word
    return out


SPLIT: Mapping[str, Callable[[str], Sequence[str]]] = {
    "characters": list,
    "words": _words,
    "bytes": lambda text: list(text.encode().decode("latin-1")),
}
JOIN: Mapping[str, Callable[[Sequence[str]], str]] = {
    "characters": "".join,
    "words": _lines,
    "bytes": lambda units: "".join(units).encode("latin-1").decode(errors="replace"),
}
BETWEEN: Mapping[str, str] = {"characters": "", "words": " ", "bytes": ""}
"""The separator between a prompt and the generated text."""


@dataclass(frozen=True)
class Alphabet:
    """The symbols of one input of a model; `unit` is a key of `SPLIT`, `end` ends a sequence ("" for none)."""

    units: tuple[str, ...]
    unit: str = "characters"
    end: str = ""

    @classmethod
    def of(cls, facts: Mapping[str, Any], name: str, vocabulary: int) -> Alphabet:
        """The alphabet of the input `name`, from the facts of a task and the vocabulary size of the compiled model.

        Raises:
            UsageError: the task has no vocabulary, or a larger one.
        """
        known = facts.get("vocabulary", ())
        units = known.get(name, ()) if isinstance(known, Mapping) else known
        if not units or "labels" in facts:
            raise UsageError(f"cannot generate text: the symbols of {name} have no names in this task")
        if len(units) > vocabulary:
            raise UsageError(f"{name} has {len(units)} symbols; the spec was compiled for {vocabulary}")
        return cls(tuple(units), facts.get("unit", "characters"), facts.get("ends", {}).get(name, ""))

    @cached_property
    def places(self) -> Mapping[str, int]:
        """The index of each symbol."""
        return {unit: place for place, unit in enumerate(self.units)}

    @cached_property
    def is_lower(self) -> bool:
        """Whether no symbol has a capital letter."""
        return all(unit == unit.lower() for unit in self.units)

    @property
    def last(self) -> int | None:
        """The index of the symbol that ends a sequence."""
        return self.places[self.end] if self.end else None

    @property
    def first(self) -> Symbols | None:
        """The default prompt: a line end, if there is such a symbol."""
        mark = END if self.unit == "words" else "\n"
        return np.array([self.units.index(mark)]) if mark in self.units else None

    def read(self, text: str, what: str) -> Symbols:
        """The symbols [n] of a text; unknown ones become `<unk>`, if the vocabulary has it.

        Raises:
            UsageError: there are unknown ones, and no `<unk>`; `what` names the text in the message.
        """
        places, units = self.places, SPLIT[self.unit](text)
        strange = list(dict.fromkeys(unit for unit in units if unit not in places))
        if strange and UNKNOWN not in places:
            shown = ", ".join(map(repr, strange[:MANY])) + (", ..." if len(strange) > MANY else "")
            raise UsageError(f"{what} has {shown}, which are unknown {self.unit}; the model knows {self._known()}")
        return np.array([places.get(unit, places.get(UNKNOWN, -1)) for unit in units], np.int64)

    def ended(self, symbols: Symbols) -> Symbols:
        """Symbols [n] with that of the end behind, if there is one and they do not end in it."""
        return symbols if self.last is None or symbols[-1:] == self.last else np.append(symbols, self.last)

    def write(self, symbols: Sequence[int] | Symbols) -> str:
        """The text of symbols, without the end of the sequence."""
        units = [self.units[symbol] if symbol < len(self.units) else UNKNOWN for symbol in symbols]
        if self.end and units[-1:] == [self.end] and self.unit == "words":
            units.pop()
        return JOIN[self.unit](units)

    def _known(self) -> str:
        if self.unit == "characters":
            return repr("".join(self.units))
        return f"{len(self.units)} {self.unit}"


MANY = 8
