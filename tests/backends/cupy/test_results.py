"""Results on a device belong to the caller: no later call changes them, no two share memory, inputs stay as they are.

The conformance suite says so of arrays on the host; here arrays go in and come out where they are, on the device.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

import numpy as np
import pytest

from recurrency import backend
from recurrency.backend import Call
from recurrency.model.model import Model
from recurrency.testing.case import Case
from recurrency.testing.cells import CELLS, cell
from recurrency.testing.conformance import RAGGED, case_of
from recurrency.testing.outcomes import KINDS, outcome, possible
from recurrency.testing.padding import Spoilt
from tests.support.usual import diagonal

INSTALLED = backend.describe(emulated=True)


def device(name: str, *marks: pytest.MarkDecorator) -> Any:
    """A backend, skipped by name where it can't run."""
    reason = INSTALLED.get(name, "there is no such backend")
    return pytest.param(name, marks=[pytest.mark.skipif(reason is not None, reason=f"{name}: {reason}"), *marks])


DEVICES = [device("cupy-emulated"), device("cupy", pytest.mark.gpu)]


@dataclass
class Held:
    """An array on the device, and what it held when it came to be."""

    name: str
    array: Any
    host: Any

    @property
    def bytes(self) -> tuple[int, int]:
        """Where it lies: the first byte, and the one after the last."""
        start = self.array.data.ptr if hasattr(self.array, "data") else self.array.address
        far = [(n - 1) * s for n, s in zip(self.array.shape, self.array.strides, strict=True)]
        return start + sum(min(f, 0) for f in far), start + sum(max(f, 0) for f in far) + self.array.itemsize


@dataclass
class OnDevice:
    """A backend whose programs are called with arrays of the device; all that goes in and comes out is held.

    `module` says that its programs are those of modules, which read nothing of padding.
    """

    inner: Any
    given: list[Held] = field(default_factory=list)
    results: list[Held] = field(default_factory=list)
    there: dict[int, Held] = field(default_factory=dict)
    name: str = "on device"
    function: Any = None
    module: None = None

    def __post_init__(self) -> None:
        self.xp = self.inner.load()

    def available(self) -> str | None:
        return None

    def build(self, *arguments: Any) -> Any:
        built = self.inner.build(*arguments)

        def run(call: Call) -> dict[str, Any]:
            self.function = built.device
            params = self._placed("", call.params)
            given = {name: self._placed(name, array) for name, array in call.given.items()}
            found = built.device(params, given, *call[2:])
            return {name: self._handed(name, array) for name, array in found.items()}

        return run

    def _placed(self, name: str, host: Any) -> Any:
        """The array on the device; a result of before (the tape of a run) is there already."""
        if id(host) in self.there:
            return self.there[id(host)].array
        self.given.append(Held(name, self.xp.asarray(np.array(host, order="C")), np.array(host)))
        return self.given[-1].array

    def _handed(self, name: str, array: Any) -> Any:
        self.results.append(Held(name, array, self.xp.asnumpy(array)))
        self.there[id(self.results[-1].host)] = self.results[-1]
        return self.results[-1].host

    def unchanged(self, held: list[Held]) -> None:
        """All of them are what they were."""
        for one in held:
            np.testing.assert_array_equal(self.xp.asnumpy(one.array), one.host, err_msg=one.name)

    def overwrite(self) -> None:
        """The caller writes into all results."""
        for one in self.results:
            value = np.full(one.host.shape, 7, one.host.dtype)
            self.function.copy(self.xp.asarray(value), one.array)


def apart(results: list[Held], given: list[Held]) -> None:
    """No two results share memory, and none lies in what was given; but the tape of a run may lie together."""
    pairs = [*combinations(results, 2), *((one, other) for one in results for other in given)]
    for one, other in pairs:
        internal = one.name.startswith("tape:") and other.name.startswith("tape:")
        if one.array.size and other.array.size and not internal:
            assert one.bytes[1] <= other.bytes[0] or other.bytes[1] <= one.bytes[0], f"{one.name} and {other.name}"


def hold(spec: Any, case: Case, other: Case, plan: str | None, name: str) -> None:
    """All kinds of calls for two cases of the same sizes, one after another."""
    found: Any = backend.find(name)
    on = OnDevice(type(found)(name, found.load, plan))
    model = Model(spec, spec.elaborate(**case.dimensions), Spoilt(on), case.dtype)
    for kind in [k for k in KINDS if k in possible(model, case)]:
        first = outcome(model, case, kind)
        outcome(model, other, kind)
        on.unchanged([*on.given, *on.results])
        apart(on.results, on.given)
        wanted = {key: array.copy() for key, array in first.items()}
        on.overwrite()
        on.unchanged(on.given)
        again = outcome(model, case, kind)
        for key, array in wanted.items():
            np.testing.assert_array_equal(again[key], array, err_msg=f"{kind} {key}")
        on.given.clear()
        on.results.clear()
        on.there.clear()


@pytest.mark.parametrize(("name", "kind"), diagonal(CELLS, ["full", "ragged"]))
@pytest.mark.parametrize("on", DEVICES)
def test_results_belong_to_the_caller(on: str, name: str, kind: str) -> None:
    lengths = RAGGED if kind == "ragged" else None
    one, other = (case_of(name, batch=3, lengths=lengths, state=True, seed=seed, training=True) for seed in (1, 2))
    hold(cell(name), one, other, None, on)


@pytest.mark.parametrize(
    ("name", "plan"), diagonal(["two states", "random", "two clocks"], ["loop", "step", "split", "gemm"])
)
@pytest.mark.parametrize("on", DEVICES)
def test_results_of_every_plan_belong_to_the_caller(on: str, name: str, plan: str) -> None:
    one, other = (case_of(name, "float32", batch=3, seed=seed) for seed in (1, 2))
    hold(cell(name), one, other, plan, on)
