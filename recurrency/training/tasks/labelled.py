"""Sequences of symbols with a label each: promoters and splice junctions of DNA (Towell & Noordewier, UCI)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from recurrency.errors import UsageError
from recurrency.training.data.places import find_data, read_lines
from recurrency.training.data.sequences import Input, Sequences, alike
from recurrency.training.data.series import shares
from recurrency.training.tasks.kinds import PIECES, Kind, Option
from recurrency.training.tasks.measures import wrong_at_end
from recurrency.training.tasks.phrases import encoded, placed
from recurrency.training.tasks.task import Settings, Task, from_sequences

UCI = "the UCI Machine Learning Repository, https://archive.ics.uci.edu; see docs/tasks.md"


def read_labelled(path: str | Path, letters: str, labels: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """The label and the letters of each line `label, name, letters`.

    Raises:
        UsageError: the file cannot be read, or a line has other letters, another label or no three parts.
    """
    for number, line in enumerate(read_lines(path), 1):
        if not line.strip():
            continue
        parts = [part.strip() for part in line.split(",")]
        if len(parts) != 3 or not parts[2]:
            raise UsageError(f"{path}, line {number}: it must be a label, a name and letters with commas between")
        if parts[0] not in labels:
            raise UsageError(f"{path}, line {number}: the label is {parts[0]!r}; it must be one of {', '.join(labels)}")
        strange = next((letter for letter in parts[2] if letter not in letters), None)
        if strange is not None:
            raise UsageError(f"{path}, line {number}: {strange!r} is none of the letters {letters}")
        yield parts[0], parts[2]


def dna(settings: Settings, split: str, chunk: int, name: str, letters: str, labels: tuple[str, ...]) -> Task:
    """Letters x [T, B], and which kind of sequence it is, at every step of label [T, B]; split always alike.

    Duplicate lines are left out, and equal letters with different labels are in one part.
    """
    lines = list(dict.fromkeys(read_labelled(find_data(f"dna/{name}.data", settings.data, UCI), letters, labels)))
    places, kinds = placed(letters), placed(labels)
    x = [encoded(sequence, places) for _, sequence in lines]
    label = [np.full(len(symbols), kinds[kind]) for symbols, (kind, _) in zip(x, lines, strict=True)]
    clocks = {"x": "t", "label": "t"}
    data = Sequences({"x": x, "label": label}, clocks, frozenset(clocks))
    groups = alike(replace(data, inputs={"x": x}))
    train, valid, _ = shares(split)
    first, second = len(groups) * train // 100, len(groups) * (train + valid) // 100
    order = np.random.RandomState(0).permutation(len(groups))
    drawn = {"train": order[:first], "valid": order[first:second], "test": order[second:]}
    parts = {part: [number for group in chosen for number in groups[group]] for part, chosen in drawn.items()}
    if not first:
        raise UsageError(f"{len(data)} sequences are too few to split them {split}")
    return from_sequences(
        name,
        {part: data.take(chosen) for part, chosen in parts.items() if len(chosen)},
        replace(settings, chunk=chunk or None),
        inputs={"x": Input((), len(letters)), "label": Input((), len(labels))},
        measure=wrong_at_end("label"),
        facts={"vocabulary": list(letters), "labels": list(labels)},
    )


def _kind(name: str, meaning: str, source: str, letters: str, labels: tuple[str, ...]) -> Kind:
    inputs = {"x": f"symbol of {len(letters)}", "label": f"symbol of {len(labels)}, at every step"}
    split = Option("split", "80/10/10", "percents for training, validation and test; the split is fixed")
    make = partial(dna, name=name, letters=letters, labels=labels)
    return Kind(name, meaning, source, inputs, make, (split, PIECES))


KINDS = (
    _kind(
        "promoters",
        "does a gene begin after these 57 bases? 106 sequences",
        "Towell, Shavlik & Noordewier 1990",
        "acgt",
        ("+", "-"),
    ),
    _kind(
        "splice",
        "is there a boundary of exon and intron, or of intron and exon, in these 60 bases? 3,190 sequences",
        "Noordewier, Towell & Shavlik 1991",
        "ACGTDNRS",
        ("EI", "IE", "N"),
    ),
)
