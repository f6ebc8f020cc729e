"""The state of a training run between two updates, and its file: written whole, checked when it is read."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from recurrency.disk.files import write_whole
from recurrency.errors import UsageError
from recurrency.training.loop.optimisers import Vector
from recurrency.training.loop.progress import Epoch, Facts, History
from recurrency.training.loop.weighing import ByKind, Part, added, weighed

FORMAT = "3"


@dataclass(frozen=True)
class Sums:
    """The sums over the current epoch.

    `weighed` are losses times `weights`, what batches have of each kind of loss line; `lengths` those of gradients,
    and `longest` the greatest of them.
    `rate` and `facts` are those of the last update.
    """

    batches: int = 0
    steps: int = 0
    sequences: int = 0
    weighed: ByKind = field(default_factory=dict)
    weights: ByKind = field(default_factory=dict)
    lengths: float = 0.0
    rate: float = 0.0
    facts: Facts = field(default_factory=dict)
    longest: float = 0.0

    def plus(self, parts: Sequence[Part], length: float, rate: float, facts: Facts) -> Sums:
        """The sums after one more update."""
        sums, weights = self.weighed, self.weights
        for part in parts:
            sums, weights = added(sums, weighed(part)), added(weights, part.counts)
        sequences = self.sequences + sum(part.sequences for part in parts)
        steps, lengths = self.steps + 1, self.lengths + length
        longest = max(self.longest, length)
        return Sums(self.batches + len(parts), steps, sequences, sums, weights, lengths, rate, facts, longest)


@dataclass(frozen=True)
class Snapshot:
    """Parameters, the optimiser's state and rate, states passed between batches, counts, sums, and the random state.

    `epoch` is the current one, of which `sums.batches` batches are done; `drawn` is the state of the generator at its
    start.
    """

    params: Vector
    slots: Mapping[str, Vector]
    carried: Mapping[str, Any]
    rate: float
    epoch: int
    step: int
    batches: int
    sums: Sums
    drawn: Mapping[str, Any]
    history: History = field(default_factory=History)

    def arrays(self) -> dict[str, Any]:
        """All arrays by name."""
        out = {"params": self.params, "best": self.history.params}
        out |= {f"slot:{name}": slot for name, slot in self.slots.items()}
        return out | {f"carried:{name}": np.asarray(state) for name, state in self.carried.items()}

    def words(self) -> dict[str, Any]:
        """Everything else."""
        history = {f.name: getattr(self.history, f.name) for f in dataclasses.fields(History)}
        history |= {"params": None, "epochs": [dataclasses.astuple(e) for e in self.history.epochs]}
        return {
            "rate": self.rate,
            "epoch": self.epoch,
            "step": self.step,
            "batches": self.batches,
            "sums": dataclasses.astuple(self.sums),
            "drawn": dict(self.drawn),
            "history": history,
        }


def write(path: Path, snapshot: Snapshot, about: Mapping[str, str]) -> None:
    """Write a snapshot as a safetensors file, with a check sum.

    Raises:
        UsageError: the file can't be written; the previous file is intact.
    """
    from safetensors.numpy import save

    arrays = {name: np.ascontiguousarray(array) for name, array in snapshot.arrays().items()}
    words = json.dumps(snapshot.words())
    metadata = {**about, "format": FORMAT, "snapshot": words, "sum": _sum(arrays, words)}
    write_whole(path, save(arrays, metadata=metadata))


def read(path: Path) -> Snapshot:
    """The snapshot in a file.

    Raises:
        UsageError: it can't be read, or is not what was written.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "np") as file:
            metadata = file.metadata() or {}
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no mapping
    except (OSError, SafetensorError) as error:
        raise UsageError(f"cannot read the checkpoint {path}: {error}") from error
    try:
        if metadata["format"] != FORMAT or _sum(arrays, metadata["snapshot"]) != metadata["sum"]:
            raise ValueError(f"no snapshot of the format {FORMAT}")
        return _snapshot(arrays, json.loads(metadata["snapshot"]))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        text = f"{path} is no checkpoint of this version, or was changed after it was written"
        raise UsageError(text) from error


def _snapshot(arrays: Mapping[str, Any], words: dict[str, Any]) -> Snapshot:
    history = {**words.pop("history"), "params": arrays["best"]}
    history["epochs"] = [Epoch(*values) for values in history["epochs"]]
    return Snapshot(
        params=arrays["params"],
        slots=_part(arrays, "slot:"),
        carried=_part(arrays, "carried:"),
        history=History(**history),
        sums=Sums(*words.pop("sums")),
        **words,
    )


def _part(arrays: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}


def _sum(arrays: Mapping[str, Any], words: str) -> str:
    digest = hashlib.sha256(words.encode())
    for name in sorted(arrays):
        digest.update(f"{name} {arrays[name].dtype} {arrays[name].shape}".encode())
        digest.update(arrays[name].tobytes())
    return digest.hexdigest()
