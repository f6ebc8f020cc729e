"""Symbols that are texts: the vocabulary of the sequences to train on, and the numbers of symbols in it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TypeAlias

import numpy as np

from recurrency.errors import UsageError, nearest_hint
from recurrency.training.data.rules import NO_SYMBOL
from recurrency.training.data.sequences import Array, InputPort, Sequences

Vocabulary: TypeAlias = Mapping[str, Sequence[str]]
"""The symbols of inputs in the order of their numbers."""
UNKNOWN = "<unk>"
"""The symbol in place of those that the sequences to train on don't have."""
MANY = 8


def is_texts(data: Sequences, name: str) -> bool:
    """Whether the symbols of an input are texts."""
    return name in data.symbols and any(rows.dtype.kind == "U" for rows in data.inputs[name])


def vocabulary_of(splits: Mapping[str, Sequences], shared: Mapping[str, str]) -> dict[str, list[str]]:
    """The vocabularies of inputs whose symbols are texts: those in the split `train`, in alphabetical order.

    Inputs with the same word in `shared` have one vocabulary. Where other splits have more symbols, the last one of the
    vocabulary is `<unk>`.

    Raises:
        UsageError: there is only one symbol, or inputs of one vocabulary are numbers and texts.
    """
    train = splits["train"]
    groups: dict[str, list[str]] = {}
    for name in train.inputs:
        kinds = {is_texts(data, name) for data in splits.values()}
        if name in train.symbols and len(kinds) > 1:
            raise UsageError(f"{name} must be texts in all splits, or numbers in all")
        if name in train.symbols and kinds == {True}:
            groups.setdefault(shared.get(name, name), []).append(name)
    _check_texts(train, shared, groups)
    out: dict[str, list[str]] = {}
    for names in groups.values():
        known = sorted(_symbols(train, names))
        if len(known) < 2:
            has = f"only the symbol {known[0]!r}" if known else "no symbol"
            raise UsageError(
                f"{' and '.join(names)} of the sequences to train on: {has}; there is nothing to tell apart"
            )
        others = {symbol for data in splits.values() for symbol in _symbols(data, names)} - set(known)
        out |= dict.fromkeys(names, [*known, UNKNOWN] if others and UNKNOWN not in known else known)
    return out


def _check_texts(train: Sequences, shared: Mapping[str, str], groups: Mapping[str, list[str]]) -> None:
    for name in train.symbols & train.inputs.keys():
        own = groups.get(shared.get(name, name), [name])
        if name not in own:
            raise UsageError(
                f"{name} and {own[0]} have symbols of one vocabulary, so both must be texts, or both numbers from 0"
            )


def _symbols(data: Sequences, names: Iterable[str]) -> set[str]:
    return {str(s) for name in names for rows in data.inputs[name] for s in np.unique(rows)} - {NO_SYMBOL}


def numbered(data: Sequences, vocabulary: Vocabulary, ports: Mapping[str, InputPort]) -> Sequences:
    """Symbols that are texts as their numbers in the vocabulary, -1 for none; unknown ones are `<unk>`, if it has that.

    Raises:
        UsageError: a symbol is not in the vocabulary, the vocabulary is larger than the spec allows, or there is none.
    """
    inputs = dict(data.inputs)
    for name in inputs:
        if not is_texts(data, name):
            continue
        if name not in vocabulary:
            number, step, symbol = next(_strange(inputs[name], [NO_SYMBOL]))
            raise UsageError(
                f"{data.place(name, number, step)}: {symbol!r} is not a number; the symbols are whole numbers"
            )
        places = {symbol: number for number, symbol in enumerate(vocabulary[name])}
        size = ports[name].index
        if size is not None and len(places) > size:
            raise UsageError(f"{name} has {len(places)} symbols; the spec was compiled for {size}")
        if UNKNOWN not in places:
            _check_known(data, name, places)
        inputs[name] = [_numbers(rows, places) for rows in inputs[name]]
    return replace(data, inputs=inputs)


def _numbers(rows: Array, places: Mapping[str, int]) -> Array:
    symbols, at = np.unique(rows, return_inverse=True)
    other = places.get(UNKNOWN, -1)
    numbers = [-1 if symbol == NO_SYMBOL else places.get(str(symbol), other) for symbol in symbols]
    return np.array(numbers, np.int64)[at].reshape(rows.shape)


def _strange(sequences: Sequence[Array], known: Iterable[str]) -> Iterator[tuple[int, int, str]]:
    """The symbols that are not known: the numbers of their sequence and step, and they themselves."""
    for number, rows in enumerate(sequences):
        for step in np.flatnonzero(~np.isin(rows, list(known))):
            yield number, int(step), str(rows[step])


def _check_known(data: Sequences, name: str, places: Mapping[str, int]) -> None:
    for number, step, symbol in _strange(data.inputs[name], [*places, NO_SYMBOL]):
        has = ", ".join([*list(places)[:MANY], *["..."] * (len(places) > MANY)])
        raise UsageError(
            f"{data.place(name, number, step)}: the symbol {symbol!r} is not in the vocabulary of the run, which has "
            f"{has}{nearest_hint(symbol, list(places))}"
        )


def told(vocabulary: Vocabulary) -> list[str]:
    """The vocabularies in words, one line each."""
    groups: dict[tuple[str, ...], list[str]] = {}
    for name, known in vocabulary.items():
        groups.setdefault(tuple(known), []).append(name)
    out = []
    for known, names in groups.items():
        shown = ", ".join([*known[:MANY], *["..."] * (len(known) > MANY)])
        out.append(f"{' and '.join(names)}: {len(known)} symbols from the training part, {shown}")
    return out
