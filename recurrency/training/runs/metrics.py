"""Metrics of a run: a file of JSON lines, and a plot of the losses."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from recurrency.disk import figures
from recurrency.disk.files import write_whole
from recurrency.errors import UsageError
from recurrency.training.loop.progress import Epoch, Facts, History, Options, Silent
from recurrency.training.loop.snapshots import Snapshot
from recurrency.training.tasks import Task


class Metrics(Silent):
    """Writes `{"event": "update", "step", "epoch", "loss", ...}` for every k-th update, and a line for each epoch.

    An existing file is continued: lines after the snapshot from which training is resumed are removed first.
    """

    def __init__(self, path: Path, every: int = 100, resume: Snapshot | None = None) -> None:
        self.path, self.every, self.last = path, every, 0 if resume is None else resume.step
        kept = [line for line in read_metrics(path) if resume is not None and _before(line, resume)]
        write_whole(path, "".join(json.dumps(line) + "\n" for line in kept))
        self._file = self.path.open("a", encoding="utf-8")

    def _write(self, **facts: Any) -> None:
        try:
            self._file.write(json.dumps(facts) + "\n")
            self._file.flush()
        except OSError as error:
            raise UsageError(f"{self.path} can't be written: {error.strerror or error}") from error

    def step(self, epoch: int, step: int, loss: float, facts: Facts) -> None:
        """Writes a line, if it is one for this update."""
        self.last = step
        if step % self.every == 0:
            self._write(event="update", step=step, epoch=epoch, loss=loss, **facts)

    def epoch(self, record: Epoch) -> None:
        """Writes the line of the epoch."""
        facts = dataclasses.asdict(record)
        facts |= facts.pop("facts")
        self._write(event="epoch", epoch=facts.pop("number"), step=self.last, updates=facts.pop("steps"), **facts)

    def end(self, history: History) -> None:
        """Writes the outcome."""
        facts: dict[str, Any] = {
            "best_epoch": history.best_epoch,
            "best_valid": history.best_valid,
            "test": history.test,
        }
        facts |= (
            {}
            if history.measured is None
            else {
                "measured": history.measured,
                "judged": history.judged,
                "verdict": history.verdict,
            }
        )
        facts |= {} if history.solved is None else {"solved": history.solved}
        self._write(event="end", step=self.last, stopped=history.stopped, seconds=history.seconds, **facts)

    def close(self) -> None:
        """Closes the file."""
        self._file.close()


def _before(line: Mapping[str, Any], resume: Snapshot) -> bool:
    """Whether a line is from before a snapshot."""
    if line.get("event") == "epoch":
        return type(line.get("epoch")) is int and line["epoch"] < resume.epoch
    return line.get("event") == "update" and bool(line["step"] <= resume.step)


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """The lines of a file of metrics; damaged ones, which a killed process leaves, are skipped."""
    if not path.exists():
        return []
    out = []
    for text in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            line = json.loads(text)
        except (ValueError, RecursionError):
            continue
        if isinstance(line, dict) and _complete(line):
            out.append(line)
    return out


NUMBER, WHOLE = (int, float), (int,)
NEEDED: Mapping[str, Mapping[str, tuple[type, ...]]] = {
    "update": {"step": WHOLE},
    "epoch": {"step": WHOLE, "train": NUMBER, "valid": (*NUMBER, type(None))},
    "end": {},
}
"""The required keys of each kind of line."""


def _complete(line: Mapping[str, Any]) -> bool:
    """Whether a line has all required keys of its kind."""
    needed = NEEDED.get(str(line.get("event")))
    return needed is not None and all(type(line.get(name, "")) in kinds for name, kinds in needed.items())


class Several(Silent):
    """Passes progress to several reporters."""

    def __init__(self, *reporters: Any) -> None:
        self.reporters = reporters

    def begin(self, task: Task, options: Options) -> None:
        """Tells all."""
        for reporter in self.reporters:
            reporter.begin(task, options)

    def step(self, epoch: int, step: int, loss: float, facts: Facts) -> None:
        """Tells all."""
        for reporter in self.reporters:
            reporter.step(epoch, step, loss, facts)

    def epoch(self, record: Epoch) -> None:
        """Tells all."""
        for reporter in self.reporters:
            reporter.epoch(record)

    def end(self, history: History) -> None:
        """Tells all."""
        for reporter in self.reporters:
            reporter.end(history)

    def close(self) -> None:
        """Tells all."""
        for reporter in self.reporters:
            reporter.close()


# ---------------------------------------------------------------------------------------------------------- pictures


def draw_losses(runs: Mapping[str, Sequence[Mapping[str, Any]]], path: str | Path, log: bool = False) -> None:
    """Draw losses over updates, as a PNG (or what the suffix says): training and validation of one run, or the
    validation loss (else the training loss) of each of several.

    Raises:
        UsageError: matplotlib is missing, the suffix is that of no picture, or the file can't be written.
    """
    figure = figures.figure("the losses", 7, 4)
    axes = figure.subplots()
    for number, (name, lines) in enumerate(runs.items()):
        for kind, points in _curves(lines, alone=len(runs) == 1).items():
            thin = kind == "train" and len(runs) == 1
            label = {"train": "training", "valid": "validation"}[kind] if len(runs) == 1 else name
            style: dict[str, Any] = {"alpha": 0.45, "lw": 1} if thin else {"lw": 1.8}
            axes.plot(*zip(*points, strict=True), f"C{number}", label=label, **style)
    axes.set(
        xlabel="updates", ylabel="loss" if len(runs) == 1 else "validation loss", yscale="log" if log else "linear"
    )
    figures.unframed(axes)
    if axes.lines:
        axes.legend(frameon=False)
    figures.save(figure, path)


def _curves(lines: Sequence[Mapping[str, Any]], alone: bool) -> dict[str, list[tuple[int, float]]]:
    """The points (update, loss) of a run, by which loss it is."""
    epochs = [line for line in lines if line.get("event") == "epoch"]
    found = {k: [(line["step"], line[k]) for line in epochs if line[k] is not None] for k in ("train", "valid")}
    found = {kind: points for kind, points in found.items() if points}
    return found if alone else dict(list(found.items())[-1:])
