"""A run folder: the spec, the options, the metrics, and a checkpoint from which it can be resumed.

run.toml                        the experiment with every option, and the versions it was started with
facts.json                      facts about the data: symbols, scales
spec/                           the text of the spec and of all that it uses
metrics.jsonl                   a line per epoch, and per k-th update
checkpoint.safetensors          the whole state of training; checkpoint.previous.safetensors the one before
start.safetensors               the parameters it started from, if they were those of a file
best.safetensors                the best parameters, written when training ends or is interrupted
loss.png                        the losses over time
.begun                          there until run.toml is written: an interrupted run began here, and may begin anew
"""

from __future__ import annotations

import contextlib
import difflib
import json
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from recurrency.disk.files import sweep, write_whole
from recurrency.disk.locks import LOCK, locked
from recurrency.disk.toml import read_tables
from recurrency.errors import UsageError
from recurrency.language.given_files import is_cell
from recurrency.language.sources import library_index, read_source
from recurrency.model.spec import Spec, load
from recurrency.training.loop.progress import DONE, INTERRUPTED
from recurrency.training.loop.snapshots import Snapshot, read, write
from recurrency.training.runs.arrays import kept
from recurrency.training.runs.experiments import BEST as BEST
from recurrency.training.runs.experiments import KEPT
from recurrency.training.runs.facts_schema import wrong_fact
from recurrency.training.runs.metrics import read_metrics
from recurrency.training.runs.weights import read_about

RUN, METRICS, CURVE, START = f"{KEPT}.toml", "metrics.jsonl", "loss.png", "start.safetensors"
HEAD = "# A run of recurrency. `recurrency train` with this folder goes on with it; when it is done, repeats it.\n\n"
FACTS = "facts.json"
CHECKPOINT, PREVIOUS = "checkpoint.safetensors", "checkpoint.previous.safetensors"
BESIDE = "checkpoint.new.safetensors"
BEGUN = ".begun"
WRITTEN = (RUN, METRICS, BEST, CURVE, FACTS, START, CHECKPOINT, PREVIOUS, BESIDE)
SPEC = "spec"
"""The folder of the spec and of all that it uses."""
CELLS = "cells"
"""The folder below `spec/` with your own cells in the place of those that the spec names, by dimension."""
LIBRARY = "library"
"""The folder below `spec/` with the shipped files that are used, to detect changes."""


def has_ended(lines: Sequence[Mapping[str, Any]]) -> bool:
    """Whether training has ended by itself, by the lines of its metrics."""
    return bool(lines) and lines[-1].get("event") == "end" and lines[-1].get("stopped") != INTERRUPTED


class RunFolder:
    """The files of one run; `every` is the number of seconds between two checkpoints."""

    def __init__(self, path: Path, every: float = 30.0) -> None:
        self.path, self.every = path, every
        self._written = time.monotonic()

    def __truediv__(self, name: str) -> Path:
        return self.path / name

    @property
    def exists(self) -> bool:
        """Whether a run was started here."""
        return (self / RUN).is_file()

    @property
    def finished(self) -> bool:
        """Whether the run has ended by itself."""
        return has_ended(read_metrics(self / METRICS))

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other processes from writing here, and remove unfinished files of killed ones.

        Raises:
            UsageError: another one does.
        """
        with locked(self.path, "is training"):
            sweep(self.path, WRITTEN)
            if self.exists:
                (self / BEGUN).unlink(missing_ok=True)
            yield

    def create(self) -> None:
        """Make the folder.

        Raises:
            UsageError: there is something else.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(f"the run folder {self.path} can't be made: {error.strerror or error}") from error
        there = {path.name for path in self.path.iterdir()}
        if not self.exists and BEGUN not in there and there - {LOCK}:
            raise UsageError(f"{self.path} is not empty and holds no run; name a new folder")

    @contextlib.contextmanager
    def beginning(self) -> Iterator[None]:
        """Around all that is written before and with run.toml; what an interrupted run left of it is removed."""
        spec = self / SPEC
        if (self / BEGUN).exists():
            for path in (spec, self / START):
                if path.is_dir() and not path.is_symlink():
                    shutil.rmtree(path)
                else:
                    path.unlink(missing_ok=True)
        (self / BEGUN).touch()
        yield
        (self / BEGUN).unlink()

    # ------------------------------------------------------------------------------------------------------ the spec

    def write_spec(self, spec: Spec, cells: Mapping[str, object]) -> str:
        """Copy the spec and all that it uses; returns the name that loads it from here."""
        texts, main = _texts(spec, cells)
        for name, text in texts.items():
            target = self.path / SPEC / name
            target.parent.mkdir(parents=True, exist_ok=True)
            write_whole(target, text)
        return f"{SPEC}/{main}:{spec.name}"

    def copied(self, dimensions: Mapping[str, Any]) -> dict[str, Any]:
        """The dimensions with the names of copied cells and arrays; arrays are written here, cells by `write_spec`."""
        cells = {name: spec for name, value in dimensions.items() if (spec := _own_cell(value)) is not None}
        named = {name: f"{SPEC}/{CELLS}/{name}/{_texts(spec, {})[1]}:{spec.name}" for name, spec in cells.items()}
        return {**kept(self.path, dimensions), **named}

    def changed_spec(self, spec: Spec, cells: Mapping[str, object]) -> str:
        """A unified diff of the spec against the one of the run; "" if they are equal."""
        texts, _ = _texts(spec, cells)
        folder = self.path / SPEC
        kept = {str(p.relative_to(folder)): read_source(p).text for p in folder.rglob("*.rnn")}
        return _difference(kept, texts)

    def extend(self, epochs: int) -> None:
        """Let a run go on to so many epochs.

        Raises:
            UsageError: it has had so many already, or ended for another reason than their number.
        """
        import tomli_w

        with self.locked():
            lines = read_metrics(self / METRICS)
            done = sum(line.get("event") == "epoch" for line in lines)
            if has_ended(lines) and lines[-1].get("stopped") != DONE:
                raise UsageError(f"{self.path} has ended: {lines[-1].get('stopped')}; more epochs do not change that")
            if epochs <= done:
                raise UsageError(f"{self.path} has had {done} epochs; name a larger number to go on")
            tables = read_tables(self / RUN)
            tables["training"] = {**tables.get("training", {}), "epochs": epochs}
            head = (self / RUN).read_text(encoding="utf-8").partition("\n\n")[0]
            write_whole(
                self / RUN, f"{head}\n\n{tomli_w.dumps(tables)}" if head.startswith("#") else tomli_w.dumps(tables)
            )

    # --------------------------------------------------------------------------------------------------- the data

    def keep_facts(self, facts: Mapping[str, Any]) -> None:
        """Write the facts about the data, if the file does not exist yet."""
        if not (self / FACTS).exists():
            write_whole(self / FACTS, json.dumps(facts, ensure_ascii=False) + "\n")

    def facts(self) -> dict[str, Any] | None:
        """The facts about the data; None if they were not written.

        Raises:
            UsageError: the file can't be read, or holds something else.
        """
        path = self / FACTS
        if not path.exists():
            return None
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError) as error:
            raise UsageError(f"{path} can't be read: {error}; remove it, and it is made again of the data") from error
        if not isinstance(found, dict):
            raise UsageError(f"{path} holds no table; remove it, and it is made again of the data")
        if wrong := wrong_fact(found):
            raise UsageError(f"{path}: {wrong}; remove it, and it is made again of the data")
        return found

    # ----------------------------------------------------------------------------------------------- the checkpoint

    def save(self, snapshot: Callable[[], Snapshot], needed: bool) -> None:
        """Write a checkpoint if it is time for one; see `recurrency.training.loop.loop.Save`."""
        if needed or time.monotonic() - self._written >= self.every:
            self.write_checkpoint(snapshot())
            self._written = time.monotonic()

    def write_checkpoint(self, snapshot: Snapshot) -> None:
        """Write a checkpoint; the previous one is kept.

        Raises:
            UsageError: it can't be written; the previous one is intact.
        """
        beside = self / BESIDE
        try:
            write(beside, snapshot, {})
        except UsageError as error:
            raise UsageError(f"{error}; the checkpoint before is kept, and training can go on from it") from error
        if (self / CHECKPOINT).exists():
            (self / CHECKPOINT).replace(self / PREVIOUS)
        beside.replace(self / CHECKPOINT)

    def checkpoint(self, tell: Callable[[str], None]) -> Snapshot | None:
        """The last checkpoint that can be read; None if there is none yet.

        Raises:
            UsageError: there are some, and none can be read.
        """
        there = [self / name for name in (CHECKPOINT, PREVIOUS) if (self / name).exists()]
        told = []
        for path in there:
            try:
                return read(path)
            except UsageError as error:
                told.append(str(error))
                tell(f"{error}; trying the one before")
        if told:
            raise UsageError(f"no checkpoint of {self.path} can be read; start anew in another folder with --run")
        return None


def started(path: str | Path) -> RunFolder:
    """The folder of a run.

    Raises:
        UsageError: there is no run.
    """
    folder = RunFolder(Path(path))
    if not folder.exists:
        why = "its run was interrupted before it began" if (folder / BEGUN).exists() else f"no {RUN} in it"
        raise UsageError(f"{path} holds no run ({why}); `recurrency train WHAT --run {path}` makes one")
    return folder


def best_file(path: str | Path) -> Path:
    """The file of the best parameters of a run.

    Raises:
        UsageError: there is no run, or none of its epochs has ended and been written.
    """
    best = started(path) / BEST
    if not best.exists() or int(read_about(best).get("epoch", 0)) < 0:
        raise UsageError(f"{path} has no best parameters yet; they are written when training ends or is interrupted")
    return best


def _own_cell(value: object) -> Spec | None:
    """The spec that is the value of a dimension, or that it names by a path."""
    if isinstance(value, Spec):
        return value
    return load(str(value)) if is_cell(value) else None


def _texts(spec: Spec, cells: Mapping[str, object]) -> tuple[dict[str, str], str]:
    """All texts that a spec uses, by their path in the folder `spec/`, and the path of its own text.

    `cells` are the dimensions it is compiled for, of which some may name shipped cells.
    """
    shipped = set(library_index().values())
    own = spec.definition.module
    folder = own.path.parent if own.path is not None else Path()
    out: dict[str, str] = {}
    later, seen = [own], set[int]()
    for name, value in cells.items():
        if isinstance(value, str) and value in library_index():
            path = library_index()[value]
            out[f"{LIBRARY}/{path.name}"] = path.read_text(encoding="utf-8")
        elif (own_cell := _own_cell(value)) is not None:
            texts, _ = _texts(own_cell, {})
            out |= {f"{CELLS}/{name}/{path}": text for path, text in texts.items()}
    while later:
        module = later.pop()
        if id(module) in seen:
            continue
        seen.add(id(module))
        later += [cell.module for cell in module.cells.values()]
        origin, text = module.path, module.file.source.text
        if origin is None:
            out["spec.rnn"] = text
        elif origin in shipped and module is not own:
            out[f"{LIBRARY}/{origin.name}"] = text
        else:
            out[str(origin.relative_to(folder))] = text
    main = own.path.name if own.path is not None else "spec.rnn"
    return out, main


def _difference(kept: Mapping[str, str], now: Mapping[str, str]) -> str:
    lines: list[str] = []
    for name in sorted({*kept, *now}):
        one, other = kept.get(name, ""), now.get(name, "")
        lines += difflib.unified_diff(one.splitlines(), other.splitlines(), f"the run's {name}", name, lineterm="", n=1)
    return "\n".join(lines)
