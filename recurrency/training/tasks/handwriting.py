"""Texts and how a pen writes them: strokes of the Hershey fonts with jitter, drawn anew for each update."""

from __future__ import annotations

import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from recurrency.errors import UsageError
from recurrency.training.data.jhf import Glyph, read_font
from recurrency.training.data.places import find_data
from recurrency.training.data.sequences import Array, Batch, Input, Sequences, joined
from recurrency.training.tasks.kinds import HELD, STEPS, Kind, Option
from recurrency.training.tasks.phrases import encoded, placed
from recurrency.training.tasks.task import Settings, Task, from_draws

Generator = np.random.Generator

FONTS = ("rowmans", "futural", "cursive", "scripts", "scriptc")
ORIGIN = "https://github.com/kamalmostafa/hershey-fonts (with its notice); see docs/tasks.md"
ALPHABET = " " + string.ascii_lowercase

GAP = 1 / 6
"""How likely a space is between two letters."""

SIZE, SLANT, TILT, PLACE, POINT = 0.1, 0.15, 0.03, 0.5, 0.35
"""Deviations at jitter 1: of the logarithm of the size, of the slant and of the angle in radians, once a text; of where
a letter is, and of each point, in units of the font (small letters are 14 high)."""

SAMPLED = 256
"""The distances of so many texts define the scale."""


def phrase(rng: Generator, least: int, longest: int) -> str:
    """Random letters with single spaces between some of them."""
    count = int(rng.integers(least, longest + 1))
    text = ""
    for place in range(count):
        inner = 0 < place < count - 1 and text[-1] != " "
        text += " " if inner and rng.random() < GAP else ALPHABET[int(rng.integers(1, len(ALPHABET)))]
    return text


@dataclass(frozen=True)
class Pen:
    """Writes with the glyphs of a font; `jitter` multiplies all random deviations."""

    font: Mapping[str, Glyph]
    jitter: float

    def strokes(self, text: str, rng: Generator) -> list[Array]:
        """The strokes of a text as points [n, 2]; the pen starts at the origin, y points down."""
        found, cursor = [], 0.0
        for character in text:
            glyph = self.font[character]
            place = rng.normal(0, self.jitter * PLACE, 2) + np.array([cursor - glyph.left, 0.0])
            for stroke in glyph.strokes:
                found.append(stroke + place + rng.normal(0, self.jitter * POINT, stroke.shape))
            cursor += glyph.right - glyph.left
        return found

    def write(self, text: str, rng: Generator) -> Array:
        """Steps [T, 3] of the pen: two distances, and whether it is lifted after them."""
        strokes = self.strokes(text, rng)
        points = np.concatenate(strokes) @ self._hand(rng)
        lifted = np.concatenate([np.arange(len(stroke)) == len(stroke) - 1 for stroke in strokes])
        return np.column_stack([np.diff(points, axis=0, prepend=np.zeros((1, 2))), lifted])

    def _hand(self, rng: Generator) -> Array:
        """A matrix [2, 2] that scales, slants and turns points, which are its rows."""
        size, slant, tilt = self.jitter * rng.normal(0, (SIZE, SLANT, TILT))
        turn = np.array([[np.cos(tilt), np.sin(tilt)], [-np.sin(tilt), np.cos(tilt)]])
        return np.asarray(np.exp(size) * np.array([[1.0, 0.0], [-slant, 1.0]]) @ turn)


def _scale(pen: Pen, least: int, longest: int) -> tuple[Array, float, int]:
    """The deviations of both distances, the steps of a character, and the median steps of a text, from fixed draws."""
    rng = np.random.default_rng(0)
    texts = [phrase(rng, least, longest) for _ in range(SAMPLED)]
    written = [pen.write(text, rng) for text in texts]
    steps = [len(one) for one in written]
    return np.concatenate(written)[:, :2].std(0), sum(steps) / sum(map(len, texts)), int(np.median(steps))


def hershey(settings: Settings, font: str, least: int, longest: int, jitter: float, steps: int, held: int) -> Task:
    """A text over the clock s, and the pen that writes it over the clock t, x [T, B, 3].

    Distances are divided by their standard deviations.
    """
    if longest < least:
        raise UsageError(f"the option longest of hershey must be at least {least}, the value of least, not {longest}")
    path = find_data(f"strokes/hershey_{font}.jhf", settings.data, ORIGIN)
    pen = Pen(read_font(path), jitter)
    if empty := [letter for letter in ALPHABET[1:] if not pen.font[letter].strokes]:
        raise UsageError(f"{path} has no strokes for {', '.join(empty)}")
    scale, pace, usual = _scale(pen, least, longest)
    places = placed(ALPHABET)

    def draw(rng: Generator, count: int) -> Batch:
        texts: Sequence[str] = [phrase(rng, least, longest) for _ in range(count)]
        inputs = {
            "text": [encoded(text, places) for text in texts],
            "x": [pen.write(text, rng) / np.append(scale, 1.0) for text in texts],
        }
        return joined(Sequences(inputs, {"text": "s", "x": "t"}, frozenset({"text"})), settings.dtype)

    inputs = {"text": Input((), len(ALPHABET), "s"), "x": Input((3,))}
    facts = {
        "scale": scale.tolist(),
        "steps": usual,
        "pace": pace,
        "vocabulary": {"text": list(ALPHABET)},
        "unit": "characters",
    }
    return from_draws("hershey", draw, settings, steps, held, inputs=inputs, facts=facts)


KINDS = (
    Kind(
        "hershey",
        "write a text with a pen, in letters of a Hershey font with jitter",
        "in place of the data of Graves 2013, section 5",
        {"text": "symbol of 27, over the clock s", "x": "[3]: two distances, and whether the pen is lifted then"},
        hershey,
        (
            Option("font", "rowmans", "the letters", words=FONTS),
            Option("least", 2, "the fewest characters of a text", 1),
            Option("longest", 6, "the most characters of a text", 1, 1000),
            Option("jitter", 1.0, "how much letters vary; 0: not at all", 0.0, 10.0),
            STEPS,
            HELD,
        ),
    ),
)
