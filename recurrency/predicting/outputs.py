"""Runs a trained model on sequences, and keeps what it says of each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from recurrency.graph.types import Kind
from recurrency.model.arrays import Port
from recurrency.predicting.data import groups
from recurrency.predicting.predictions import CLASS, LABEL, PROBABILITY, Predictions
from recurrency.training.data.sequences import Array, Batch, Sequences
from recurrency.training.data.vocabularies import Vocabulary
from recurrency.training.tasks.comparisons import CLASSES, LOGARITHMS, LOGITS, Scores

BATCH = 64
"""The most sequences of a call."""


def completed(model: Any, batch: Batch) -> dict[str, Array]:
    """The inputs of a call: those of the batch, and zeros (no symbol) for others, which no output reads."""
    steps = {str(model.inputs[name].clock): len(array) for name, array in batch.inputs.items()}
    out = dict(batch.inputs)
    for name, port in model.inputs.items():
        if name not in out:
            shape = (steps[str(port.clock)], batch.size, *port.shape)
            out[name] = np.zeros(shape, model.real) if port.index is None else np.full(shape, -1)
    return out


def outputs(
    model: Any,
    params: Array,
    data: Sequences,
    streams: Sequence[str],
    scores: Mapping[str, Scores],
    seed: int,
    vocabulary: Vocabulary | None = None,
) -> Predictions:
    """All outputs and some inner streams for each sequence; the data have the inputs that these need.

    Classes of a target with a `vocabulary` have names.
    """
    ports: dict[str, Port] = {**model.outputs, **{name: model.streams[name] for name in streams}}
    rows: dict[str, dict[int, Array]] = {name: {} for name in ports}
    for chosen, batch in groups(data, BATCH, model.dtype):
        known: dict[str, Any] = {"streams": streams} if streams else {}
        run = model.forward(params, completed(model, batch), seed=seed, keep=False, **batch.keywords, **known)
        for name, port in ports.items():
            array = np.asarray({**run.streams, **run.outputs}[name])
            ends = batch.steps(_over(model, batch, port), str(port.clock)) if port.kind is Kind.STREAM else None
            for column, number in enumerate(chosen):
                rows[name][int(number)] = _of(array, port, column, ends)
    values = {name: [found[number] for number in range(len(data))] for name, found in rows.items()}
    clocks = {name: port.clock if port.kind is Kind.STREAM else None for name, port in ports.items()}
    return with_scores(values, clocks, data, scores, tuple(model.outputs), data.first or None, vocabulary or {})


def _over(model: Any, batch: Batch, port: Port) -> str:
    """An input over the clock of a port."""
    return next(name for name in batch.inputs if model.inputs[name].clock == port.clock)


def _of(array: Array, port: Port, column: int, ends: Array | None) -> Array:
    """The part of an array that belongs to one sequence of the batch."""
    if ends is not None:
        return np.array(array[: ends[column], column])
    return np.array(array[column] if port.kind is Kind.SEQUENCE else array)


def with_scores(
    values: Mapping[str, list[Array]],
    clocks: Mapping[str, str | None],
    data: Sequences,
    scores: Mapping[str, Scores],
    outputs: tuple[str, ...],
    first: Iterable[int] | None = None,
    vocabulary: Vocabulary | None = None,
) -> Predictions:
    """Predictions, with the probabilities, the likeliest class and its name behind each output that is scores."""
    out: dict[str, list[Array]] = {}
    over: dict[str, str | None] = {}
    for name, rows in values.items():
        out[name], over[name] = rows, clocks[name]
        found = scores.get(name) if name in outputs else None
        if found is None:
            continue
        made = [probabilities(row, found) for row in rows]
        if all(row is not None for row in made):
            out[f"{name}.{PROBABILITY}"] = [np.asarray(row) for row in made]
        if found.kind == CLASSES:
            out[f"{name}.{CLASS}"] = [row.argmax(-1) for row in rows]
        if found.kind == CLASSES and found.target in (vocabulary or {}):
            known = np.array([*(vocabulary or {})[found.target], *[""] * rows[0].shape[-1]])
            out[f"{name}.{LABEL}"] = [known[row.argmax(-1)] for row in rows]
        over |= {added: clocks[name] for added in out if added not in over}
    names = list(data.names) or [str(number) for number in range(len(data))]
    start = np.zeros(len(names), np.int64) if first is None else np.array(list(first), np.int64)
    return Predictions(out, over, names, start, outputs)


def _softmax(scores: Array) -> Array:
    powers = np.exp(scores - scores.max(-1, keepdims=True))
    return np.asarray(powers / powers.sum(-1, keepdims=True))


def _sigmoid(scores: Array) -> Array:
    return np.asarray((1 + np.tanh(scores / 2)) / 2)


def probabilities(row: Array, found: Scores) -> Array | None:
    """The probabilities of scores [..., K]; None if they are probabilities already."""
    if found.form == LOGITS:
        return _softmax(row) if found.kind == CLASSES else _sigmoid(row)
    return np.asarray(np.exp(row)) if found.form == LOGARITHMS else None
