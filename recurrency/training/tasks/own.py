"""A task on a user's file: sequences, one long series, or a text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from recurrency.errors import UsageError
from recurrency.passes.loss_lines import over_sequences
from recurrency.training.data import series
from recurrency.training.data.own import Own, Reading, read_own
from recurrency.training.data.readers import ending
from recurrency.training.data.rules import MISSING, REFUSE, check_rules, pairs
from recurrency.training.data.sequences import Batch, Input, Sequences, usual
from recurrency.training.runs.fitting import fitted
from recurrency.training.tasks import TASKS
from recurrency.training.tasks.kinds import Kind, Option
from recurrency.training.tasks.own_rules import rules_of
from recurrency.training.tasks.task import Settings, Task, from_sequences

CHUNK = 100
"""The usual number of steps of a piece of a series."""
OPTIONS = (
    Option(
        "chunk",
        0,
        "the most steps of a training sequence; longer ones are cut; 0: never. Of a series: the steps of a piece, "
        f"which carries the states of the one before on; 0: {CHUNK}",
        0,
    ),
    Option(
        "held",
        10.0,
        "percent of the sequences, or of the steps of a series, each for validation and test, if these are not given",
        0,
        49,
    ),
    Option(
        "split",
        "",
        "percents of the steps of each sequence to train, to validate and to test on, in the order of time, such as "
        "80/10/10; if it is not given, only a single sequence is split by time",
    ),
    Option("window", 0, "cut sequences into windows of so many steps, which are sequences of their own; 0: don't", 0),
    Option("stride", 0, "steps from one window to the next; 0: 1 if the loss is for whole sequences, else `window`", 0),
    Option(
        "missing",
        REFUSE,
        "what a missing value of an input counts as: an error, 0 (no symbol), or the value before it in its sequence",
        words=MISSING,
    ),
    Option("mask", "", "`m=x`: the input m is 1 where x has a value, else 0; several are separated by commas"),
    Option("elapsed", "", "`dt=time`: the input dt is the time since the step before, by the column `time`"),
    Option("labels", "", "a file with one value for each sequence: a table with the column `sequence`, or .npy"),
)
"""The options for a file of sequences; a text has the options of the task `text`."""


def reading_of(spec: Any, options: Mapping[str, Any], real: str = "float64", name: str = "the data") -> Reading:
    """How a file is read for a spec with these options of the task.

    Raises:
        UsageError: there is no such option, or it does not fit the spec.
    """
    found = Kind(name, "", "", {}, Task, OPTIONS).values(**options)
    masks, elapsed = pairs(found["mask"], "mask", "m=x"), pairs(found["elapsed"], "elapsed", "dt=time")
    rules = rules_of(spec, found["missing"], masks, elapsed)
    held = found["held"] / 100 if "held" in options else None
    labels = Path(found["labels"]) if found["labels"] else None
    return Reading(rules, held, found["split"] or None, labels, real)


def own_task(settings: Settings, model: Any, **options: Any) -> Task:
    """The task on the file `settings.data`, fitted to a compiled model.

    Raises:
        UsageError: the file cannot be read or does not fit the spec (the message names the first bad row); there is
            no such option.
    """
    path = Path(str(settings.data))
    if ending(path) == ".txt":
        return fitted(_named(TASKS["text"].build(settings, **options), model), model)

    def make(settings: Settings, chunk: int, window: int, **_: Any) -> Task:
        own = own_data(path, model, options, settings.dtype)
        steps = chunk or settings.chunk
        if window and steps:
            raise UsageError("windows are not cut into chunks; leave the option window or chunk out")
        if own.series and not window:
            return _in_pieces(path, own, model, settings, steps or CHUNK)
        known: dict[str, Any] = {"inputs": _inputs(model), "facts": _facts(own), "told": own.told}
        splits = dict(own.splits)
        if steps:
            splits["train"] = series.begun(splits["train"].cut(steps), own.elapsed)
        return from_sequences(path.stem, splits, replace(settings, chunk=None), **known)

    return fitted(Kind(f"on {path.name}", "", "", {}, make, OPTIONS).build(settings, **options), model)


def own_data(path: Path, model: Any, options: Mapping[str, Any], dtype: Any, ports: Any = None) -> Own:
    """The splits of a user's file for a compiled model; `ports` are its inputs, if not those of the model.

    Raises:
        UsageError: as above.
    """
    reading = reading_of(model.spec, options, np.dtype(dtype).name, f"on {path.name}")
    check_rules(reading.rules, model.inputs, model.spec.name)
    own = read_own(path, model.inputs if ports is None else ports, reading)
    window, stride = options.get("window", 0), options.get("stride", 0)
    return replace(own, splits=in_windows(own, model, window, stride))


def in_windows(own: Own, model: Any, window: int, stride: int) -> Mapping[str, Sequences]:
    """The splits in windows of so many steps; as they are, if that is 0."""
    if not window:
        if stride:
            raise UsageError("the option stride is the distance of windows; say how long they are with -T window=STEPS")
        return own.splits
    whole = _ends(model)
    steps = stride or (1 if whole else window)
    found = {split: series.windows(data, window, steps, not whole) for split, data in own.splits.items()}
    return {split: series.begun(data, own.elapsed) for split, data in found.items()}


def _ends(model: Any) -> bool:
    """Whether the loss has a value for each sequence, such as at its end."""
    return any(map(over_sequences, model.loss_kinds))


def _in_pieces(path: Path, own: Own, model: Any, settings: Settings, chunk: int) -> Task:
    """A series as streams in consecutive pieces, with states carried on; validation and test are one stream each."""
    if _ends(model) or model.over_calls:
        why = model.over_calls or "its loss has one value for each sequence"
        raise UsageError(
            f"{path} is one series, and {model.spec.name} can't be trained on it in pieces, as {why}: cut it into "
            "windows with -T window=STEPS, each of which is a sequence of its own"
        )
    streams = series.begun(series.streams(own.splits["train"], settings.batch, chunk), own.elapsed)
    steps = sum(1 for _ in series.read(streams, chunk, settings.dtype))
    size = len(next(iter(streams.inputs.values())))
    words = f"read in {size} stream{'s' * (size > 1)}, in pieces of at most {chunk} steps that carry the states on"

    def feed(data: Sequences | None) -> Iterable[Batch]:
        return series.read(data, chunk, settings.dtype) if data is not None else ()

    return Task(
        path.stem,
        lambda epoch, rng: feed(streams),
        steps,
        lambda: feed(own.splits.get("valid")),
        lambda: feed(own.splits.get("test")),
        _inputs(model),
        facts=_facts(own),
        told=(*own.told, words),
    )


def _inputs(model: Any) -> dict[str, Input]:
    return {name: Input(tuple(p.shape), p.index, p.clock or "t") for name, p in model.inputs.items()}


def _facts(own: Own) -> dict[str, Any]:
    facts: dict[str, Any] = {"lowest": 0, "scale": [1.0, 1.0], "steps": usual(own.splits["train"])}
    if not own.vocabulary:
        return facts
    short = all(len(symbol) == 1 for known in own.vocabulary.values() for symbol in known)
    vocabulary = {name: list(known) for name, known in own.vocabulary.items()}
    return {**facts, "vocabulary": vocabulary, "unit": "characters" if short else "words"}


def renamed(inputs: Mapping[str, Input], names: Sequence[str]) -> Mapping[str, Input]:
    """The inputs of a text for a spec with inputs of these names: a single one has the symbols, whatever its name."""
    return inputs if len(names) != 1 or "x" in names else {names[0]: inputs["x"]}


def _named(task: Task, model: Any) -> Task:
    """A text as the only input of a spec, whatever its name."""
    if len(model.inputs) != 1 or "x" in model.inputs:
        return task
    (name,) = model.inputs
    if model.inputs[name].index is None:
        raise UsageError(f"a text is made of symbols; the input {name} of the spec takes numbers")

    def rename(batch: Batch) -> Batch:
        return replace(batch, inputs={name: batch.inputs["x"]})

    return replace(
        task,
        train=lambda epoch, rng: map(rename, task.train(epoch, rng)),
        valid=lambda: map(rename, task.valid()),
        test=lambda: map(rename, task.test()),
        inputs=renamed(task.inputs, [name]),
    )
