"""Translates many sentences at once: beam search with the hypotheses of many sentences in each call."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Container, Iterator, Sequence
from dataclasses import dataclass, field

from recurrency.errors import UsageError
from recurrency.generating.alphabet import MANY, Alphabet, Symbols
from recurrency.generating.decoding import Piece
from recurrency.generating.folder import Trained
from recurrency.generating.kinds import kind_of, require_symbols
from recurrency.generating.search import Beam, search
from recurrency.generating.steps import Writer
from recurrency.training.data.vocabularies import UNKNOWN

ROWS = 400
"""The hypotheses of a call, about: the products of many are fast, and their logits still fit into the cache."""
ESCAPES = {
    '"': "&quot;",
    "'": "&apos;",
    "&": "&amp;",
    "[": "&#91;",
    "]": "&#93;",
    "|": "&#124;",
    "<": "&lt;",
    ">": "&gt;",
}
"""The characters that the tokeniser of Moses replaces."""
PUNCTUATION = re.compile(r"(&#?\w+;|[^\w\s])")


@dataclass
class Unknown:
    """Counts the words of sources, and those that the model does not know."""

    words: int = 0
    strange: Counter[str] = field(default_factory=Counter)

    def told(self) -> str:
        """What a user should know, "" for nothing."""
        if not self.strange:
            return ""
        shown = ", ".join(f"{word!r} ({n})" if n > 1 else repr(word) for word, n in self.strange.most_common(MANY))
        more = ", ..." if len(self.strange) > MANY else ""
        return f"{self.strange.total()} of {self.words} source words are read as {UNKNOWN}: {shown}{more}"


class Translator:
    """A trained model that reads a source and writes a text about it.

    Raises:
        UsageError: the model reads no source, its symbols have no names, or the beam is wider than the vocabulary.
    """

    def __init__(self, found: Trained, beam: Beam, steps: int) -> None:
        self.writer, self.beam, self.steps = Writer(found.model, found.params), beam, steps
        require_symbols(kind_of(self.writer), "a translation")
        if not self.writer.sources:
            raise UsageError("this model reads no source, so there is nothing to translate")
        self.source = self._alphabet(found, self.writer.sources[0])
        self.target = self._alphabet(found, self.writer.name)
        require_width(beam, self.target)
        self.never = [self.target.places[UNKNOWN]] if UNKNOWN in self.target.places else []

    @staticmethod
    def _alphabet(found: Trained, name: str) -> Alphabet:
        return Alphabet.of(found.facts, name, found.model.inputs[name].index or 0)

    def symbols(self, line: str, number: int, unknown: Unknown) -> Symbols:
        """The symbols of a tokenised source with its end; counts its words and the unknown ones.

        Raises:
            UsageError: there are unknown symbols, and the model has no `<unk>`.
        """
        symbols = self.source.read(line, f"line {number} of the source")
        if self.source.unit == "words":
            unknown.words += len(symbols)
            unknown.strange.update(word for word in line.split() if word not in self.source.places)
        return self.source.ended(symbols)

    def pieces(self, sources: Sequence[Symbols], tell: Callable[[int], None] = lambda done: None) -> list[Piece]:
        """The best text for each source, in their order; `tell` gets the number of those that are done.

        `<unk>` is never written.
        """
        out: dict[int, Piece] = {}
        for group in _groups(sources, max(1, ROWS // self.beam.width)):
            ahead = self.writer.begin_each([sources[i] for i in group])
            found = search(self.writer, ahead, self.steps, self.beam, self.target.last, never=self.never)
            out |= {i: Piece(best.symbols, best.likely) for i, (best, *_) in zip(group, found, strict=True)}
            tell(len(out))
        return [out[i] for i in range(len(sources))]

    def lines(self, lines: Sequence[str], tell: Callable[[int], None] = lambda done: None) -> tuple[list[str], Unknown]:
        """A translation for each line, in their order, and what was unknown; that of an empty line is empty."""
        unknown = Unknown()
        full = [number for number, line in enumerate(lines) if line.strip()]
        sources = [self.symbols(tokenised(lines[number].strip(), self.source), number + 1, unknown) for number in full]
        out = [""] * len(lines)
        for number, piece in zip(full, self.pieces(sources, tell), strict=True):
            out[number] = self.target.write(piece.values).replace("\n", " ")
        return out, unknown


def require_width(beam: Beam, alphabet: Alphabet) -> None:
    """Check that a beam is at most as wide as the vocabulary.

    Raises:
        UsageError: it is wider; there are only so many ways to continue a text.
    """
    if beam.width > len(alphabet.units):
        has = f"{len(alphabet.units)} {alphabet.unit}"
        raise UsageError(
            f"a beam of width {beam.width} is wider than the vocabulary, which has {has}; pass at most that"
        )


def tokenised(line: str, alphabet: Alphabet) -> str:
    """A line as the data have it: in lower case if they are, and with punctuation apart, as far as it is not a word.

    Words that the model knows stay as they are. Other alphabets than words are left alone.
    """
    if alphabet.unit != "words":
        return line
    return " ".join(word for text in line.split() for word in _words(text, alphabet.places, alphabet.is_lower))


def _words(text: str, known: Container[str], lower: bool) -> list[str]:
    """The words of a piece of text without spaces: itself if it is known, else without the punctuation around it."""
    text = text if text in known or not lower else text.lower()
    if text in known:
        return [text]
    parts = [ESCAPES[part] if ESCAPES.get(part, "") in known else part for part in PUNCTUATION.split(text) if part]
    words = [number for number, part in enumerate(parts) if not PUNCTUATION.fullmatch(part)]
    if not words:
        return parts
    return [*parts[: words[0]], "".join(parts[words[0] : words[-1] + 1]), *parts[words[-1] + 1 :]]


def _groups(sources: Sequence[Symbols], size: int) -> Iterator[list[int]]:
    """The numbers of the sources in groups of similar length."""
    order = sorted(range(len(sources)), key=lambda i: len(sources[i]))
    for start in range(0, len(order), size):
        yield order[start : start + size]
