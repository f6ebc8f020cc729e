"""Synthetic texts with a rule to learn: sums among distracting letters, and nested tags (Jozefowicz et al. 2015)."""

from __future__ import annotations

import string
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from recurrency.errors import UsageError
from recurrency.training.data.sequences import Array, Batch, Input, Sequences, joined
from recurrency.training.tasks.kinds import HELD, STEPS, Kind, Option
from recurrency.training.tasks.measures import wrong_steps
from recurrency.training.tasks.task import Settings, Task, from_draws

Generator = np.random.Generator


def encoded(text: str, places: Mapping[str, int]) -> Array:
    """The characters of a text as symbols [steps]."""
    return np.array([places[character] for character in text], np.int64)


def placed(vocabulary: Sequence[str]) -> dict[str, int]:
    """The symbol of each word or character."""
    return {word: place for place, word in enumerate(vocabulary)}


def followed(texts: Sequence[str], places: Mapping[str, int], since: Sequence[int]) -> Batch:
    """Texts as x, with the next character as target: from the character `since` on, before it none (-1).

    The last step of a text has no target either, so that a network that reads x one step late, and predicts it, sees
    all of it as well.
    """
    x = [encoded(text, places) for text in texts]
    target = [np.append(symbols[1:], -1) for symbols in x]
    for symbols, start in zip(target, since, strict=True):
        symbols[:start] = -1
    clocks = {"x": "t", "target": "t"}
    return joined(Sequences({"x": x, "target": target}, clocks, frozenset(clocks)), np.float64)


# ---------------------------------------------------------------------------------------------------------- arithmetic

ARITHMETIC = string.ascii_lowercase + string.digits + "+-=."


def number(rng: Generator, digits: int) -> int:
    """A number of up to so many digits; each number of digits is equally likely."""
    size = int(rng.integers(1, digits + 1))
    return int(rng.integers(0 if size == 1 else 10 ** (size - 1), 10**size))


def problem(rng: Generator, digits: int, distractors: int) -> tuple[str, int]:
    """A sum or difference with letters between its characters and its result, and the place of its equals sign."""
    first, second = number(rng, digits) * int(rng.choice((1, -1))), number(rng, digits)
    plus = bool(rng.integers(0, 2))
    question = ""
    for character in f"{first}{'+' if plus else '-'}{second}":
        letters = rng.integers(0, 26, rng.integers(0, distractors + 1))
        question += character + "".join(string.ascii_lowercase[letter] for letter in letters)
    return f"{question}={first + second if plus else first - second}.", len(question)


def arithmetic(settings: Settings, digits: int, distractors: int, scored: str, steps: int, held: int) -> Task:
    """Read a problem and write its result, digit by digit; the input is the previous digit."""
    places = placed(ARITHMETIC)

    def draw(rng: Generator, count: int) -> Batch:
        texts, equals = zip(*(problem(rng, digits, distractors) for _ in range(count)), strict=True)
        return followed(texts, places, equals if scored == "answer" else [0] * count)

    return _predicted("arithmetic", draw, settings, ARITHMETIC, steps, held, {"x": "."})


def _predicted(
    name: str,
    draw: Callable[[Generator, int], Batch],
    settings: Settings,
    vocabulary: str,
    steps: int,
    held: int,
    ends: Mapping[str, str],
) -> Task:
    inputs = {"x": Input((), len(vocabulary)), "target": Input((), len(vocabulary))}
    facts = {"vocabulary": list(vocabulary), "unit": "characters", "ends": dict(ends)}
    return from_draws(name, draw, settings, steps, held, inputs=inputs, measure=wrong_steps("target"), facts=facts)


# ----------------------------------------------------------------------------------------------------------------- XML

XML = string.ascii_lowercase + "<>/"


def document(rng: Generator, letters: tuple[int, int], most: int) -> str:
    """Nested tags: at each turn, and after `most` turns at all, an even chance to close the last open one, or to stop.

    The first turn opens a tag, as there is nothing to read otherwise.
    """
    text, turn = "", 0
    opened: list[str] = []
    while True:
        if turn and (turn >= most or rng.integers(0, 2)):
            if not opened:
                return text
            text += f"</{opened.pop()}>"
        else:
            size = rng.integers(letters[0], letters[1] + 1)
            opened.append("".join(string.ascii_lowercase[letter] for letter in rng.integers(0, 26, size)))
            text += f"<{opened[-1]}>"
        turn += 1


def xml(settings: Settings, least: int, longest: int, most: int, steps: int, held: int) -> Task:
    """Predict the next character of nested tags."""
    if longest < least:
        raise UsageError(f"the option longest of xml must be at least {least}, the value of least, not {longest}")
    places = placed(XML)

    def draw(rng: Generator, count: int) -> Batch:
        texts = [document(rng, (least, longest), most) for _ in range(count)]
        return followed(texts, places, [0] * count)

    return _predicted("xml", draw, settings, XML, steps, held, {})


KINDS = (
    Kind(
        "arithmetic",
        "read a sum or difference with random letters in it, and write its result",
        "Jozefowicz et al. 2015",
        {"x": "symbol of 40", "target": "symbol of 40, the next one"},
        arithmetic,
        (
            Option("digits", 8, "the most digits of a number", 1, 18),
            Option("distractors", 3, "the most letters between two characters", 0),
            Option("scored", "answer", "the `answer` has targets, or `all` steps", words=("answer", "all")),
            STEPS,
            HELD,
        ),
    ),
    Kind(
        "xml",
        "predict the next character of nested tags",
        "Jozefowicz et al. 2015",
        {"x": "symbol of 29", "target": "symbol of 29, the next one"},
        xml,
        (
            Option("least", 2, "the fewest letters of a tag", 1),
            Option("longest", 10, "the most letters of a tag", 1),
            Option("most", 50, "turns after which no more tags are opened", 1),
            STEPS,
            HELD,
        ),
    ),
)
