"""Dimensions of a spec that its data know, such as the size of a step, the classes, the vocabulary."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from recurrency.language import syntax
from recurrency.model.spec import Spec
from recurrency.training.data.own import read_own
from recurrency.training.data.readers import ending
from recurrency.training.data.rules import Rules
from recurrency.training.data.sequences import Input
from recurrency.training.data.sizes import TEXTS, agreed, sizes_of
from recurrency.training.runs.experiments import Experiment
from recurrency.training.tasks import TASKS
from recurrency.training.tasks.own import reading_of, renamed
from recurrency.training.tasks.task import Settings, Task


def found_dimensions(experiment: Experiment, spec: Spec, task: Any) -> dict[str, int]:
    """The dimensions that have neither a value nor a default, as far as the inputs of the data decide them.

    `task` makes the task of the experiment, without a model.

    Raises:
        UsageError: the data can't be read, or do not agree on a dimension.
    """
    cell = spec.cell
    missing = {d.name for d in cell.dimensions if d.default is None and d.name not in experiment.dimensions}
    named = {port.name: names for port in cell.inputs if missing & {*(names := _names(port.type))}}
    if not missing or not named or (experiment.task is None and experiment.data is None):
        return {}
    known = _inputs(experiment, spec, task)
    sizes: dict[str, dict[str, int]] = {}
    symbols: dict[str, dict[str, int]] = {}
    for port in cell.inputs:
        found = known.get(port.name)
        for name, size in _pairs(port.type, found) if found is not None else ():
            if name in missing:
                table = symbols if isinstance(port.type, syntax.IndexType) else sizes
                table.setdefault(name, {})[port.name] = size
    return agreed(sizes, symbols)


def _names(type: Any) -> list[str]:
    """The dimensions in the type of a port, where they stand alone; "" for others."""
    parts = [type.size] if isinstance(type, syntax.IndexType) else type.dimensions
    return [part.name if isinstance(part, syntax.Name) else "" for part in parts]


def _pairs(type: Any, found: Input) -> list[tuple[str, int]]:
    """Each dimension of a type with its size in the data; nothing where the data are of another kind."""
    names = _names(type)
    if isinstance(type, syntax.IndexType):
        return [(names[0], found.index)] if found.index is not None else []
    fits = found.index is None and len(found.shape) == len(names)
    return [*zip(names, found.shape, strict=True)] if fits else []


def _inputs(experiment: Experiment, spec: Spec, task: Any) -> Mapping[str, Input]:
    """What the data hold, by the names of inputs."""
    if experiment.task is not None:
        made: Task = task()
        return made.inputs
    path = Path(str(experiment.data))
    if ending(path) == ".txt":
        text = TASKS["text"].build(Settings(path), **experiment.task_options).inputs
        return renamed(text, [port.name for port in spec.cell.inputs])
    return _of_file(path, experiment, spec)


def _of_file(path: Path, experiment: Experiment, spec: Spec) -> Mapping[str, Input]:
    """What a file of sequences and the file of its labels hold."""
    reading = reading_of(spec, experiment.task_options, name=f"on {path.name}")
    wanted = {
        p.name: None if isinstance(p.type, syntax.IndexType) else len(_names(p.type))
        for p in spec.cell.inputs
        if p.name not in reading.rules.derived
    }
    found = sizes_of(path, wanted)
    if reading.labels is not None:
        whole = {name: axes for name, axes in wanted.items() if name in reading.rules.whole and name not in found}
        found |= sizes_of(reading.labels, whole)
    if all(port is not TEXTS for port in found.values()):
        return found
    if found.keys() != wanted.keys():  # the data do not fit; when they are read, the message says why
        return {name: Input((), 2) if port is TEXTS else port for name, port in found.items()}
    known = read_own(path, {**found, **_derived(reading.rules, found)}, reading).vocabulary
    return {name: Input((), len(known[name])) if port is TEXTS else port for name, port in found.items()}


def _derived(rules: Rules, found: Mapping[str, Input]) -> dict[str, Input]:
    """Ports of masks and times, as far as the other inputs decide them."""
    masks = {name: found[of] for name, of in rules.masks.items() if of in found and found[of].index is None}
    return {**dict.fromkeys(rules.elapsed, Input(())), **masks}
