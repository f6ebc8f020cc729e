"""Progress reports: a line per epoch, a short log form, or a progress bar."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, TypeAlias

from recurrency.training.loop.loop import Epoch, Options, Reporter, Silent
from recurrency.training.loop.progress import Facts
from recurrency.training.loop.second_order import NEGATIVE
from recurrency.training.tasks import Task

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

Write: TypeAlias = Callable[[str], None]


def line(record: Epoch) -> str:
    """One epoch in one line."""
    valid = "" if record.valid is None else f"  valid {record.valid:.4f}"
    head = f"epoch {record.number:3d}  train {record.train:.4f}{valid}  |g| {record.norm:.3g}  {record.seconds:.1f} s"
    return "  ".join([head, *figures(record.facts)])


def figures(facts: Facts) -> list[str]:
    """The figures of the optimiser that a line shows, such as `lambda 0.0521`."""
    words = [
        f"{name} {'none' if (value := facts[name]) is None else f'{value:.{digits}g}'}"
        for name, digits in SHOWN
        if name in facts
    ]
    if facts.get(NEGATIVE):
        words.append(f"negative curvature by rounding in {facts[NEGATIVE]:.0f} updates (lambda was raised)")
    return words


SHOWN = (("measured", 3), ("inner", 3), ("lambda", 3), ("rho", 2), ("step", 2), ("minibatches", 6))
"""The figures, with their digits."""


class Lines(Silent):
    """Writes a line for every epoch."""

    def __init__(self, name: str, write: Write) -> None:
        self.name, self.write = name, write

    def epoch(self, record: Epoch) -> None:
        """Writes the line."""
        self.write(line(record))


class Readme(Lines):
    """Writes `[name epoch]`, a tab and the sum of the losses."""

    def epoch(self, record: Epoch) -> None:
        """Writes the line."""
        self.write(f"[{self.name} {record.number}]\t{record.total:.1f}")


class Bar(Silent):
    """A progress bar on standard error, with the last losses beside it."""

    interval = 0.1

    def __init__(self, name: str, write: Write) -> None:
        self.name, self.best = name, float("inf")
        self.progress: Progress | None = None
        self.id: TaskID | None = None
        self.drawn = 0.0

    def begin(self, task: Task, options: Options) -> None:
        """Draws the empty bar."""
        from rich.console import Console
        from rich.progress import Progress

        self.progress = Progress(console=Console(file=sys.stderr), transient=True)
        self.id = self.progress.add_task(self.name, total=task.steps * options.epochs)
        self.progress.start()

    def step(self, epoch: int, step: int, loss: float, facts: Facts) -> None:
        """Moves the bar, a few times per second."""
        now = time.monotonic()
        if self.progress is not None and self.id is not None and now - self.drawn > self.interval:
            self.drawn = now
            self.progress.update(self.id, completed=step)

    def epoch(self, record: Epoch) -> None:
        """Shows the losses of the epoch and the best one so far."""
        if self.progress is None or self.id is None:
            return
        text = f"{self.name} epoch {record.number} train {record.train:.3f}"
        if record.valid is not None:
            self.best = min(self.best, record.valid)
            text += f" valid {record.valid:.3f} best {self.best:.3f}"
        text = " ".join([text, *figures(record.facts)])
        self.progress.update(self.id, description=text)

    def close(self) -> None:
        """Takes the bar away."""
        if self.progress is not None:
            self.progress.stop()
            self.progress = None


class _Quiet(Silent):
    def __init__(self, name: str, write: Write) -> None:
        """Takes what the others take."""


REPORTERS: Mapping[str, Callable[[str, Write], Reporter]] = {
    "bar": Bar,
    "lines": Lines,
    "readme": Readme,
    "quiet": _Quiet,
}
