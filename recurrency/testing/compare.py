"""A backend compared with the interpreter in float64, for one case: what differs, where first, and by how much."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from recurrency.backend import compute_of, find, infers_only
from recurrency.errors import RecurrencyError
from recurrency.graph.roots import FINAL, GRADIENT, OUTPUT, STREAM, TANGENT
from recurrency.graph.types import Kind
from recurrency.model.call import DTYPES
from recurrency.testing.bench import Bench, bench
from recurrency.testing.case import Case as Case
from recurrency.testing.outcomes import RESULTS_ONLY, Results, outcome
from recurrency.testing.rounding import DRAWS

if TYPE_CHECKING:
    from recurrency.backend import Backend
    from recurrency.graph.op import Array
    from recurrency.model.arrays import Port
    from recurrency.model.spec import Spec


@dataclass(frozen=True)
class Difference:
    """A result in which a backend differs from the interpreter.

    `result` is the name of what differs (`output:y`, `gradient:W`, ...), `place` the first element of it in time that
    does, `found` and `wanted` its two values, `bound` how far they may lie apart, `greatest` the greatest error in
    units of its bound. Where the call failed, or gave arrays of other names or shapes, `what` says so instead.
    """

    kind: str
    result: str
    place: tuple[int, ...]
    found: float
    wanted: float
    bound: float
    greatest: float
    dtype: str
    axes: tuple[str, ...] = ()
    what: str = ""

    def __str__(self) -> str:
        if self.what:
            return f"{self.kind}, {self.dtype}: {self.what}"
        where = ", ".join(f"{a} {n}" for a, n in zip(self.axes, self.place, strict=True))
        here = f"{self.result} at {where}" if where else self.result
        apart = f"{abs(self.found - self.wanted):.3g} apart, and {self.bound:.3g} is allowed"
        return f"{self.kind}, {self.dtype}: {here} is {self.found:.9g} and not {self.wanted:.9g} ({apart})"


@dataclass
class Comparison:
    """The comparison of a backend with the interpreter on one case."""

    differences: list[Difference]
    greatest: float = 0.0
    """The greatest error, relative to its bound."""
    compared: int = 0
    """The number of elements compared with a finite bound."""
    conditioned: list[str] | None = None
    """Results (`kind result`) that exceed the first bound, but not the one for ill-conditioned cases."""


def differences(
    spec: Spec,
    case: Case,
    backend: str | Backend,
    kinds: Sequence[str] | None = None,
    without: Collection[str] = (),
) -> list[Difference]:
    """The results in which a backend differs from the interpreter in float64 (by default for all kinds of calls).

    `without` names what the backend's compilation leaves out. Models are kept as long as `spec` lives: to compile anew,
    parse it again.

    Raises:
        UsageError: the backend can't run here.
    """
    return compared(spec, case, backend, kinds, without).differences


def tolerance(spec: Spec, case: Case, kind: str, result: str, conditioned: bool = False) -> Array:
    """The tolerance of each element of a result; see `recurrency.testing.rounding`."""
    return bench(spec).bound(case, kind, result, effort=len(DRAWS) if conditioned else 0)


def compared(
    spec: Spec,
    case: Case,
    backend: str | Backend,
    kinds: Sequence[str] | None = None,
    without: Collection[str] = (),
) -> Comparison:
    """As `differences`, with the errors relative to their bounds.

    A backend that computes results only is compared in the kinds `RESULTS_ONLY`, and out of training; one whose
    products have operands of another type, such as bf16, in float32.
    """
    work, found = bench(spec), find(backend) if isinstance(backend, str) else backend
    compute = compute_of(found)
    case = case.of(DTYPES[0]) if compute else case
    able = work.possible(case)
    if infers_only(found):
        able, case = [kind for kind in able if kind in RESULTS_ONLY], replace(case, training=False)
    out = Comparison([], conditioned=[])
    for kind in able if kinds is None else [k for k in kinds if k in able]:
        _Comparer(work, case, backend, frozenset(without), kind, out, compute).compare()
    if out.conditioned and not out.differences and case.dtype == DTYPES[0] and not compute:
        _referee(spec, case, backend, frozenset(without), out)
    return out


def _referee(spec: Spec, case: Case, backend: str | Backend, without: frozenset[str], out: Comparison) -> None:
    """A result that is ill-conditioned in float32 must be right in float64, if the backend supports it."""
    kinds = dict.fromkeys(c.split()[0] for c in out.conditioned or ())
    again = compared(spec, case.of("float64"), backend, list(kinds), without)
    out.differences += again.differences
    out.compared += again.compared


@dataclass
class _Comparer:
    """One kind of call on one case."""

    work: Bench
    case: Case
    backend: str | Backend
    without: frozenset[str]
    kind: str
    out: Comparison
    compute: str = ""

    def compare(self) -> None:
        """Add to the comparison."""
        wanted = self.work.reference(self.case, self.kind)
        case = self.case
        model = self.work.model(case.dimensions, self.backend, case.dtype, self.without, case.spoilt)
        try:
            found = outcome(model, self.case, self.kind)
        except RecurrencyError as error:
            self._failed("it refuses", error)
            return
        except Exception as error:  # whatever a backend raises is a finding
            self._failed(f"it raises {type(error).__name__}", error)
            return
        for key in sorted(found, key=_order):
            if key in wanted:
                self._array(key, np.asarray(found[key]), wanted[key])
        self._names(found, wanted)

    def _failed(self, what: str, error: Exception) -> None:
        lines = str(error).strip().split("\n") or [""]
        self._say("", f"{what}: {lines[0]}")

    def _say(self, key: str, what: str) -> None:
        nothing = (np.nan, np.nan, np.nan, np.inf)
        self.out.differences.append(Difference(self.kind, key, (), *nothing, self.case.dtype, what=what))
        self.out.greatest = np.inf

    def _names(self, found: Results, wanted: Results) -> None:
        """The results to compare: in pieces streams and states, in one piece everything."""
        missing = sorted(set(wanted) - set(found)) if self.kind not in ("chunks", "steps") else []
        for key in [*missing, *sorted(set(found) - set(wanted))]:
            self._say(key, f"{key} is {'missing' if key in missing else 'not asked for'}")

    def _array(self, key: str, found: Array, wanted: Array) -> None:
        real = self.case.dtype if wanted.dtype.kind == "f" else "int64"
        if found.shape != wanted.shape:
            self._say(key, f"{key} has the shape {list(found.shape)} and not {list(wanted.shape)}")
        elif found.dtype.name != real and key != "loss" and not key.startswith(FINAL.of("t")):
            self._say(key, f"{key} holds {found.dtype.name} and not {real}")
        else:
            self._values(key, found, wanted)

    def _values(self, key: str, found: Array, wanted: Array) -> None:
        """Compare with the cheapest bound first, and with a dearer one if it fails; padding must be exact."""
        with np.errstate(invalid="ignore"):
            error = np.abs(found.astype(float) - wanted)
        known = np.isfinite(wanted)
        error = np.where(known, np.where(np.isfinite(error), error, np.inf), 0.0)
        for effort in range(len(DRAWS) + 1):
            bound = self.work.bound(self.case, self.kind, key, effort, self.compute)
            if (error <= bound).all():
                break
        if effort and self.out.conditioned is not None:
            self.out.conditioned.append(f"{self.kind} {key}")
        padding = self._padding(key, wanted)
        bound = np.where(padding, 0.0, bound)
        self.out.compared += int((known & np.isfinite(bound)).sum())
        wrong = error > bound
        with np.errstate(all="ignore"):
            ratio = np.where(error > 0, error / bound, 0.0)
        self.out.greatest = max(self.out.greatest, float(np.nan_to_num(ratio, posinf=np.inf).max(initial=0.0)))
        if wrong.any():
            place = tuple(int(i) for i in np.argwhere(wrong)[0])
            values = (float(found[place]), float(wanted[place]), float(bound[place]))
            greatest = float(ratio[wrong].max())
            axes = axes_of(self.port(key), wanted.ndim)
            self.out.differences.append(Difference(self.kind, key, place, *values, greatest, self.case.dtype, axes))

    def _padding(self, key: str, wanted: Array) -> Array:
        """The elements after the end of their sequence."""
        port = self.port(key)
        if port is None or port.kind is not Kind.STREAM or not wanted.size:
            return np.zeros(wanted.shape, bool)
        valid = self.case.valid(port.clock)
        return np.broadcast_to(~valid.reshape(valid.shape + (1,) * (wanted.ndim - 2)), wanted.shape)

    def port(self, key: str) -> Port | None:
        """The port of a result."""
        model = self.work.reference_model(self.case)
        group, name = group_of(key)
        tables: dict[str, Any] = {"output": model.outputs, "input": model.inputs, "stream": model.streams}
        tables |= dict.fromkeys(("final", "start"), model.state_ports)
        port: Port | None = tables.get(group, {}).get(name)
        return port


def group_of(key: str) -> tuple[str, str]:
    """The kind and name of the value that a result belongs to: `gradient:input:x` belongs to the input x."""
    parts = TANGENT.name(GRADIENT.name(key)).split(":", 1)
    if len(parts) == 2 and parts[0] in ("output", "input", "stream", "final", "start"):
        return parts[0], parts[1]
    return "param", parts[-1]


def axes_of(port: Port | None, ndim: int) -> tuple[str, ...]:
    """The meaning of the axes of a result."""
    lead = {None: (), Kind.STATIC: (), Kind.SEQUENCE: ("sequence",), Kind.STREAM: ("step", "sequence")}
    first = lead[port.kind if port is not None else None]
    rest = ndim - len(first)
    return (*first, *(("element",) if rest == 1 else tuple(f"axis {k}" for k in range(rest))))


ORDER = (STREAM.prefix, OUTPUT.prefix, FINAL.prefix, "loss", TANGENT.prefix)
"""The order of results in a report: that of the computation."""


def _order(key: str) -> tuple[int, str]:
    return next((k for k, prefix in enumerate(ORDER) if key.startswith(prefix)), len(ORDER)), key
