"""`recurrency verify`: what is drawn, how a difference is reported, and the command line."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import hypothesis
import numpy as np
import pytest

import recurrency as rc
import recurrency.passes
from recurrency import backend as backends
from recurrency.backend import Call
from recurrency.testing import Case, cases, differences, dimension_sets, verify
from recurrency.testing.bench import bench
from recurrency.testing.cells import CELLS, cell
from recurrency.testing.compare import Comparison
from recurrency.testing.conformance import RAGGED, case_of
from recurrency.testing.outcomes import outcome
from recurrency.testing.verification import verify as searching
from tests.support.verifying import elman

# ------------------------------------------------------------------------------------------------------ what is drawn


def drawn(spec: rc.Spec, count: int = 200, **options: object) -> list[Case]:
    out: list[Case] = []

    @hypothesis.seed(1)
    @hypothesis.settings(max_examples=count, database=None, phases=[hypothesis.Phase.generate], deadline=None)
    @hypothesis.given(cases(spec, **options))
    def look(case: Case) -> None:
        out.append(case)

    look()
    return out


def test_cases_have_all_lengths_states_dtypes_and_numbers() -> None:
    found = drawn(elman(), 400)
    assert {c.batch for c in found} == {0, 1, 2, 3}
    assert {c.steps["t"] for c in found} == set(range(6))
    assert {n for c in found if c.lengths for n in c.lengths["t"]} >= {0, 1, 5}
    assert {c.state for c in found} == {c.lengths is None for c in found} == {True, False}
    assert {c.dtype for c in found} == {"float32", "float64"}
    assert {c.values for c in found} >= {"normal", "large", "tiny", "zeros", "special"}
    assert {len(c.cuts) for c in found} == {0, 1, 2}


SETTINGS: dict[str, Callable[[Case], Any]] = {
    "dtype": lambda case: case.dtype,
    "ragged": lambda case: case.lengths is not None,
    "state": lambda case: case.state,
    "training": lambda case: case.training,
}


def verified(monkeypatch: pytest.MonkeyPatch, name: str, examples: int, seed: int) -> tuple[list[Case], list[Case]]:
    """The cases on which a backend is compared with the interpreter, and derivatives with differences."""
    cases_, sloped = list[Case](), list[Case]()
    monkeypatch.setattr(searching, "compared", lambda spec, case, *_: cases_.append(case) or Comparison([]))
    monkeypatch.setattr(searching, "slopes", lambda spec, case: sloped.append(case) or [])
    verify(cell(name), "numpy", examples, seed)
    return cases_, sloped


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    ("name", "without"), [("random", ()), ("two states", ("training",)), ("no state", ("training", "state"))]
)
def test_every_pair_of_settings_comes_early(
    name: str, without: tuple[str, ...], seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    found, sloped = verified(monkeypatch, name, 12, seed)
    able = {n: of for n, of in SETTINGS.items() if n not in without}
    for one, other in itertools.combinations(able.values(), 2):
        assert len({(one(case), other(case)) for case in found}) == 4
    for setting, of in able.items():
        assert len({of(case) for case in found[:3]}) == 2
        assert len({of(case) for case in sloped}) == 2 or setting == "dtype"  # which is float64 there
    assert all(not case.training for case in found) == ("training" in without)


@pytest.mark.parametrize("name", ["random", "two clocks"])
def test_what_is_rare_comes_early(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    found, sloped = verified(monkeypatch, name, 12, 0)
    steps = {max(case.steps.values()) for case in found}
    assert {0, 1} < steps
    assert {0, 1} < {case.batch for case in found}
    assert {0, 1, 2} == {
        len(case.cuts) for case in found if case.lengths is None and case.batch and max(case.steps.values())
    }
    assert {0, 1, 2} == {len(case.cuts) for case in found if case.lengths is not None}
    assert {"normal", "large", "special"} == {case.values for case in found}
    assert {0} < {n for case in found if case.lengths for n in case.lengths["t"]}
    assert len({repr(case.dimensions) for case in found}) == 3
    assert all(case.batch and max(case.steps.values()) for case in sloped)
    if name == "random":
        causal = [case for case in found if case.lengths is None and case.steps["t"] > 1 and case.batch]
        assert {case.training for case in causal if case.cuts} == {True, False}


def test_a_case_can_be_made_again_from_what_is_printed_of_it() -> None:
    for case in drawn(elman(), 5):
        assert eval(repr(case)) == case


def test_dimensions_are_small_differ_and_keep_what_is_fixed() -> None:
    assert dimension_sets(elman())[:2] == [{"N": 1, "H": 1}, {"N": 2, "H": 3}]
    assert all(d["N"] == 6 for d in dimension_sets(elman(), given={"N": 6}))
    seq2seq = rc.library.Translate
    assert all(set(d) == {"V", "K", "N", "H"} for d in dimension_sets(seq2seq))  # L = 2 counts layers and is kept
    assert max(max(d.values()) for d in dimension_sets(seq2seq)) <= 7


def test_dimensions_that_a_cell_can_not_have_are_left_out() -> None:
    wide = rc.parse("cell Wide[N, K](x: [N]) -> (y: [N - K]) { y = slice(x, K + 1, N) }")
    found = dimension_sets(wide)
    assert len(found) == 3
    assert all(d["N"] > d["K"] for d in found)
    assert all(d["N"] > d["K"] == 50 for d in dimension_sets(wide, given={"K": 50}))
    with pytest.raises(rc.SpecError, match="N - K = -47 is not a dimension"):
        dimension_sets(wide, given={"K": 50, "N": 3})


# ------------------------------------------------------------------------------------------- what stands in padding


class Listening:
    """A backend that remembers what its programs are given; with `module` it says that it writes modules."""

    def __init__(self, inner: str = "interpreter", module: bool = True) -> None:
        self.inner, self.heard = backends.find(inner), list[dict[str, Any]]()
        self.name, self.available = self.inner.name, self.inner.available
        if module:
            self.module = None

    def build(self, *arguments: Any) -> Any:
        runner = self.inner.build(*arguments)

        def run(call: Call) -> Any:
            self.heard.append(dict(call.given))
            return runner(call)

        return run


def ragged_case(name: str, **more: Any) -> Case:
    return case_of(name, batch=3, lengths=RAGGED, state=True, **more)


@pytest.mark.parametrize("name", CELLS)
def test_the_interpreter_reads_nothing_of_padding(name: str) -> None:
    case, work = ragged_case(name), bench(cell(name))
    clean, spoilt = (work.model(case.dimensions, Listening(), "float64", spoilt=spoilt) for spoilt in (False, True))
    for kind in work.possible(case):
        wanted = outcome(clean, case.clean(), kind)
        for key, array in outcome(spoilt, case, kind).items():
            np.testing.assert_array_equal(array, wanted[key], err_msg=f"{kind} {key}")


def padding_of(spoilt: Listening) -> tuple[np.ndarray, np.ndarray]:
    """The symbols, and the real numbers that stood in padding."""
    differences(cell("symbols"), ragged_case("symbols"), spoilt, ["backward", "loss_gradients", "jvp"])
    past = np.arange(5)[:, None] >= RAGGED["t"]
    streams = [a[past] for given in spoilt.heard for n, a in given.items() if a.shape[:2] == (5, 3) and "tape" not in n]
    return tuple(np.concatenate([a.ravel() for a in streams if a.dtype.kind == kind]) for kind in "if")


def test_anything_stands_in_the_padding_of_what_is_given_to_a_backend_that_writes_modules() -> None:
    symbols, real = padding_of(Listening())
    assert set(symbols) <= {-1, 0, 1, 2, 3}
    assert len(set(symbols)) > 2
    assert np.isnan(real).any()
    assert set(real[~np.isnan(real)]) == {1e30, -1e30, 1.0}


def test_nothing_stands_there_for_one_that_writes_none() -> None:
    symbols, real = padding_of(Listening(module=False))
    assert set(symbols) == {-1}
    assert set(real) == {0.0}
