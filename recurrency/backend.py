"""The protocol of a backend, and how installed backends are found."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol, runtime_checkable

from recurrency.disk import records
from recurrency.errors import UsageError

if TYPE_CHECKING:
    from recurrency.graph.graph import Graph
    from recurrency.graph.op import Array
    from recurrency.program.footprint import Footprint
    from recurrency.program.layout import Layout

GROUP = "recurrency.backends"
AUTO = "auto"
"""The name of the fastest backend that can run here."""
DEFAULT = "RECURRENCY_BACKEND"
"""The environment variable with the backend that `auto` chooses."""
BETWEEN = ":"
"""Between the name of a backend and what it computes products in: `c:bf16`."""
OPTIMISE = "RECURRENCY_OPTIMISE"
"""The environment variable with the tier of models that are compiled without one."""
TIERS = ("full", "quick")
"""How much the compiler of a backend optimises: for speed, or so that the first call comes sooner."""
EMULATED = "recurrency.emulated"
"""Backends that emulate a device, for tests. They are found by their full name only."""


class Call(NamedTuple):
    """One call of a program, checked. Generated functions take these fields as their arguments, in this order."""

    params: Array
    """The parameters as a flat vector [size], contiguous, in the model's dtype."""
    given: Mapping[str, Array]
    """Inputs [T, B, *shape] by name, and as `start:NAME` the initial states [B, *shape] that the caller passes.

    Real numbers have the model's dtype, symbols are int64; arrays may be strided. In padding, after the end of a
    sequence, inputs are zero (symbols: -1)."""
    lengths: Mapping[str, Array] | None
    """The steps of each sequence, [B], on each clock; None: there is no padding."""
    steps: Mapping[str, int]
    """T on each clock."""
    batch: int
    """B, the number of sequences."""
    training: bool = False
    """Whether random draws happen."""
    seed: int = 0
    offset: Mapping[str, Array] | None = None
    """The steps before this call, [B], on each clock, which random draws depend on; None: zero."""

    def plus(self, more: Mapping[str, Array]) -> Call:
        """The same call with more inputs: adjoints, tangents, or the tape of a forward pass."""
        return self.with_inputs({**self.given, **more})

    def with_inputs(self, given: Mapping[str, Array]) -> Call:
        """The same call with these inputs instead."""
        params, _, lengths, steps, batch, training, seed, offset = self
        return Call(params, given, lengths, steps, batch, training, seed, offset)


class Runner(Protocol):
    """Computes the roots of one graph."""

    def __call__(self, call: Call) -> dict[str, Array]:
        """The roots by name: streams [T, B, *shape], sequence values [B, *shape], static ones [*shape].

        Roots `gradient:PARAMETER` are returned as one flat vector, `gradient`, with the layout of the parameters. The
        arrays belong to the caller: no later call changes them.
        """


@runtime_checkable
class Measured(Protocol):
    """A runner that can forecast its memory; runners need not."""

    def footprint(
        self, steps: Mapping[str, int], batch: int, given: Collection[str] = (), ragged: bool = False
    ) -> Footprint:
        """The bytes that a call allocates. `given` names its inputs and states; with `ragged` it has lengths."""


class Backend(Protocol):
    """Compiles graphs to runners. Backends are found by the entry-point group `recurrency.backends`.

    One that computes results only has the attribute `inference`, which is True: no gradients, and no random draws.
    """

    name: str

    def available(self) -> str | None:
        """None if it can run here; else why not, and what to install."""

    def build(
        self, graph: Graph, layout: Layout, dtype: str, name: str = "run", without: frozenset[str] = frozenset()
    ) -> Runner:
        """Compile a graph to a runner that computes its roots; `without` names optimisations that are switched off."""


@runtime_checkable
class Computing(Protocol):
    """A backend that can round the operands of products to another type; backends need not.

    `computes` has the names of these types. The backend that does so has the name as `compute`, else it is "".
    """

    computes: tuple[str, ...]
    compute: str

    def computing(self, compute: str) -> Backend:
        """The backend that does so."""

    def require(self, dtype: str) -> None:
        """Raise a UsageError if models can't have this dtype."""


@runtime_checkable
class Prepared(Protocol):
    """A backend that can begin work, in the background, that all of its models need; backends need not."""

    def prepare(self) -> None:
        """Begin it, if that is not done; what is wrong is for the first call."""


def compute_of(backend: Backend) -> str:
    """What a backend rounds the operands of products to, or ""."""
    return str(getattr(backend, "compute", ""))


def infers_only(backend: Backend) -> bool:
    """Whether a backend computes results only: no gradients, and no random draws."""
    return bool(getattr(backend, "inference", False))


def tier(optimise: str | None = None) -> str:
    """One of `TIERS`: the one that is named, else that of `RECURRENCY_OPTIMISE`, else `full`.

    Raises:
        UsageError: there is no such tier.
    """
    named = (os.environ.get(OPTIMISE) or TIERS[0]) if optimise is None else optimise
    if named not in TIERS:
        raise UsageError(f"{OPTIMISE if optimise is None else 'optimise'} is {' or '.join(TIERS)}, and not {named!r}")
    return named


@contextmanager
def optimising(optimise: str) -> Iterator[None]:
    """Within this context, models that name no tier are compiled at this one, here and in processes that are started.

    Raises:
        UsageError: there is no such tier.
    """
    before, os.environ[OPTIMISE] = os.environ.get(OPTIMISE), tier(optimise)
    try:
        yield
    finally:
        del os.environ[OPTIMISE]
        if before is not None:
            os.environ[OPTIMISE] = before


def at_tier(backend: Backend, optimise: str | None) -> Backend:
    """A backend whose compiler optimises so much; the same one where it has no compiler, or no tier is named.

    Raises:
        UsageError: there is no such tier.
    """
    named, at = tier(optimise), getattr(backend, "at", None)
    found: Backend = backend if at is None or optimise is None else at(named)
    return found


def names() -> list[str]:
    """The names of the installed backends."""
    return sorted(_points())


@dataclass(frozen=True)
class Point:
    """An entry point: a name, and the place of its object as `package.module:attribute`."""

    name: str
    value: str

    def load(self) -> Backend:
        """Import the object."""
        module, _, attribute = self.value.partition(":")
        found: Backend = attrgetter(attribute)(import_module(module))
        return found


OWN = {name: Point(name, f"recurrency.backends.{name}.backend:backend") for name in ("c", "numpy")}
"""The entry points of our own that most calls ask for: to look through all installed packages takes longer."""


def _points(group: str = GROUP) -> dict[str, Point]:
    """The entry points of a group, cached until something is installed or removed."""
    return _points_in(tuple((path, _changed(path)) for path in sys.path), group)


@lru_cache(maxsize=16)
def _points_in(places: tuple[tuple[str, int | None], ...], group: str) -> dict[str, Point]:
    """The entry points of a group in these folders, which were last changed then; to be read only."""
    return records.remembered(dict[str, Point], lambda: _found(group), "entry points", group, list(places))


def _found(group: str) -> dict[str, Point]:
    from importlib.metadata import entry_points

    return {point.name: Point(point.name, point.value) for point in entry_points(group=group)}


def _changed(path: str) -> int | None:
    """When a package was last added to a folder of packages, or removed from it."""
    try:
        return Path(path or ".").stat().st_mtime_ns
    except OSError:
        return None


def automatic(quietly: bool = False) -> tuple[str, str]:
    """The name of the backend that `auto` chooses, and the reason: `c` where it can run, else `numpy`.

    If there is a compiler and `c` still can't run, this warns once, unless `quietly`.
    """
    named = os.environ.get(DEFAULT, "") or AUTO
    if named != AUTO:
        return named, f"{DEFAULT} says so"
    native, reason = _loaded(OWN["c"])
    if reason is None:
        return "c", "native code is the fastest"
    why = f"c can't run here: {reason}"
    if not quietly and not _warned and getattr(native, "doubts", lambda: None)():
        _warned.append(why)
        warnings.warn(f"{why}. So models run on numpy, which is slower", RuntimeWarning, stacklevel=4)
    return "numpy", why


_warned: list[str] = []
"""The warnings that this process has given."""


def find(name: str, run: bool = True) -> Backend:
    """A backend by name, or by `auto` the fastest one. Without `run`, it need not be able to run here.

    `c:bf16` is the backend `c` with operands of products in bf16.

    Raises:
        UsageError: there is no such backend, or it can't run here (and why), or `RECURRENCY_OPTIMISE` is wrong.
    """
    tier()
    name, _, compute = name.partition(BETWEEN)
    name = automatic()[0] if name == AUTO else name
    points: Mapping[str, Point] = OWN if name in OWN else _points()
    if name not in points:
        points = {**points, **_points(EMULATED)}
    if name not in points:
        raise UsageError(f"there is no backend {name}; installed are {', '.join(names()) or 'none'}")
    backend, reason = _loaded(points[name], run)
    if backend is not None and reason is None and compute:
        backend = computing(backend, compute)
        reason = backend.available() if run else None
    if backend is None or reason is not None:
        raise UsageError(f"the backend {name} can't run here: {reason}")
    return backend


def computing(backend: Backend, compute: str) -> Backend:
    """A backend that rounds the operands of products to another type, such as bf16.

    Raises:
        UsageError: it does not have that type.
    """
    known: tuple[str, ...] = getattr(backend, "computes", ())
    if compute not in known:
        has = f"it has {' and '.join(known)}" if known else "c can compute in bf16"
        raise UsageError(f"the backend {backend.name} can't compute in {compute}; {has}")
    made: Backend = backend.computing(compute) if isinstance(backend, Computing) else backend
    return made


def _loaded(point: Point, run: bool = True) -> tuple[Backend | None, str | None]:
    """A backend, and why it can't run here or be loaded; without `run`, only whether it can be loaded."""
    try:
        backend: Backend = point.load()
    except ImportError as error:
        return None, f"it can't be imported: {error}"
    return backend, backend.available() if run else None


def load() -> None:
    """Import all backends, the emulated ones included, whether or not they can run here."""
    for point in {**_points(), **_points(EMULATED)}.values():
        _loaded(point, run=False)


def describe(emulated: bool = False) -> dict[str, str | None]:
    """All installed backends by name, with the reason why each can't run here, or None if it can.

    The emulated ones are included only with `emulated`.
    """
    points = {**_points(), **(_points(EMULATED) if emulated else {})}
    return {name: _loaded(point)[1] for name, point in sorted(points.items())}


def computes() -> dict[str, str | None]:
    """The backends with operands of another type, such as `c:bf16`, and why each can't run here, or None."""
    found: dict[str, str | None] = {}
    for name, point in sorted(_points().items()):
        backend, reason = _loaded(point)
        for compute in getattr(backend, "computes", ()) if backend is not None else ():
            found[f"{name}:{compute}"] = reason or computing(backend, compute).available() if backend else reason
    return found
