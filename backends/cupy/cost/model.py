"""The time of a launch on a device: the slowest of latency, arithmetic, caches, and the share of the L2 cache.

A warp is followed instruction by instruction (`warps`); the warps of a block, and the blocks of a multiprocessor, share
what it has. Arrays are in the L2 cache, whose size is far above that of the weights; what only streams through once a
step is treated alike.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from ..check import Usage, machine_code
from . import devices, sass, warps
from .devices import Device
from .recording import Launch, Product
from .sass import Instruction
from .warps import Segment

QUARTERS = 4
"""A multiprocessor has four schedulers with their own arithmetic units."""


@dataclass(frozen=True)
class Time:
    """Microseconds on the device, and what bounds them."""

    us: float
    bound: str


class Machine:
    """The kernels of some texts as machine code for a device."""

    def __init__(self, texts: Iterable[str], device: Device) -> None:
        self.device = device
        self.usages: dict[str, Usage] = {}
        self.code: dict[str, Sequence[Instruction]] = {}
        for text in texts:
            made = machine_code(text, device.arch)
            self.usages.update((usage.name, usage) for usage in made.usages)
            self.code.update(sass.functions(made.cubin))
        self.known: dict[tuple[object, ...], Time] = {}

    def occupancy(self, launch: Launch) -> int:
        """How many blocks of a launch a multiprocessor holds at a time."""
        usage = self.usages[launch.name]
        return self.device.occupancy(_threads(launch), usage.registers, usage.shared)

    def time(self, call: Launch | Product) -> Time:
        """The time of a launch, or of a product of cuBLAS."""
        if isinstance(call, Product):
            return self._product(call)
        key = (call.name, call.grid, call.block, call.numbers)
        if key not in self.known:
            self.known[key] = self._launch(call)
        return self.known[key]

    def _product(self, call: Product) -> Time:
        """cuBLAS keeps the first operand's rows in registers, and reads the second one once from the L2 cache."""
        work = call.rows * call.inner * call.columns / self.device.peak / devices.PRODUCT_SHARE
        traffic = 4 * call.inner * (call.rows + call.columns) / (self.device.l2 * 1e3)
        return max(Time(devices.PRODUCT_LEAST, "cuBLAS"), Time(work, "arithmetic"), Time(traffic, "L2"), key=_us)

    def _launch(self, call: Launch) -> Time:
        device, blocks = self.device, call.grid[0] * call.grid[1] * call.grid[2]
        block = Block(self._segments(call), device)
        together, most = -(-blocks // device.processors), self.occupancy(call)
        rounds = [most] * (together // most) + [together % most] * (together % most > 0)
        times = [block.time(n) for n in rounds]
        alone = Time(sum(t.us for t in times), times[0].bound)
        traffic = blocks * 32 * (block.read + block.written) / (device.l2 * 1e3)
        return max(alone, Time(traffic, "L2 bandwidth"), key=_us)

    def _segments(self, call: Launch) -> list[list[Segment]]:
        """What each warp of a block in the middle of the grid does."""
        sizes = warps.constants(self.device.arch, call.arguments, call.grid, call.block, call.sizes)
        seen: set[int] = set()
        middle = call.grid[0] // 2
        return [
            warps.Warp(self.code[call.name], sizes, self.device, middle, first, seen).run()
            for first in range(0, _threads(call), 32)
        ]


class Block:
    """What the warps of a block do, between barriers."""

    def __init__(self, found: list[list[Segment]], device: Device) -> None:
        self.device, self.found = device, found
        self.stretches = [[w[k] for w in found if k < len(w)] for k in range(max(map(len, found)))]

    @cached_property
    def read(self) -> int:
        """The sectors of global memory that it reads, each once."""
        return len(set[int]().union(*(s.sectors for w in self.found for s in w)))

    @cached_property
    def written(self) -> int:
        """The sectors that it writes."""
        return len(set[int]().union(*(s.written for w in self.found for s in w)))

    def time(self, together: int) -> Time:
        """The time of so many of these blocks on one multiprocessor."""
        stretches = [self._stretch(stretch, together) for stretch in self.stretches]
        cycles = sum(c for c, _ in stretches) + devices.BARRIER * (len(stretches) - 1)
        return Time(cycles / self.device.clock / 1e3, max(stretches)[1])

    def _stretch(self, stretch: list[Segment], together: int) -> tuple[float, str]:
        """Cycles between two barriers: the longest warp alone, or the busiest part of the multiprocessor."""
        device, quarters = self.device, min(QUARTERS, len(stretch) * together)
        issued = Counter[str]()
        for segment in stretch:
            issued.update(segment.issued)
        sectors = set[int]().union(*(s.sectors for s in stretch))
        integer = issued["alu"] + issued["predicate"] + issued["uniform"]
        busy = {
            "instructions": sum(issued.values()) / quarters,
            "arithmetic": issued["float"] * 32 / device.lanes / quarters,
            "double arithmetic": issued["double"] * 32 / device.double_lanes / quarters,
            "addresses": integer * 32 / device.integer_lanes / quarters,
            "exp": issued["special"] * 32 / device.special_lanes / quarters,
            "L1 and shared memory": float(sum(s.wavefronts for s in stretch)),
            "L2 of a processor": 32 * len(sectors) / device.fill,
        }
        bound = max(busy, key=lambda name: busy[name])
        alone = max(segment.cycles for segment in stretch)
        return max((float(alone), "latency"), (busy[bound] * together, bound))


def _us(time: Time) -> float:
    return time.us


def _threads(launch: Launch) -> int:
    return launch.block[0] * launch.block[1] * launch.block[2]


@dataclass(frozen=True)
class Step:
    """One step of a loop: microseconds, launches and products, and what bounds it."""

    us: float
    calls: float
    bound: str


def step(
    machine: Machine, few: Iterable[Launch | Product], many: Iterable[Launch | Product], steps: int, captured: bool
) -> Step:
    """One step of a loop, from its calls over some steps and over `steps` more; `captured` as a graph."""
    sums: dict[str, float] = {}
    device, calls = 0.0, 0
    for sign, group in ((1, many), (-1, few)):
        for call in group:
            time = machine.time(call)
            device, calls = device + sign * time.us, calls + sign
            sums[time.bound] = sums.get(time.bound, 0.0) + sign * time.us
    each = calls / steps
    waiting = each * (devices.NODE if captured else devices.HOST_CALL)
    us, bound = device / steps, max(sums, key=lambda name: sums[name], default="nothing")
    if captured:
        return Step(us + waiting, each, "launches" if waiting > us else bound)
    return Step(max(us, waiting), each, "host" if waiting > us else bound)
