"""The report of `verify`: a row for each spec and backend, and the details of each difference."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from recurrency.testing.case import Case
from recurrency.testing.compare import Comparison, Difference

RULES = "gradient rules"
"""The row of the interpreter's derivatives, which are compared with finite differences."""


@dataclass(frozen=True)
class Finding:
    """A difference, with the smallest case found.

    `first` is the stream that differs first, in the order of steps, where one does; `guilty` names the pass or op.
    """

    spec: str
    backend: str
    case: Case
    difference: Difference
    first: Difference | None
    guilty: str
    file: str | None = None

    def __str__(self) -> str:
        lines = [f"{self.spec}, {self.backend}: {self.difference}"]
        lines += [f"  first    {self.first}"] if self.first is not None else []
        lines += [f"  guilty   {self.guilty}", f"  smallest {self.case}"]
        return "\n".join(lines + ([f"  again    python {self.file}"] if self.file else []))

    def as_json(self) -> dict[str, Any]:
        """Plain data."""
        one = self.difference
        return {
            "difference": str(one),
            "kind": one.kind,
            "result": one.result,
            "dtype": one.dtype,
            "place": dict(zip(one.axes, one.place, strict=False)),
            "found": _number(one.found),
            "wanted": _number(one.wanted),
            "bound": _number(one.bound),
            "first": None if self.first is None else str(self.first),
            "guilty": self.guilty,
            "case": repr(self.case),
            "file": self.file,
        }


@dataclass
class Row:
    """One spec on one backend."""

    spec: str
    backend: str
    examples: int = 0
    compared: int = 0
    """The number of elements compared with a finite bound."""
    greatest: float = 0.0
    """The greatest error, relative to its bound."""
    conditioned: int = 0
    """Examples with ill-conditioned results, which only the second bound accepts."""
    finding: Finding | None = None
    refused: str = ""
    """Why the backend can't compute the spec at all ("" where it can)."""

    @property
    def verdict(self) -> str:
        """The verdict in a few words."""
        if self.refused:
            return f"left out: {self.refused}"
        if self.finding is not None:
            return f"differs: {self.finding.guilty.split(', line')[0]}"
        if not self.examples:
            return "not compared"
        return f"equal ({self.conditioned} ill-conditioned)" if self.conditioned else "equal"

    def add(self, one: Comparison) -> None:
        """Count an example."""
        self.examples += 1
        self.compared += one.compared
        self.conditioned += bool(one.conditioned)
        self.greatest = max(self.greatest, one.greatest)

    def as_json(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "spec": self.spec,
            "backend": self.backend,
            "examples": self.examples,
            "compared": self.compared,
            "greatest": _number(self.greatest),
            "ill_conditioned": self.conditioned,
            "verdict": "left out" if self.refused else "equal" if self.finding is None else "differs",
            "refused": self.refused,
            "finding": None if self.finding is None else self.finding.as_json(),
        }


@dataclass
class Report:
    """All rows; `skipped` are the backends that can't run here, with the reason.

    `limited` are the backends that were compared in some kinds of calls only, with what was left out.
    """

    rows: list[Row] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)
    limited: dict[str, str] = field(default_factory=dict)
    examples: int = 0
    seed: int = 0
    seconds: float = 0.0

    @property
    def findings(self) -> list[Finding]:
        """All differences."""
        return [row.finding for row in self.rows if row.finding is not None]

    @property
    def ok(self) -> bool:
        """Whether nothing differs."""
        return not self.findings

    def __str__(self) -> str:
        """A line for each spec and backend, and the details of each difference."""
        lines = [f"{row.spec}, {row.backend}: {row.verdict}" for row in self.rows]
        return "\n".join([*lines, *map(str, self.findings)])

    def as_json(self) -> dict[str, Any]:
        """The report as JSON has it."""
        return {
            "ok": self.ok,
            "examples": self.examples,
            "seed": self.seed,
            "seconds": round(self.seconds, 1),
            "skipped": self.skipped,
            "limited": self.limited,
            "rows": [row.as_json() for row in self.rows],
        }


def _number(value: float) -> float | str:
    """A number, or its name if JSON has none such."""
    return value if math.isfinite(value) else str(value)
