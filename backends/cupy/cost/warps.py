"""Follows one warp through a kernel's machine code: its instructions, its addresses, and when each can start."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache

import numpy as np

from recurrency.errors import UsageError

from . import lanes
from .devices import BRANCH, LATENCIES, Device
from .lanes import Value
from .sass import Instruction
from .state import MEANINGS, State, bare, following, is_predicate

MOST_STEPS = 2_000_000
"""Instructions after which a warp is given up."""

PARAMETERS = {80: 0x160, 90: 0x210, 100: 0x380}
"""Where the constant bank holds the arguments of a launch, for each architecture."""

BLOCK_SIZE = {80: 0x0, 90: 0x0, 100: 0x360}
"""Where it holds the size of a block; the size of the grid follows."""


@dataclass
class Segment:
    """What a warp does between two barriers: cycles if it had the multiprocessor to itself, and its use of it."""

    cycles: int = 0
    issued: Counter[str] = field(default_factory=Counter)
    """Instructions by class."""
    wavefronts: int = 0
    sectors: set[int] = field(default_factory=set)
    """Sectors of 32 bytes of global memory that it reads."""
    written: set[int] = field(default_factory=set)
    loads: int = 0


def constants(
    arch: int, arguments: Sequence[int], grid: Sequence[int], block: Sequence[int], sizes: Sequence[int]
) -> dict[int, int]:
    """The words of the constant bank: sizes of block and grid, and the arguments, of so many bytes each."""
    out = {BLOCK_SIZE[arch] + 4 * k: n for k, n in enumerate((*block, *grid))}
    place = PARAMETERS[arch]
    for value, size in zip(arguments, sizes, strict=True):
        place = -(-place // size) * size
        for word in range(0, size, 4):
            out[place + word] = value >> 8 * word & lanes.MASK
        place += size
    return out


class Warp:
    """One warp of a launch; `seen` are the sectors that the multiprocessor's first cache holds."""

    def __init__(
        self,
        code: Sequence[Instruction],
        known: Mapping[int, int],
        device: Device,
        number: int,
        first: int,
        seen: set[int],
    ) -> None:
        thread = np.arange(first, first + lanes.LANES, dtype=np.uint64)
        self.code, self.device, self.seen = code, device, seen
        special: dict[str, Value] = {
            "SR_TID.X": thread,
            "SR_TID.Y": 0,
            "SR_TID.Z": 0,
            "SR_LANEID": thread % np.uint64(32),
        }
        special |= {"SR_CTAID.X": number, "SR_CTAID.Y": 0, "SR_CTAID.Z": 0}
        self.state = State(known, special)
        self.ready: dict[str, int] = {}
        self.segments = [Segment()]
        self.now = self.start = 0

    def run(self) -> list[Segment]:
        """Follow it to its end; returns a segment for each stretch between barriers.

        Raises:
            UsageError: it does not end.
        """
        place: int | None = 0
        for _ in range(MOST_STEPS):
            if place is None or place >= len(self.code):
                break
            place = self.step(place)
        else:
            raise UsageError("the cost model can't follow a kernel: it does not end")
        self.end()
        return self.segments

    def end(self) -> None:
        """Finish a segment."""
        self.segments[-1].cycles = self.now - self.start
        self.start = self.now

    def step(self, place: int) -> int | None:
        """Run one instruction; returns the place of the next one."""
        i = self.code[place]
        guard = self.state.holds(i.guard)
        never = guard is not None and not np.any(guard)
        self.issue(i, never)
        if never:
            return place + 1
        if i.words[0] in ("BRA", "EXIT", "RET") or (i.words[0] == "CALL" and i.operands[-1].startswith("0x")):
            return self.jump(i, place, guard)
        if i.kind == "barrier" and "SYNC" in i.words:
            self.end()
            self.segments.append(Segment())
        return place + 1

    def jump(self, i: Instruction, place: int, guard: Value) -> int | None:
        """Where a branch goes: with all lanes; forwards only if all take it, backwards if any does.

        A branch on what is unknown is taken if it avoids a call or a loop, as it then leaves out what is rarely needed.
        """
        every = guard is not None and bool(np.all(guard))
        if i.words[0] == "RET":
            back = self.state.get(i.operands[0])
            return back // 16 if isinstance(back, int) else None
        if i.words[0] == "EXIT":
            return None if every else place + 1
        plain = [part for part in i.operands if not is_predicate(part)]
        conditions = [self.state.holds(part) for part in i.operands if is_predicate(part)]
        for condition in conditions:
            guard = None if guard is None or condition is None else guard & condition
        target = int(plain[-1], 16) // 16
        if guard is None:
            rare = any(x.words[0] in ("CALL", "BRX") for x in self.code[place + 1 : max(place, target)])
            taken = target > place and rare
        else:
            taken = bool(np.all(guard)) if target > place else bool(np.any(guard))
        if not taken:
            return place + 1
        self.now += BRANCH
        return None if target == place else target

    def issue(self, i: Instruction, never: bool) -> None:
        """Let an instruction start when its arguments are there, and its result come when it is ready."""
        segment, kind = self.segments[-1], i.kind
        if i.words[0] == "NOP":
            return
        segment.issued[kind] += 1
        wanted = [self.ready.get(name, 0) for name in (i.guard.lstrip("!"), *_read(i))]
        self.now = max(self.now + 1, *wanted)
        if never:
            return
        latency = self.memory(i, segment) if kind in MEMORY else LATENCIES.get(kind, LATENCIES["alu"])
        if i.words[0] == "IMAD" and ("WIDE" in i.words or "HI" in i.words):
            latency = LATENCIES["wide"]
        for name in _results(i):
            self.ready[name] = self.now + latency
        self.compute(i, self.state.holds(i.guard))

    def compute(self, i: Instruction, guard: Value) -> None:
        """Give the results their values; under a predicate that lanes differ in, they are the old ones elsewhere."""
        known, meaning = self.state.registers, MEANINGS.get(i.words[0])
        registers = [name for name in _results(i) if not is_predicate(name)]
        before = {name: known.get(name) for name in registers} if isinstance(guard, np.ndarray) else {}
        if meaning is not None:
            meaning(self.state, i)
        else:
            known.update(dict.fromkeys(registers))
            self.state.predicates.update((name, None) for name in _results(i) if is_predicate(name))
        for name, old in before.items():
            new = known.get(name)
            known[name] = None if old is None or new is None else lanes.chosen(guard, new, old)

    def memory(self, i: Instruction, segment: Segment) -> int:
        """Count an access to memory; returns its latency."""
        place = next((part for part in i.operands if part.endswith("]") or "][" in part), "")
        kind, device = i.kind, self.device
        address = self.address(place, i)
        if kind in ("shared", "keep"):
            segment.wavefronts += lanes.banks(address, i.size)
            return device.shared
        if kind in ("constant", "shuffle"):
            return LATENCIES[kind]
        wavefronts, sectors = lanes.lines(address, i.size)
        segment.wavefronts += wavefronts
        if kind != "load":
            segment.written |= sectors
            return 1
        segment.loads += 1
        missed = sectors - self.seen if sectors else {None}
        segment.sectors |= sectors
        self.seen |= sectors
        return device.l2_hit if missed else device.l1_hit

    def address(self, place: str, i: Instruction) -> Value:
        """The addresses of the lanes; None if they are unknown."""
        text = place[place.rindex("[") + 1 :].rstrip("]").split("]")[0]
        total: Value = 0
        wide = i.kind not in ("shared", "keep")
        for part in text.split("+"):
            value: Value
            if part.lstrip("-").startswith("0x"):
                value = int(part, 16)
            elif wide and (".64" in part or part.startswith("UR")):
                value = self.state.pair(part)
            else:
                value = self.state.get(part)
            if value is None:
                return None
            value = value & lanes.WIDE if isinstance(value, int) else value
            total = (
                total + np.uint64(value) if isinstance(total, np.ndarray) else lanes.limited(total + value, lanes.WIDE)
            )
        return total


MEMORY = ("load", "shared", "store", "keep", "atomic")


@cache
def _results(i: Instruction) -> list[str]:
    """The registers and predicates that an instruction writes."""
    if i.kind in ("store", "keep", "control", "barrier") or not i.operands:
        return []
    out = []
    for operand in i.operands[:3]:
        if not is_predicate(operand):
            break
        out.append(operand)
    head = len(out)
    if i.kind == "predicate":
        return [name for name in out if name not in ("PT", "UPT")][:2]
    if head >= len(i.operands):
        return out
    register = bare(i.operands[head])[0]
    names = [register]
    for _ in range(_width(i) - 1):
        names.append(following(names[-1]))
    rest = [operand for operand in i.operands[head + 1 : head + 3] if is_predicate(operand)]
    carries = (
        rest if i.words[0] in ("IADD3", "LEA", "UIADD3", "ULEA", "IMAD") and is_predicate(i.operands[head + 1]) else []
    )
    return [
        *out,
        *(name for name in names if name not in ("RZ", "URZ")),
        *(c for c in carries if c not in ("PT", "UPT")),
    ]


def _width(i: Instruction) -> int:
    """The registers of a result."""
    if i.kind in ("load", "shared", "constant"):
        return max(1, i.size // 4)
    if (
        i.kind == "double"
        or "WIDE" in i.words
        or i.words[0] in ("CS2R", "FADD2", "FMUL2", "FFMA2")
        or i.words[:2] == ("MUFU", "RCP64H")
    ):
        return 2
    return 2 if i.words[0] in ("F2F", "I2F") and "F64" in i.words[1:2] else 1


@cache
def _read(i: Instruction) -> list[str]:
    """The registers and predicates that an instruction reads."""
    out = []
    skipped = 0 if i.kind in ("store", "keep", "control", "barrier") else 1
    for operand in i.operands[skipped:]:
        for part in operand.replace("desc", "").strip("[]").replace("][", "+").split("+"):
            name = bare(part.strip("|!"))[0].strip("|")
            if name[:1] in "RUP" and name[-1:].isdigit() and not name.startswith("0x"):
                out.append(name)
                if ".64" in part or i.kind == "double" or (i.kind in ("store", "keep") and i.size > 4):
                    out += [following(name)] if not is_predicate(name) else []
    return out
