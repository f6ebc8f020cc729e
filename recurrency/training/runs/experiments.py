"""Experiments: small TOML files with a model, a task and options. The shipped ones are in specs/experiments.

about = "what it shows"
task  = "jsb"               # a task by name; without it, `data` is a file of the user's
spec  = "Music"             # a shipped cell, or a .rnn file beside this one (file.rnn:Cell)
data  = "path"              # where the data lie, if not in the usual places
weights = "w.safetensors"   # parameters to start from, or the folder of a run

[dimensions]                # of the spec
[training]                  # optimiser, rate, epochs, ...: the names of `OPTIONS`
[optimiser]                 # other options of the optimiser
[schedule]                  # other options of the schedule
[damp]                      # structural damping of streams: mu by name
[task-options]              # options of the task
[init]                      # other initialisers for parameters, by name or pattern: "*.U" = "orthogonal(1.2)"
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, TypeAlias

from recurrency.backend import AUTO, automatic
from recurrency.disk.toml import read_tables
from recurrency.errors import UsageError, nearest, nearest_hint
from recurrency.training.loop.second_order import HESSIAN_FREE, WITHOUT_EFFECT
from recurrency.training.runs.arrays import loaded

Kinds: TypeAlias = tuple[type, ...]


@dataclass(frozen=True)
class Option:
    """One option of training: its default, the types that a file may give it, and the least value that it may have."""

    default: Any
    kinds: Kinds
    least: float | None = None
    above: bool = False
    """Whether the value must be greater than `least`."""
    words: tuple[str, ...] = ()
    """The allowed words, if there are few."""


_NUMBER: Kinds = (int, float)
_COUNT: Kinds = (int,)
OPTIONS: Mapping[str, Option] = {
    "optimiser": Option("adam", (str,)),
    "rate": Option(None, _NUMBER, 0, above=True),
    "schedule": Option("constant", (str,)),
    "epochs": Option(50, _COUNT, 1),
    "batch": Option(16, _COUNT, 1),
    "accumulate": Option(1, _COUNT, 1),
    "clip": Option(None, _NUMBER, 0, above=True),
    "clip-value": Option(None, _NUMBER, 0, above=True),
    "patience": Option(10, _COUNT, 1),
    "until-solved": Option(False, (bool,)),
    "shrink": Option(1.0, _NUMBER, 0, above=True),
    "halve-above": Option(None, _NUMBER, 0, above=True),
    "l1": Option(0.0, _NUMBER, 0),
    "l2": Option(0.0, _NUMBER, 0),
    "weight-noise": Option(0.0, _NUMBER, 0),
    "length": Option(None, _COUNT, 1),
    "chunk": Option(None, _COUNT, 1),
    "truncate": Option(None, _COUNT, 1),
    "parallel": Option("synchronous", (str,), words=("synchronous", "asynchronous")),
    "checkpoint": Option(None, (int, str)),
    "dtype": Option("float32", (str,), words=("float32", "float64")),
    "backend": Option("auto", (str,)),
    "log-form": Option("bar", (str,), words=("bar", "lines", "readme", "quiet")),
    "log-every": Option(100, _COUNT, 1),
    "seed": Option(0, _COUNT, 0),
}
"""Every option of a run, with its default."""


KEPT = "run"
"""The name of the experiment file in a run folder."""
BEST = "best.safetensors"
"""The best parameters in a run folder."""
REPORTS = ("log-form", "log-every")
"""The options that change the reports of a run, but not its numbers."""


@dataclass(frozen=True)
class Experiment:
    """A model, a task and options; `training` has the options that differ from their defaults.

    `init` has initialisers that replace those of the spec, by name or pattern of the parameters; the last one that
    fits counts. `folder` is what paths in it are relative to; `solved` the sum of an epoch's losses below which a run
    counts as having learned the task, where there is such a mark. `weights` names a file of parameters to start from,
    or the folder of a run.
    """

    name: str
    spec: str
    task: str | None = None
    about: str = ""
    data: str | None = None
    dimensions: Mapping[str, Any] = field(default_factory=dict)
    training: Mapping[str, Any] = field(default_factory=dict)
    optimiser: Mapping[str, float] = field(default_factory=dict)
    schedule: Mapping[str, float] = field(default_factory=dict)
    damp: Mapping[str, float] = field(default_factory=dict)
    task_options: Mapping[str, Any] = field(default_factory=dict)
    init: Mapping[str, str] = field(default_factory=dict)
    solved: float | None = None
    folder: Path | None = None
    weights: str | None = None

    def weights_file(self) -> Path | None:
        """The file of the parameters to start from; None: they are initialised. That of a run lies in its folder.

        Raises:
            UsageError: it lies elsewhere, or there are initialisers as well.
        """
        if self.weights is None:
            return None
        if self.init:
            raise UsageError("parameters start from a file of weights, so init has no effect: leave one of them out")
        path = (self.folder or Path()) / self.weights
        if self.folder is not None and self.name == KEPT and not path.resolve().is_relative_to(self.folder.resolve()):
            raise UsageError(f"the weights {self.weights!r} lie outside of the run folder; {KEPT}.toml was changed")
        return path / BEST if path.is_dir() else path

    def path(self, file: str) -> Path:
        """Where the file of specs is that the experiment names: that of a run lies in its folder.

        Raises:
            UsageError: it lies elsewhere, or is none.
        """
        if self.folder is None:
            return Path(file)
        path = (self.folder / file).resolve()
        if path.suffix != ".rnn":
            raise UsageError(f"{self.name}: the spec {file!r} is no .rnn file")
        if self.name == KEPT and not path.is_relative_to(self.folder.resolve()):
            raise UsageError(f"the spec {file!r} lies outside of the run folder {self.folder}; {KEPT}.toml was changed")
        return path

    def compiled_for(self) -> dict[str, Any]:
        """The dimensions, with arrays where the experiment names files of them; those of a run lie in its folder.

        Raises:
            UsageError: an array can't be read, or is none.
        """
        return loaded(self.dimensions, self.folder, self.name == KEPT)

    def option(self, name: str) -> Any:
        """An option as it is written, or its default."""
        return self.training.get(name, OPTIONS[name].default)

    def options(self) -> dict[str, Any]:
        """Every option; instead of `auto` the backend that it selects here."""
        found = {name: self.option(name) for name in OPTIONS}
        return {**found, "backend": automatic()[0]} if found["backend"] == AUTO else found

    def changed(self, training: Mapping[str, Any], **more: Mapping[str, Any]) -> Experiment:
        """The experiment with other options; another optimiser or schedule resets what belongs to it.

        What acts on gradients and rates (clipping, schedules) is no part of Hessian-free optimisation.
        """
        kept: dict[str, Any] = {
            "training": dict(self.training),
            "optimiser": dict(self.optimiser),
            "schedule": dict(self.schedule),
            "damp": dict(self.damp),
        }
        if training.get("optimiser", self.option("optimiser")) != self.option("optimiser"):
            kept["training"].pop("rate", None)
            kept["optimiser"], kept["damp"] = {}, {}
            if training["optimiser"] == HESSIAN_FREE:
                kept["training"] = {
                    k: v for k, v in kept["training"].items() if k.replace("-", "_") not in WITHOUT_EFFECT
                }
        if training.get("schedule", self.option("schedule")) != self.option("schedule"):
            kept["schedule"] = {}
        kept["training"].update(training)
        kept |= {"dimensions": self.dimensions, "task_options": self.task_options, "init": self.init}
        for name, given in more.items():
            kept[name] = {**{k: v for k, v in kept[name].items() if k not in given}, **given}
        return replace(self, **kept)

    def tables(self) -> dict[str, Any]:
        """The experiment as the tables of a TOML file, with every option."""
        names = ("about", "task", "spec", "data", "solved", "weights")
        heads = {name: getattr(self, name) for name in names}
        parts = {
            "dimensions": self.dimensions,
            "training": self.options(),
            "optimiser": self.optimiser,
            "schedule": self.schedule,
            "damp": self.damp,
            "task-options": self.task_options,
            "init": self.init,
        }
        out: dict[str, Any] = {name: value for name, value in heads.items() if value not in (None, "")}
        for name, part in parts.items():
            known = {key: value for key, value in part.items() if value is not None}
            if known:
                out[name] = known
        return out


# ------------------------------------------------------------------------------------------------------------ reading

HEADS: Mapping[str, Kinds] = {**dict.fromkeys(("about", "task", "spec", "data", "weights"), (str,)), "solved": _NUMBER}
_ANY: Kinds = (int, float, str, bool)
VALUES: Mapping[str, Kinds] = {
    "dimensions": _ANY,
    "optimiser": _NUMBER,
    "schedule": _NUMBER,
    "damp": _NUMBER,
    "task-options": _ANY,
    "init": (str,),
}
"""The types of the values in each table but [training], which has `OPTIONS`."""
PARTS = ("training", *VALUES)


def shipped() -> dict[str, Path]:
    """The shipped experiments: name -> file."""
    folder = Path(str(resources.files("recurrency.specs"))) / "experiments"
    return {path.stem: path for path in sorted(folder.glob("*.toml"))}


@cache
def named(name: str) -> Experiment:
    """A shipped experiment.

    Raises:
        UsageError: there is none of that name.
    """
    if name not in shipped():
        hint = nearest_hint(name, shipped())
        raise UsageError(f"there is no experiment {name}; there are {', '.join(shipped())}{hint}")
    return load(shipped()[name])


def load(path: Path) -> Experiment:
    """The experiment in a file.

    Raises:
        UsageError: the file can't be read, or has a key or a value that it can't have (the message names both).
    """
    return checked(read_tables(path), path)


def checked(tables: Mapping[str, Any], path: Path, where: str = "") -> Experiment:
    """The experiment that the tables of a file say; messages name the place `where`, else the file."""
    at = where or str(path)
    for key, value in tables.items():
        if key in HEADS:
            _typed(value, HEADS[key], key, at)
        elif key in PARTS:
            _typed(value, (dict,), key, at)
        elif key != "versions":
            _unknown(key, [*HEADS, *PARTS], "", at)
    if "spec" not in tables:
        raise UsageError(f'{at}: there is no spec; say which cell is trained: spec = "Music"')
    training = tables.get("training", {})
    for key, value in training.items():
        if key not in OPTIONS:
            _unknown(key, list(OPTIONS), " in [training]", at)
        check_option(key, value, f"{at}: ")
    for part, kinds in VALUES.items():
        for key, value in tables.get(part, {}).items():
            _typed(value, kinds, f"{key} in [{part}]", at)
    heads: dict[str, Any] = {key: tables[key] for key in HEADS if key in tables}
    parts: dict[str, Any] = {part.replace("-", "_"): dict(tables.get(part, {})) for part in PARTS}
    return Experiment(path.stem, folder=path.resolve().parent, **heads, **parts)


def check_option(name: str, value: Any, where: str = "") -> None:
    """Refuse an invalid value of a training option.

    Raises:
        UsageError: it can't.
    """
    option = OPTIONS[name]
    if isinstance(value, bool) != (bool in option.kinds) or not isinstance(value, option.kinds):
        raise UsageError(f"{where}{name} must be {_words(option.kinds)}, not {value!r}")
    if option.words and value not in option.words:
        near = nearest(str(value), option.words)
        raise UsageError(f"{where}{name} must be {' or '.join(option.words)}, not {value!r}" + _hint(near))
    low, number = option.least, value if isinstance(value, int | float) else 0.0
    if low is not None and not (number > low if option.above else number >= low):
        raise UsageError(f"{where}{name} must be {'more than' if option.above else 'at least'} {low:g}, not {value}")


def _typed(value: Any, kinds: Kinds, what: str, at: str) -> None:
    if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
        raise UsageError(f"{at}: {what} must be {_words(kinds)}, not {value!r}")
    if isinstance(value, str) and "\0" in value:
        raise UsageError(f"{at}: {what} is {value!r}; no name and no path holds the character 0")


def _words(kinds: Kinds) -> str:
    names = {str: "a text", int: "a whole number", dict: "a table", bool: "true or false"}
    if int in kinds and float in kinds:
        return "a number" if str not in kinds else "a number or a text"
    return " or ".join(names.get(kind, kind.__name__) for kind in kinds)


def _unknown(key: str, known: list[str], where: str, at: str) -> None:
    near = nearest(key, known)
    raise UsageError(f"{at}: there is no key {key}{where}; there are {', '.join(known)}" + _hint(near))


def _hint(near: str | None) -> str:
    return f"; did you mean {near}?" if near else ""
