"""Where the sequences come from: a file, arrays, or the data that a run was trained on."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from recurrency.errors import UsageError, nearest_hint
from recurrency.generating.alphabet import MANY, Alphabet
from recurrency.predicting.data import Known, from_arrays, ports_of, read_file
from recurrency.training.data.npz import SPLITS
from recurrency.training.data.readers import ending
from recurrency.training.data.sequences import Array, Batch, Sequences, apart, batches, without_gaps
from recurrency.training.data.streams import Streams
from recurrency.training.data.vocabularies import UNKNOWN
from recurrency.training.runs.session import Session
from recurrency.training.tasks.measures import Measure
from recurrency.training.tasks.own import own_data, reading_of
from recurrency.training.tasks.task import Task
from recurrency.training.tasks.text import UNITS, judges, numbered

Stream: TypeAlias = Callable[[], Iterable[Batch]]
BATCH, CHUNK = 64, 100
"""Sequences of a batch, and the steps of a text in one."""
TEXT = ".txt"


def is_path(data: Any) -> bool:
    """Whether data are named by a path."""
    return isinstance(data, str | Path)


def known_of(session: Session, facts: Mapping[str, Any], labels: str | Path | None = None) -> Known:
    """How data are read for a run: as its own ones were; `labels` is a file with one value for each sequence.

    Raises:
        UsageError: the options of the run do not fit its spec.
    """
    experiment, spec = session.experiment, session.model.spec
    own = experiment.task is None and ending(experiment.data or "") != TEXT
    reading = reading_of(spec, experiment.task_options if own else {}, np.dtype(session.model.dtype).name)
    vocabulary = facts.get("vocabulary", {})
    path = Path(labels) if labels is not None else None
    return Known(replace(reading, labels=path), vocabulary if own and isinstance(vocabulary, Mapping) else {})


def to_predict(
    session: Session, facts: Mapping[str, Any], data: Any, split: str | None, needed: Collection[str]
) -> Sequences:
    """The sequences of the inputs `needed`; without `data`, those of the run's own test data, or another `split`.

    Raises:
        UsageError: the data can't be read or don't fit, or the run's own ones are read in pieces.
    """
    model = session.model
    if is_path(data) and ending(data) == TEXT:
        name, symbols = _text(model, facts, Path(data))
        return Sequences({name: [symbols]}, {name: str(model.inputs[name].clock)}, frozenset({name}), [str(data)])
    if is_path(data):
        return read_file(data, model, needed, split, known_of(session, facts))
    if data is not None:
        _refuse(split)
        return from_arrays(data, model, needed, known_of(session, facts))
    return _own(session, _split(split), needed)


def to_evaluate(
    session: Session, facts: Mapping[str, Any], data: Any, split: str | None, labels: str | Path | None = None
) -> tuple[Stream, Measure | None]:
    """Batches with all inputs that the loss reads; with the task's own measure, where they are of the task.

    Raises:
        UsageError: as above.
    """
    model = session.model
    if labels is not None and not is_path(data):
        raise UsageError("a file of labels is for the sequences of another file: name that with --data")
    if is_path(data) and ending(data) == TEXT:
        return _streams(model, facts, Path(data)), None
    if data is not None:
        if not is_path(data):
            _refuse(split)
        names, known = model.reads("loss"), known_of(session, facts, labels)
        found = read_file(data, model, names, split, known) if is_path(data) else from_arrays(data, model, names, known)
        whole = without_gaps(found, str(data) if is_path(data) else "the data")
        return lambda: batches(whole, BATCH, model.dtype), None
    task = session.task(session.options["seed"])
    return _stream(task, _split(split)), task.measure


def _refuse(split: str | None) -> None:
    if split is not None:
        raise UsageError("a split is for the data of a file or of a run; arrays have none")


def _split(split: str | None) -> str:
    split = split or SPLITS[-1]
    if split not in SPLITS:
        raise UsageError(f"there is no split {split}; there are {', '.join(SPLITS)}{nearest_hint(split, SPLITS)}")
    return split


def _stream(task: Task, split: str) -> Stream:
    """The batches of a split of a task."""
    streams: Mapping[str, Stream] = {
        "train": lambda: task.train(0, np.random.default_rng(0)),
        "valid": task.valid,
        "test": task.test,
    }
    if next(iter(streams[split]()), None) is None:
        raise UsageError(f"the data of this run have no split {split}; name a file with --data")
    return streams[split]


def _own(session: Session, split: str, needed: Collection[str]) -> Sequences:
    """The run's own sequences; those of a file keep their names and their order."""
    experiment, model = session.experiment, session.model
    if experiment.task is None and experiment.data is not None and ending(experiment.data) != TEXT:
        ports = ports_of(model, model.inputs)
        own = own_data(Path(experiment.data), model, experiment.task_options, model.dtype, ports)
        if split not in own.splits:
            raise UsageError(f"the data of this run have no split {split}; name a file with --data")
        return _only(own.splits[split], needed)
    task = session.task(session.options["seed"])
    joint = list(_stream(task, split)())
    if ending(experiment.data or "") == TEXT or not all(batch.fresh for batch in joint):
        raise UsageError("the data of this run are a text that is read in pieces; name a file with --data FILE.txt")
    return _only(apart(joint, task.inputs), needed)


def _only(data: Sequences, needed: Collection[str]) -> Sequences:
    inputs = {name: rows for name, rows in data.inputs.items() if name in needed or name.startswith(":")}
    clocks = {name: data.clocks[name] for name in inputs if name in data.clocks}
    return replace(data, inputs=inputs, clocks=clocks)


# ---------------------------------------------------------------------------------------------------------------- text


def _text(model: Any, facts: Mapping[str, Any], path: Path) -> tuple[str, Array]:
    """The input that reads a text, and the symbols of a file.

    Raises:
        UsageError: the run was not trained on texts, or does not know a symbol.
    """
    name = next(iter(model.inputs)) if len(model.inputs) == 1 else "x"
    if name not in model.inputs or model.inputs[name].index is None or "vocabulary" not in facts:
        raise UsageError(f"{path} is a text, but this run was not trained on texts; name a .csv or .npz file")
    alphabet = Alphabet.of(facts, name, model.inputs[name].index)
    units = UNITS[alphabet.unit](path)
    strange = list(dict.fromkeys(unit for unit in units if unit not in alphabet.places))
    if strange and UNKNOWN not in alphabet.places:
        shown = ", ".join(map(repr, strange[:MANY])) + (", ..." if len(strange) > MANY else "")
        raise UsageError(f"{path} has {shown}, which are unknown {alphabet.unit} to the model")
    return name, numbered(units, alphabet.units)


def _streams(model: Any, facts: Mapping[str, Any], path: Path) -> Stream:
    """A text in streams, as those that training judges by."""
    name, symbols = _text(model, facts, path)
    stream = Streams(symbols, judges(len(symbols)), CHUNK)

    def read() -> Iterable[Batch]:
        for batch in stream:
            inputs = {name: batch.inputs["x"], "target": batch.inputs["target"]}
            yield Batch({n: a for n, a in inputs.items() if n in model.inputs}, batch.lengths, batch.fresh)

    return read
