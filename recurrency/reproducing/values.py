"""The values that tables of a study compare: how each is read from a run.

To add one, write a function and a row of `VALUES` (CONTRIBUTING.md, "Add a value").
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from recurrency.errors import UsageError, nearest_hint
from recurrency.training.loop.progress import INTERRUPTED
from recurrency.training.runs.folders import METRICS
from recurrency.training.runs.metrics import read_metrics


class Reading(NamedTuple):
    """A value of a run; `words` say more, `detail` is for pictures: plain data as JSON has them."""

    value: float
    words: str = ""
    detail: Any = None


@dataclass(frozen=True)
class Run:
    """The folder of a run that has ended, and its metrics."""

    folder: Path
    lines: tuple[Mapping[str, Any], ...]

    @classmethod
    def at(cls, folder: Path) -> Run:
        """The run in a folder, finished or not."""
        return cls(folder, tuple(read_metrics(folder / METRICS)))

    @property
    def end(self) -> Mapping[str, Any]:
        """The last line of the metrics, if training has ended or was interrupted; else an empty one."""
        return self.lines[-1] if self.lines and self.lines[-1].get("event") == "end" else {}

    @property
    def finished(self) -> bool:
        """Whether training has ended by itself."""
        return bool(self.end) and self.end.get("stopped") != INTERRUPTED

    @property
    def epochs(self) -> list[Mapping[str, Any]]:
        """The lines of the epochs."""
        return [line for line in self.lines if line.get("event") == "epoch"]

    @property
    def score(self) -> float:
        """What rates are compared by: the best validation loss, else the last training loss; infinite without one."""
        best = _number(self.end.get("best_valid"))
        if best is not None:
            return best
        losses = [_number(line["valid"]) for line in self.epochs]
        known = [loss for loss in losses if loss is not None]
        if known:
            return min(known)
        last = _number(self.epochs[-1]["train"]) if self.epochs else None
        return math.inf if last is None else last

    @property
    def seconds(self) -> float:
        """The time of training, over all interruptions."""
        in_epochs = sum(_number(line.get("seconds")) or 0.0 for line in self.epochs)
        return max(_number(self.end.get("seconds")) or 0.0, in_epochs)

    @property
    def updates(self) -> int:
        """The number of updates so far."""
        return max((int(line["step"]) for line in self.lines if isinstance(line.get("step"), int)), default=0)

    @property
    def best_updates(self) -> int | None:
        """The number of updates after the epoch with the best validation loss."""
        best = self.end.get("best_epoch")
        return next((line["step"] for line in self.epochs if line.get("epoch") == best), None)


@dataclass(frozen=True)
class Value:
    """A row of the table of values.

    `read(run, **options)` returns the value of a run, or None if the run has none. `options` are the keys of `with` in
    a study, with their defaults. `of_loss` turns a loss into this value, where that is possible: curves are then drawn
    beside the published numbers. A value that is not `quick` needs the model of the run; it is computed once, in the
    process that trained it, and stored in `values.json`.
    """

    name: str
    meaning: str
    read: Callable[..., Reading | None]
    less: bool = True
    """Whether less is better."""
    options: Mapping[str, Any] = field(default_factory=dict)
    of_loss: Callable[[float], float] | None = None
    quick: bool = True
    form: str = ".4g"

    def taken(self, given: Mapping[str, Any], where: str) -> dict[str, Any]:
        """All options, with those given.

        Raises:
            UsageError: there is no such option, or it has another type than the default.
        """
        for key, value in given.items():
            if key not in self.options:
                has = f"it has {', '.join(self.options)}" if self.options else "it has none"
                raise UsageError(
                    f"{where}: the value {self.name} has no option {key}; {has}{nearest_hint(key, self.options)}"
                )
            if type(value) is not type(self.options[key]):
                raise UsageError(f"{where}: {key} must be like {self.options[key]!r}, not {value!r}")
        return {**self.options, **given}


def _number(found: Any) -> float | None:
    """A finite number, or None."""
    if isinstance(found, bool) or not isinstance(found, int | float) or not math.isfinite(found):
        return None
    return float(found)


def _of_end(key: str, change: Callable[[float], float] = float) -> Callable[[Run], Reading | None]:
    """A number of the last line of the metrics."""

    def read(run: Run) -> Reading | None:
        found = _number(run.end.get(key))
        return None if found is None else Reading(change(found))

    return read


def _solved(run: Run) -> Reading | None:
    verdict = run.end.get("verdict")
    if not isinstance(verdict, str) or "solved" not in verdict:
        return None
    solved = verdict.endswith("(solved)")
    words = verdict.partition(" (solved")[0]
    return Reading(float(solved), f"{words}, after {run.best_updates} updates" if solved else words)


def _total(run: Run) -> Reading | None:
    found = _number(run.epochs[-1].get("total")) if run.epochs else None
    return None if found is None else Reading(found)


def _bits(loss: float) -> float:
    return loss / math.log(2)


def _perplexity(loss: float) -> float:
    return math.exp(min(loss, 700.0))


def _same(loss: float) -> float:
    return loss


_ROWS = (
    Value("test", "loss on the test data", _of_end("test"), of_loss=_same),
    Value("valid", "best loss on the validation data", _of_end("best_valid"), of_loss=_same),
    Value("bits", "loss on the test data in bits", _of_end("test", _bits), of_loss=_bits),
    Value("perplexity", "exponential of the loss on the test data", _of_end("test", _perplexity), of_loss=_perplexity),
    Value("measured", "the task's own measure on the test data", _of_end("measured")),
    Value(
        "accuracy",
        "percent that the task's measure counts as right",
        _of_end("measured", lambda m: 100 * (1 - m)),
        less=False,
    ),
    Value("solved", "1 if the task counts as solved, else 0", _solved, less=False, form=".2g"),
    Value("total", "sum of the losses of the last epoch, each before its update", _total),
)

VALUES: Mapping[str, Value] = {value.name: value for value in _ROWS}
"""The table of values."""


def value_named(name: str, where: str) -> Value:
    """A value by its name.

    Raises:
        UsageError: there is none.
    """
    if name not in VALUES:
        raise UsageError(
            f"{where}: there is no value {name}; there are {', '.join(VALUES)}{nearest_hint(name, VALUES)}"
        )
    return VALUES[name]
