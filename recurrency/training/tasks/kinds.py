"""A kind of task: what is learned, from which paper, with which options."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from recurrency.errors import UsageError, nearest_hint
from recurrency.training.tasks.task import Settings, Task

WORDS: Mapping[type, str] = {int: "a whole number", float: "a number", bool: "true or false", str: "a word"}
SWITCHES: Mapping[str, bool] = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


@dataclass(frozen=True)
class Option:
    """One option of a kind of task: the type of its default is that of its values, unless there are `words`."""

    name: str
    default: Any
    meaning: str
    least: float | None = None
    most: float | None = None
    words: tuple[str, ...] = ()

    def taken(self, value: Any, task: str) -> Any:
        """The value, converted for the task.

        Raises:
            UsageError: it is of another type, too small or large, or none of the words.
        """
        wanted = str if self.default is None else type(self.default)
        if wanted is bool and not isinstance(value, bool):
            value = SWITCHES.get(str(value).lower(), value)
        if wanted is float and isinstance(value, int) and not isinstance(value, bool):
            value = float(value)
        if wanted is str and isinstance(value, int | float) and not isinstance(value, bool):
            value = str(value)
        head = f"the option {self.name} of {task} must be"
        if not isinstance(value, wanted) or (isinstance(value, bool) and wanted is not bool):
            raise UsageError(f"{head} {WORDS[wanted]}, not {value!r}")
        if self.words and value not in self.words:
            raise UsageError(f"{head} {' or '.join(self.words)}, not {value!r}{nearest_hint(str(value), self.words)}")
        size = value if isinstance(value, int | float) else 0
        if self.least is not None and not size >= self.least:
            raise UsageError(f"{head} at least {self.least:g}, not {value!r}")
        if self.most is not None and not size <= self.most:
            raise UsageError(f"{head} at most {self.most:g}, not {value!r}")
        return value


@dataclass(frozen=True)
class Kind:
    """A row of the table of tasks.

    `inputs` says what arrays its batches hold, by name, in words; `make(settings, **options)` makes a task of it.
    `cell` names a shipped cell that fits, and `solved` says when the task counts as solved, if a paper defines it.
    """

    name: str
    meaning: str
    source: str
    inputs: Mapping[str, str]
    make: Callable[..., Task]
    options: tuple[Option, ...] = field(default=())
    cell: str = ""
    solved: str = ""

    def build(self, settings: Settings, **options: Any) -> Task:
        """The task with these options; those that are not given have their defaults.

        Raises:
            UsageError: there is no such option, or it cannot have that value; the data are missing or malformed.
        """
        return self.make(settings, **self.values(**options))

    def values(self, **options: Any) -> dict[str, Any]:
        """All options of a task, with these and with defaults.

        Raises:
            UsageError: there is no such option, or it cannot have that value.
        """
        known = {option.name: option for option in self.options}
        for name in options:
            if name not in known:
                has = f"it has {', '.join(known)}" if known else "it has none"
                raise UsageError(f"the task {self.name} has no option {name}; {has}{nearest_hint(name, known)}")
        defaults = {name: option.default for name, option in known.items()}
        return {**defaults, **{name: known[name].taken(value, self.name) for name, value in options.items()}}


STEPS = Option("steps", 100, "updates of an epoch", 1)
HELD = Option("held", 1000, "sequences each to validate and to test on", 1)
PIECES = Option("chunk", 0, "the most steps of a training sequence; longer ones are cut; 0: never", 0)
ENOUGH = Option("held", 0, f"{HELD.meaning}; 0 for as many as its verdict needs", 0)
