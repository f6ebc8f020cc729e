"""The cause of a difference: a pass that can be switched off, or the first operation with a wrong value."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from recurrency.backend import Backend, find
from recurrency.graph.graph import Node
from recurrency.model.graphs import SWITCHES
from recurrency.passes import PASSES
from recurrency.program.schedule import PIECES
from recurrency.testing.bench import bench
from recurrency.testing.compare import Difference, compared
from recurrency.testing.verification.probes import first_wrong

if TYPE_CHECKING:
    from recurrency.model.spec import Spec
    from recurrency.testing.case import Case

STAGES = {
    **dict.fromkeys(PASSES, "pass"),
    "keep": "pass",
    **dict.fromkeys(sorted(PIECES, key=lambda s: (s != "views", s)), "schedule"),
}
"""Switch -> its stage, in the order in which they run; later ones build on views."""

MEMORY = PIECES - {"fuse", "sums"}
"""Switches that decide the placement of values; switching one off moves values, which may hide a fault by chance."""

NOBODY = "neither a pass nor a single operation: what plans the program, or writes it as a whole"
ENTRY = "what takes in the arrays of a call: it is right where nothing stands in their padding"
PADDING = "op valid, or what else puts nothing after the end of shorter sequences: where all are full it is right"


def guilty(spec: Spec, case: Case, backend: str | Backend, difference: Difference) -> str:
    """The cause of a difference: `pass pack`, `schedule reuse`, `op tanh, line 7 of x.rnn: h = tanh(x)`."""
    return _Trial(spec, case.of(difference.dtype), backend, difference.kind).guilty()


@dataclass
class _Trial:
    """One kind of call on one case, with parts of the compiler switched off."""

    spec: Spec
    case: Case
    backend: str | Backend
    kind: str

    def __post_init__(self) -> None:
        found = find(self.backend) if isinstance(self.backend, str) else self.backend
        self.stages = STAGES | dict.fromkeys(sorted(getattr(found, "switches", ())), found.name)

    def differs(self, without: Collection[str]) -> bool:
        """Whether the difference remains."""
        return bool(compared(self.spec, self.case, self.backend, [self.kind], without).differences)

    def guilty(self) -> str:
        """See the function of this name."""
        if self._is_right_where(self.case.clean()):
            return ENTRY
        switches, rest = self._guilty_switches()
        named = " and ".join(f"{self.stages[s]} {s}" for s in switches)
        if switches and not self._only_provoke(switches):
            return named
        node = first_wrong(bench(self.spec), self.case, self.kind, self.backend, SWITCHES & rest)
        if node is not None:
            return described(node)
        full = replace(self.case, lengths=None, mask=False)
        return named or (PADDING if self._is_right_where(full) else NOBODY)

    def _guilty_switches(self) -> tuple[list[str], set[str]]:
        """The switch that removes the difference, and alone causes it; and the switches with which it remains."""
        everything = set(self.stages)
        found = [s for s in self.stages if not self.differs({s})]
        hidden = {s: rest for s in found if (rest := self._hidden(s))}
        cures = [s for s in found if s not in hidden]
        if hidden and not cures:
            return [], next(iter(hidden.values()))
        for switch in cures:
            if self.differs(everything - {switch}):
                return [switch], everything - {switch}
        if cures:
            return cures[-1:], set()
        return ([], everything) if self.differs(everything) else (self._several(everything), set())

    def _hidden(self, switch: str) -> set[str]:
        """A switch that only hides the difference, and another one with which it shows again."""
        return next(({switch, other} for other in sorted(MEMORY - {switch}) if self.differs({switch, other})), set())

    def _several(self, absent: set[str]) -> list[str]:
        """The smallest set of switches that must be off together, found by switching on one after another."""
        absent = set(absent)
        for switch in self.stages:
            if not self.differs(absent - {switch}):
                absent.discard(switch)
        return [s for s in self.stages if s in absent]

    def _only_provoke(self, switches: Collection[str]) -> bool:
        """Whether these passes give correct graphs, by the interpreter; then the backend is wrong."""
        passes = all(self.stages[s] == "pass" for s in switches)
        return passes and not compared(self.spec, self.case, "interpreter", [self.kind]).differences

    def _is_right_where(self, other: Case) -> bool:
        """Whether nothing differs in another case."""
        return other != self.case and not compared(self.spec, other, self.backend, [self.kind]).differences


def described(node: Node) -> str:
    """An operation, with the user's name of its value and the line that it comes from."""
    text = f"op {node.op.name}" + (f" ({node.name})" if node.name else "")
    if node.span is None:
        return text
    return f"{text}, line {node.span.line} of {node.span.source.name}: {node.span.source.line(node.span.line).strip()}"
