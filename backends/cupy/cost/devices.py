"""The figures of devices and of the driver that the cost model needs, each with its source."""

from __future__ import annotations

from dataclasses import dataclass

TOLERANCE = 0.3
"""How far a prediction may be from the truth, as a fraction: what the sources below leave open."""

NODE = 1.5
"""Microseconds from the end of a kernel to the start of the next one in a captured graph that depends on it.

1.3 to 2 on A100 and H100 (NVIDIA's blog on CUDA graphs; profiles of graphs of short kernels).
"""

HOST_CALL = 10.0
"""Microseconds that one launch of a kernel or one cuBLAS product takes from Python, when nothing is captured.

Of them 7.5 were measured: the driver of an LSTM with CuPy 14.2 over a stand-in for the CUDA libraries takes 14.9 us a
step forwards and 15.7 backwards, two calls each. The rest is the library's call into the device's queue, 2.5 us.
"""

PRODUCT_LEAST = 5.0
"""Microseconds of the shortest cuBLAS product of single precision with a few hundred columns, on the device."""

PRODUCT_SHARE = 0.85
"""The share of the arithmetic peak that cuBLAS reaches where a product takes longer than the shortest ones."""


@dataclass(frozen=True)
class Device:
    """A GPU: sizes of one multiprocessor, latencies in cycles, bandwidths in bytes per cycle or second.

    Sizes: NVIDIA's white papers on A100, H100 and Blackwell, and the table of compute capabilities in the CUDA
    programming guide. Latencies: arXiv:2402.13499 (A100 and H100), rounded. `l2` is what programs read from the L2
    cache on all multiprocessors together: arXiv:2402.13499 and chipsandcheese.com, "Nvidia's H100: Funny L2". For B200,
    where no such measurements were at hand, latencies are those of H100 with a farther L2 cache (two dies), and `l2`
    is scaled by multiprocessors and clock.
    """

    name: str
    arch: int
    processors: int
    clock: float
    """GHz under load."""
    lanes: int
    """Single-precision operations that a quarter of a multiprocessor starts in a cycle."""
    double_lanes: int
    l1_hit: int
    shared: int
    l2_hit: int
    l2: float
    """GB/s."""
    shared_memory: int
    """Bytes that the blocks on one multiprocessor have together."""
    registers: int = 65536
    threads: int = 2048
    blocks: int = 32
    integer_lanes: int = 16
    special_lanes: int = 4
    """exp2, reciprocal and conversions."""
    wavefront: int = 128
    """Bytes that L1 and shared memory hand to registers in a cycle."""
    fill: int = 64
    """Bytes that one multiprocessor takes from L2 in a cycle."""

    @property
    def peak(self) -> float:
        """Single-precision fused multiply-adds in a microsecond, on the whole device."""
        return self.processors * 4 * self.lanes * self.clock * 1e3

    def occupancy(self, threads: int, registers: int, shared: int) -> int:
        """How many blocks of a kernel fit one multiprocessor at a time (CUDA's occupancy calculator)."""
        warps = -(-threads // 32)
        each = max(1, -(-registers * 32 // 256)) * 256
        limits = [self.blocks, self.threads // (32 * warps), self.registers // each // 4 * 4 // warps]
        return min([*limits, *([self.shared_memory // (shared + 1024)] if shared else [])])


DEVICES = (
    Device("A100", 80, 108, 1.41, 16, 8, 38, 29, 262, 4400.0, 164 * 1024),
    Device("H100", 90, 132, 1.755, 32, 16, 41, 29, 263, 5500.0, 228 * 1024),
    Device("B200", 100, 148, 1.85, 32, 16, 41, 29, 320, 6500.0, 228 * 1024),
)
"""The devices whose architectures are checked."""

USUAL = DEVICES[1]
"""The device of the tables in the documentation."""

LATENCIES = {
    "alu": 4,
    "wide": 5,
    "double": 16,
    "predicate": 6,
    "special": 22,
    "uniform": 12,
    "constant": 30,
    "shuffle": 24,
}
"""Cycles until the result of an instruction can be read (arXiv:2402.13499, 1804.06826; classes: `sass.CLASSES`)."""

BRANCH = 8
"""Cycles that a taken branch adds."""

BARRIER = 20
"""Cycles of a barrier of a block when all its warps are there."""
