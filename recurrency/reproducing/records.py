"""The record of a job: how it ended, and where and with what it was measured. One small JSON file for each."""

from __future__ import annotations

import dataclasses
import json
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeAlias, get_args, get_type_hints

from recurrency.disk.files import write_whole
from recurrency.reproducing.readings import Reading

State: TypeAlias = Literal["finished", "limit", "diverged", "stopped", "failed"]
"""How a job ended: by itself, by its limit of minutes, in numbers that are not finite; it was stopped, or it failed.

The first three count as done. A job in the other two states is resumed by the next command."""
DONE = ("finished", "limit", "diverged")

MOST_BYTES = 1 << 20
"""The largest file that is read."""


@dataclass(frozen=True)
class Record:
    """How one job ended.

    `name` is that of its run folder, `epochs` the number of those that ended, of `epochs_planned`. `seconds`
    is the time of training over all interruptions, `beside` the number of processes that this command ran at the same
    time, `source` the commit.
    """

    key: str
    study: str
    name: str
    seed: int
    rate: float | None
    state: State
    reason: str
    epochs: int
    epochs_planned: int
    updates: int
    seconds: float
    limit: float | None
    backend: str
    processor: str
    cores: int
    beside: int
    source: str
    date: str
    versions: dict[str, str] = field(default_factory=dict)

    @property
    def done(self) -> bool:
        """Whether the job need not run again."""
        return self.state in DONE

    def write(self, path: Path) -> None:
        """Write the file.

        Raises:
            UsageError: it can't be written.
        """
        write_whole(path, json.dumps(dataclasses.asdict(self), indent=1, ensure_ascii=False) + "\n")


def read(path: Path) -> Record | None:
    """The record in a file; None if there is none, or it is damaged."""
    found = _json(path)
    hints = get_type_hints(Record)
    if not isinstance(found, dict) or set(found) != set(hints):
        return None
    if not all(_fits(found[name], hints[name]) for name in hints):
        return None
    return Record(**found)


def _fits(value: Any, wanted: Any) -> bool:
    if wanted == State:
        return value in get_args(State)
    if wanted == dict[str, str]:
        return isinstance(value, dict) and all(isinstance(text, str) for text in value.values())
    kinds = {str: (str,), int: (int,), float: (int, float)}.get(wanted, (int, float, type(None)))
    return type(value) in kinds and (not isinstance(value, float) or math.isfinite(value))


def _json(path: Path) -> Any:
    try:
        if path.stat().st_size > MOST_BYTES:
            return None
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None


# ----------------------------------------------------------------------------------------- values that need the model


def write_values(path: Path, values: dict[str, Reading]) -> None:
    """Write values beside the run that they are of.

    Raises:
        UsageError: the file can't be written.
    """
    tables = {key: reading._asdict() for key, reading in values.items()}
    write_whole(path, json.dumps(tables, ensure_ascii=False, allow_nan=False) + "\n")


def read_values(path: Path) -> dict[str, Reading]:
    """The values in a file; empty if there is none, and without damaged ones."""
    found = _json(path)
    out = {}
    for key, table in found.items() if isinstance(found, dict) else ():
        if not isinstance(table, dict) or set(table) != {"value", "words", "detail"}:
            continue
        if _fits(table["value"], float) and isinstance(table["words"], str):
            out[key] = Reading(float(table["value"]), table["words"], table["detail"])
    return out
