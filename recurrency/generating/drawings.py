"""Drawings by a trained model, in the units of its data: of anything, or of a text that it writes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from recurrency.errors import UsageError
from recurrency.generating.alphabet import Alphabet, Symbols
from recurrency.generating.decoding import generate
from recurrency.generating.steps import Array, Writer
from recurrency.generating.translating import tokenised

PATIENCE, PACE, USUAL = 2.0, 50.0, 100
"""How many times the usual steps of a character are allowed; the usual steps of a character, and of a drawing, where a
task does not say them."""


def symbols_of(writer: Writer, facts: Mapping[str, Any], text: str | None) -> Symbols:
    """The symbols of a source, with the end of a sequence if the task has one.

    Raises:
        UsageError: there is no source, or the model does not know some of its symbols.
    """
    if text is None:
        raise UsageError(
            "no source given: this model reads one, pass --source TEXT, or --source alone for lines from standard input"
        )
    name = writer.sources[0]
    alphabet = Alphabet.of(facts, name, writer.model.inputs[name].index or 0)
    return alphabet.ended(alphabet.read(tokenised(text, alphabet), "the source"))


def drawings(
    writer: Writer, facts: Mapping[str, Any], text: str | None = None, steps: int | None = None, **how: Any
) -> list[Array]:
    """Steps [T, 3] of each drawing; `how` are options of `generate`.

    Without `steps` a drawing has as many as are usual in the data. A model with a window on a text ends by itself, at
    the latest after twice the usual number.

    Raises:
        UsageError: the model reads a text and there is none, or the other way round; it does not know a character.
    """
    usual = int(facts.get("steps", USUAL))
    if writer.sources:
        source = symbols_of(writer, facts, text)
        if not len(source):
            raise UsageError("the source is empty: pass --source TEXT with some characters")
        usual = math.ceil(PATIENCE * float(facts.get("pace", PACE)) * len(source))
        how["source"] = source
    elif text is not None:
        raise UsageError("--source is for text; this model generates strokes")
    pieces = generate(writer.model, writer.params, usual if steps is None else steps, **how)
    return [piece.values * np.append(facts["scale"], 1.0) for piece in pieces]
