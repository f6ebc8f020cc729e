"""One call of a cell to compare: sizes, arguments and numbers, described by a few plain values."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from recurrency.graph.roots import ADJOINT, FINAL, INPUT, OUTPUT, PARAM, START, TANGENT
from recurrency.graph.types import Kind
from recurrency.testing.padding import anything

if TYPE_CHECKING:
    from recurrency.graph.op import Array
    from recurrency.model.arrays import Port
    from recurrency.model.model import Model

SPECIAL = (-0.0, 1e-42, -1e30, 3e38)
"""Elements of special arrays: negative zero, a subnormal, and numbers that overflow."""
RESET = 0.3
"""How often a step of a sequence resets it."""
GAP = 0.4
"""How often a step of a sequence is not there, where there is a mask."""
INFINITE = (np.inf, -np.inf)
"""Inputs may hold these as well. (What a state that is not finite does to sequences that have no step is undefined.)"""


@dataclass(frozen=True)
class Case:
    """Sizes and settings of one call; equal cases have equal numbers. Its `repr` makes it again.

    `steps` and `lengths` are by clock, `lengths` None where all sequences are full. With `state` every initial
    state is passed. `values` and `weights` name the laws (see `LAWS`) of inputs and states, and of parameters; `zeroed`
    lists arrays that are zero instead (`param:W`, `input:x`, `start:h`, `d:output:y`). `cuts` are the steps before
    which the sequence is cut into chunks. With `resets` sequences begin again at random steps, with `mask` random steps
    are not there.
    """

    dimensions: Mapping[str, Any]
    steps: Mapping[str, int]
    batch: int = 1
    lengths: Mapping[str, tuple[int, ...]] | None = None
    dtype: str = "float64"
    state: bool = False
    training: bool = False
    values: str = "normal"
    weights: str = "normal"
    zeroed: tuple[str, ...] = ()
    cuts: tuple[int, ...] = ()
    seed: int = 0
    spoilt: bool = True
    resets: bool = False
    mask: bool = False

    def __str__(self) -> str:
        sizes = [f"{n}={v}" for n, v in (*self.dimensions.items(), *self.steps.items(), ("B", self.batch))]
        words = [f"lengths {dict(self.lengths)}"] if self.lengths is not None else []
        words += [n for n in ("state", "training", "resets", "mask") if getattr(self, n)]
        words += ["anything in the padding"] if self.spoilt and self.lengths is not None else []
        words += [f"cut before {', '.join(map(str, self.cuts))}"] if self.cuts else []
        zeroed = f"; {len(self.zeroed)} arrays are zero" if self.zeroed else ""
        return f"{', '.join([*sizes, self.dtype, *words])}; {self.values} values, {self.weights} weights{zeroed}"

    @property
    def key(self) -> str:
        """Equal for equal cases."""
        return repr(self)

    @property
    def ragged(self) -> dict[str, Array] | None:
        """The lengths as arrays."""
        return None if self.lengths is None else {c: np.array(n, np.int64) for c, n in self.lengths.items()}

    def length(self, clock: str | None, sequence: int) -> int:
        """The number of steps of a sequence."""
        full = self.steps.get(str(clock), 0)
        return full if self.lengths is None else self.lengths.get(str(clock), (full,) * self.batch)[sequence]

    def valid(self, clock: str | None) -> Array:
        """The steps that are not padding, [T, B]."""
        counts = [self.length(clock, b) for b in range(self.batch)]
        out: Array = np.arange(self.steps.get(str(clock), 0))[:, None] < np.array(counts, np.int64)
        return out

    def restarts(self, clock: str) -> Array:
        """Where sequences begin again on a clock, [T, B]; with a mask, not after the last step that is there."""
        found = self._flags("resets", clock, RESET)
        if self.mask:
            found &= np.cumsum(self.there(clock)[::-1], 0)[::-1] > 0
        return found

    def there(self, clock: str | None) -> Array:
        """The steps that are there, [T, B]: neither padding nor in a gap."""
        valid = self.valid(clock)
        return valid & ~self._flags("mask", str(clock), GAP) if self.mask else valid

    def _flags(self, what: str, clock: str, often: float) -> Array:
        rng = np.random.default_rng((self.seed, zlib.crc32(f"{what}:{clock}".encode())))
        return np.asarray(rng.random((self.steps.get(clock, 0), self.batch)) < often)

    def of(self, dtype: str) -> Case:
        """The same call in another dtype."""
        return replace(self, dtype=dtype)

    def clean(self) -> Case:
        """The same call with zeros after the end of sequences."""
        return replace(self, spoilt=False)


@dataclass(frozen=True)
class Data:
    """The arrays of a case: everything by name, time first, in float64 but exact in the case's dtype."""

    params: dict[str, Array]
    inputs: dict[str, Array]
    state: dict[str, Array] | None
    seeds: dict[str, Array] = field(default_factory=dict)
    """The adjoints of the real-valued results, by root."""
    tangents: dict[str, Array] = field(default_factory=dict)
    """Directions, by the names `param:W`, `input:x`, `start:h`."""


# ------------------------------------------------------------------------------------------------- laws of numbers


def _special(rng: np.random.Generator, shape: tuple[int, ...], among: tuple[float, ...] = SPECIAL) -> Array:
    chosen = rng.choice(among, shape)
    return np.asarray(np.where(rng.random(shape) < 0.15, chosen, rng.standard_normal(shape)))


def _tails(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """Numbers at which functions are close to their limits, and numbers of all sizes below 1."""
    near = rng.choice((-1.0, 1.0), shape) * 10.0 ** rng.uniform(-12.0, 0.0, shape)
    return np.asarray(np.where(rng.random(shape) < 0.6, rng.uniform(-60.0, 60.0, shape), near))


LAWS: dict[str, Callable[[np.random.Generator, tuple[int, ...]], Array]] = {
    "zeros": lambda rng, shape: np.zeros(shape),
    "whole": lambda rng, shape: rng.integers(-2, 3, shape).astype(float),
    "normal": lambda rng, shape: rng.standard_normal(shape),
    "tiny": lambda rng, shape: 1e-6 * rng.standard_normal(shape),
    "large": lambda rng, shape: 30.0 * rng.standard_normal(shape),
    "tails": _tails,
    "special": _special,
    "infinite": lambda rng, shape: _special(rng, shape, SPECIAL + INFINITE),
}
"""How arrays are filled, the simplest first."""


def data(model: Model, case: Case) -> Data:
    """The arrays of a case for a compiled cell; each depends only on the seed and its name."""
    draw, inputs = _Draw(model, case), model.inputs.items()
    state = {n: draw.port("start", p, case.values) for n, p in model.state_ports.items()} if case.state else None
    real = {n: p for n, p in inputs if p.index is None}
    firsts = {n: p for n, p in model.state_ports.items() if p.index is None and case.state}
    tangents = {
        PARAM.of(n): draw.array(TANGENT.of(PARAM.of(n)), p.shape, "normal") for n, p in model.parameters.items()
    }
    tangents |= {INPUT.of(n): draw.port(TANGENT.of("input"), p, "normal") for n, p in real.items()}
    tangents |= {START.of(n): draw.port(TANGENT.of("start"), p, "normal") for n, p in firsts.items()}
    results = {OUTPUT.of(n): p for n, p in model.outputs.items()}
    results |= {FINAL.of(n): p for n, p in model.state_ports.items()}
    return Data(
        {n: 0.6 * draw.array(f"param:{n}", p.shape, case.weights) for n, p in model.parameters.items()},
        {n: draw.port("input", p, "infinite" if case.values == "special" else case.values) for n, p in inputs},
        state,
        {
            r: draw.port(ADJOINT.of("output" if OUTPUT.has(r) else "final"), p, "normal")
            for r, p in results.items()
            if p.index is None
        },
        tangents,
    )


class _Draw:
    """Fills arrays."""

    def __init__(self, model: Model, case: Case) -> None:
        self.model, self.case = model, case

    def array(self, name: str, shape: tuple[int, ...], law: str) -> Array:
        """An array of real numbers, each of which is exact in the dtype of the case."""
        if name in self.case.zeroed:
            return np.zeros(shape)
        with np.errstate(all="ignore"):
            return LAWS[law](self._rng(name), shape).astype(self.case.dtype).astype(float)

    def _rng(self, name: str) -> np.random.Generator:
        return np.random.default_rng((self.case.seed, zlib.crc32(name.encode())))

    def port(self, group: str, port: Port, law: str) -> Array:
        """An array for a port."""
        name = f"{group}:{port.name}"
        shape = (*port.lead(self.case.steps, self.case.batch), *port.shape)
        if port.index is not None:
            out: Array = self._rng(name).integers(-1, port.index, shape)
        else:
            out = self.array(name, shape, law)
        if port.kind is Kind.STREAM:
            read = self.case.valid if ADJOINT.has(group) else self.case.there  # results are read in gaps, too
            padding, rng = ~read(port.clock), self._rng(f"padding:{name}")
            out[padding] = anything(rng, out[padding].shape, port.index) if self.case.spoilt else 0
        return out
