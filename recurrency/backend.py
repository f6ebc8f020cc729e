"""The protocol of a backend, and how installed backends are found."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Collection, Mapping
from dataclasses import dataclass
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
"""The name that stands for the fastest backend that can run here."""
DEFAULT = "RECURRENCY_BACKEND"
"""The environment variable that names the backend for which `auto` stands."""
EMULATED = "recurrency.emulated"
"""Backends that stand in for a device that is not there: for tests, and found only by their own name."""


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
        return Call(self.params, {**self.given, **more}, *self[2:])


class Runner(Protocol):
    """Computes the roots of one graph."""

    def __call__(self, call: Call) -> dict[str, Array]:
        """The roots by name: streams [T, B, *shape], sequence values [B, *shape], static ones [*shape].

        Roots `gradient:PARAMETER` are returned as one flat vector, `gradient`, with the layout of the parameters. The
        arrays belong to the caller: no later call changes them.
        """


@runtime_checkable
class Measured(Protocol):
    """What runners of a backend may have besides, for forecasts of memory."""

    def footprint(
        self, steps: Mapping[str, int], batch: int, given: Collection[str] = (), ragged: bool = False
    ) -> Footprint:
        """The bytes that a call allocates; `given` names inputs and states, `ragged`: with lengths."""


class Backend(Protocol):
    """Turns graphs into something that runs. Found by the entry-point group `recurrency.backends`."""

    name: str

    def available(self) -> str | None:
        """None, or why it can't run here and what to install."""

    def build(
        self, graph: Graph, layout: Layout, dtype: str, name: str = "run", without: frozenset[str] = frozenset()
    ) -> Runner:
        """A runner for the roots of a graph; `without` names optimisations that are switched off."""


def names() -> list[str]:
    """The installed backends."""
    return sorted(_points())


@dataclass(frozen=True)
class Point:
    """An entry point: a name, and where what it stands for is, as `package.module:attribute`."""

    name: str
    value: str

    def load(self) -> Backend:
        """What it stands for."""
        module, _, attribute = self.value.partition(":")
        found: Backend = attrgetter(attribute)(import_module(module))
        return found


def _points(group: str = GROUP) -> dict[str, Point]:
    """The entry points of a group; to find them takes longer than to see that nothing was installed since."""
    places = [(path, _changed(path)) for path in sys.path]
    return records.remembered(dict[str, Point], lambda: _found(group), "entry points", group, places)


def _found(group: str) -> dict[str, Point]:
    from importlib.metadata import entry_points

    return {point.name: Point(point.name, point.value) for point in entry_points(group=group)}


def _changed(path: str) -> int | None:
    """When something was last put into a folder of packages, or removed."""
    try:
        return Path(path or ".").stat().st_mtime_ns
    except OSError:
        return None


def automatic(quietly: bool = False) -> tuple[str, str]:
    """The name of the backend for which `auto` stands, and why: `c` where it can run, else `numpy`.

    Where `c` can't though there is a compiler, that is a warning, once (or none, `quietly`).
    """
    return _automatic(_points(), quietly)


def _automatic(points: Mapping[str, Point], quietly: bool = False) -> tuple[str, str]:
    named = os.environ.get(DEFAULT, "") or AUTO
    if named != AUTO:
        return named, f"{DEFAULT} says so"
    native, reason = _loaded(points["c"]) if "c" in points else (None, "it is not installed")
    if reason is None:
        return "c", "native code is the fastest"
    why = f"c can't run here: {reason}"
    if not quietly and not _warned and getattr(native, "doubts", lambda: None)():
        _warned.append(why)
        warnings.warn(f"{why}. So models run on numpy, which is slower", RuntimeWarning, stacklevel=4)
    return "numpy", why


_warned: list[str] = []
"""What this process has been warned of."""


def find(name: str, run: bool = True) -> Backend:
    """A backend by name; one that is to write source only (not `run`) need not be able to run here.

    `auto` stands for the fastest one that can run here.

    Raises:
        UsageError: there is none, or it can't run here (the message says why).
    """
    points = _points()
    name = _automatic(points)[0] if name == AUTO else name
    if name not in points:
        points = {**points, **_points(EMULATED)}
    if name not in points:
        raise UsageError(f"there is no backend {name}; installed are {', '.join(names()) or 'none'}")
    backend, reason = _loaded(points[name], run)
    if backend is None or reason is not None:
        raise UsageError(f"the backend {name} can't run here: {reason}")
    return backend


def _loaded(point: Point, run: bool = True) -> tuple[Backend | None, str | None]:
    """A backend, and why it can't run here, if it can't (not `run`: if it can't be loaded)."""
    try:
        backend: Backend = point.load()
    except ImportError as error:
        return None, f"it can't be imported: {error}"
    return backend, backend.available() if run else None


def load() -> None:
    """Load all backends, those that stand in for a device as well; none is asked whether it can run."""
    for point in {**_points(), **_points(EMULATED)}.values():
        _loaded(point, run=False)


def describe(emulated: bool = False) -> dict[str, str | None]:
    """All installed backends (with `emulated`, also those that stand in for a device that is not there).

    None stands for those that can run, the reason for those that can't.
    """
    points = {**_points(), **(_points(EMULATED) if emulated else {})}
    return {name: _loaded(point)[1] for name, point in sorted(points.items())}
