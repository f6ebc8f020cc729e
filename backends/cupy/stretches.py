"""The lines of a row kernel between its barriers: see `rows`.

A sum of a block is one barrier: each warp adds up what its threads have, and stores that in shared memory; behind the
barrier each warp adds up all of it. The next sum takes other memory, so that no thread overwrites what is still read.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ..kernels.races import Written
from ..kernels.values import Read
from .row_body import TOTAL
from .tiles import LOAD, WARP

BARRIER = "__syncthreads();"

JOINS = {"sum": "{0} + {1}", "peak": "greater_of({0}, {1})"}
"""How two parts of what threads have are joined."""

NOTHING = {"sum": "0", "peak": "(-1.0f / 0.0f)"}
"""What a part without terms is."""


@dataclass
class Stretch:
    """What threads do between two barriers; loads for the next one come `early`."""

    early: list[str] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)


class Stretches:
    """The stretches of one kernel, of so many warps; its numbers have `itemsize` bytes."""

    def __init__(self, warps: int, itemsize: int) -> None:
        self.warps, self.vector = warps, LOAD // itemsize
        self.all = [Stretch()]
        self.sums = 0
        """The most sums of one barrier."""
        self._side = 0
        self._reads: list[Read] = []
        self._written: dict[str, Written] = {}

    def add(
        self, early: Sequence[str], lines: Sequence[str], reads: Sequence[Read], written: Mapping[str, Written]
    ) -> None:
        """Add a stage, behind a barrier if it meets in memory what stages since the last one read or wrote.

        `lines` may have sums and peaks of all threads in them (`row_body.TOTAL`).
        """
        if self._meets(reads, written):
            self._barrier()
        self.all[max(0, len(self.all) - 2)].early += early
        for found, totals in rounds(lines):
            self.all[-1].lines += found
            if totals:
                self._join(totals)
        if any("_of_block(" in line for line in lines):
            self.sums, self._side = max(self.sums, 1), 1
        self._reads += reads
        self._written |= written

    def _meets(self, reads: Sequence[Read], written: Mapping[str, Written]) -> bool:
        """Whether a stage could meet another thread in memory: one of them writes, the other one reads or writes."""
        pairs = [*((r, w) for r in reads for w in self._written.values())]
        pairs += [(r, w) for r in self._reads for w in written.values()]
        if any(w.meets(r) and (not r.late or w.array.carried) for r, w in pairs):
            return True
        both = ((a, b) for a in written.values() for b in self._written.values() if a.array.name == b.array.name)
        return any(a.span[0] < b.span[1] and b.span[0] < a.span[1] for a, b in both)

    def _barrier(self) -> None:
        self.all.append(Stretch())
        self._reads, self._written = [], {}

    def _join(self, totals: Mapping[str, str]) -> None:
        """Join what all threads have: of each name, first each warp, and behind a barrier all."""
        self.all[-1].lines += [f"{name} = {kind}_of_warp({name});" for name, kind in totals.items()]
        if self.warps == 1:
            return
        places = {name: (2 * k + self._side) * WARP for k, name in enumerate(totals)}
        stored = [f"    sums[{place} + threadIdx.x / {WARP}] = {name};" for name, place in places.items()]
        self.all[-1].lines += ["if (lane == 0) {", *stored, "}"]
        self._barrier()
        for name, place in places.items():
            self.all[-1].lines += self._total(name, totals[name], place)
        self.sums, self._side = max(self.sums, len(totals)), 1 - self._side

    def _total(self, name: str, kind: str, place: int) -> list[str]:
        """Join what all warps have stored: each thread reads a part, of several warps if that is possible."""
        v = self.vector if self.warps % self.vector == 0 else 1
        parts = self.warps // v
        width = 1 << (parts - 1).bit_length()
        lane, join = f"lane % {width}", JOINS[kind]
        if v == 1:
            first = [f"{name} = {lane} < {parts} ? sums[{place} + {lane}] : {NOTHING[kind]};"]
        else:
            text = "part.at[0]"
            for k in range(1, v):
                text = join.format(text, f"part.at[{k}]")
            read = [f"const vector part = ((const vector*)(sums + {place}))[{lane}];", f"{name} = {text};"]
            first = [f"if ({lane} < {parts}) {{", *(f"    {line}" for line in read), "}"]
            first.append(f"else {name} = {NOTHING[kind]};")
        masks = [width >> k for k in range(1, width.bit_length())]
        others = (f"__shfl_xor_sync(0xffffffffu, {name}, {mask})" for mask in masks)
        return [*first, *(f"{name} = {join.format(name, other)};" for other in others)]

    def text(self) -> list[str]:
        """All lines."""
        out: list[str] = []
        for number, stretch in enumerate(self.all):
            out += [*([BARRIER] if number else []), *stretch.early, *stretch.lines]
        return out


ASSIGNED = re.compile(r"(\w+)(?:\[[^\]]*\])? \+?= ")
"""What a line of a stage sets."""


def rounds(lines: Sequence[str]) -> Iterator[tuple[list[str], dict[str, str]]]:
    """The lines of a stage up to each barrier, and what is joined there: those that wait for no other share it.

    These are the names of sums and peaks, each with which of the two it is. The order of statements changes only where
    neither needs what the other one sets.
    """
    if not any(TOTAL.fullmatch(line) for line in lines):
        yield list(lines), {}
        return
    before: list[list[str]] = [[]]
    totals: list[dict[str, str]] = [{}]
    at, seen = dict[str, int](), dict[str, int]()
    for statement in _statements(lines):
        text = "\n".join(line.split("//")[0] for line in statement)
        words, found = set(re.findall(r"\w+", text)), TOTAL.fullmatch(statement[0])
        changed = {name for name in ASSIGNED.findall(text) if name != "turn"}
        number = max([0, *(at.get(word, 0) for word in words), *(seen.get(name, 0) for name in changed)])
        while len(before) <= number + (found is not None):
            before.append([])
            totals.append({})
        if found:
            totals[number][found[1]] = found[2]
        else:
            before[number] += statement
        seen |= {word: max(seen.get(word, 0), number) for word in words}
        at |= dict.fromkeys(changed, number + (found is not None))
    yield from zip(before, totals, strict=True)


def _statements(lines: Iterable[str]) -> Iterator[list[str]]:
    """Lines that belong together: a block with what leads to it, and what follows where it is not run."""
    out: list[str] = []
    depth = 0
    for line in lines:
        if out and not depth and not line.startswith("else") and not out[-1].startswith("#pragma"):
            yield out
            out = []
        out.append(line)
        code = line.split("//")[0]
        depth += code.count("{") - code.count("}")
    if out:
        yield out
