"""What a value of a run is: how it is read, and the run that it is read from."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from recurrency.errors import UsageError, nearest_hint
from recurrency.reproducing.fields import Fields
from recurrency.training.runs.folders import METRICS, has_ended
from recurrency.training.runs.metrics import read_metrics


def number(found: Any) -> float | None:
    """A finite number, or None."""
    if isinstance(found, bool) or not isinstance(found, int | float) or not math.isfinite(found):
        return None
    return float(found)


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
        return has_ended(self.lines)

    @property
    def epochs(self) -> list[Mapping[str, Any]]:
        """The lines of the epochs."""
        return [line for line in self.lines if line.get("event") == "epoch"]

    @property
    def score(self) -> float:
        """What rates are compared by: the best validation loss, else the last training loss; infinite without one."""
        best = number(self.end.get("best_valid"))
        if best is not None:
            return best
        losses = [number(line["valid"]) for line in self.epochs]
        known = [loss for loss in losses if loss is not None]
        if known:
            return min(known)
        last = number(self.epochs[-1]["train"]) if self.epochs else None
        return math.inf if last is None else last

    @property
    def seconds(self) -> float:
        """The time of training, over all interruptions."""
        in_epochs = sum(number(line.get("seconds")) or 0.0 for line in self.epochs)
        return max(number(self.end.get("seconds")) or 0.0, in_epochs)

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
        for key in given:
            if key not in self.options:
                has = f"it has {', '.join(self.options)}" if self.options else "it has none"
                raise UsageError(
                    f"{where}: the value {self.name} has no option {key}; {has}{nearest_hint(key, self.options)}"
                )
        return Fields(given, where).like(self.options)
