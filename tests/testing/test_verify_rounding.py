"""The error model: what it allows, what it finds, and whom it does not accuse."""

from __future__ import annotations

import numpy as np
import pytest

import recurrency as rc
from recurrency.graph.ops import OPS
from recurrency.testing import Case, differences, tolerance
from recurrency.testing.bench import bench
from recurrency.testing.compare import compared
from recurrency.testing.rounding import ERRORS, ERRORS_AT, FIRST, UNIT, Jiggler, first_bound, growth
from recurrency.testing.strata import listed
from tests.support.planting import Wrong, scaled

ELMAN = rc.library.Elman.source.text
CASE = Case({"N": 2, "H": 3}, {"t": 4}, 2, {"t": (4, 2)}, state=True)
KINDS = ["forward", "backward"]
CHAOS = """
    cell Chaos[H](x: [H]) -> (h: [H]) {
        param U : [H, H] ~ orthogonal
        state h : [H] = 0
        h = sin(3 * U @ h[t-1] + 5 * x)
    }"""
CANCELLATION = """
    cell Cancel[H](x: [H]) -> (y: [H]) {
        param w : [H] ~ ones
        y = (90000 + w * x) - 90000 - 0.25 * w * x
    }"""


def elman() -> rc.Spec:
    return rc.parse(ELMAN, "simple.rnn", "Elman")


# --------------------------------------------------------------------------------------------------------- the bounds


@pytest.mark.parametrize("dtype", UNIT)
def test_a_bound_is_a_few_roundings_of_each_element(dtype: str) -> None:
    spec, case = elman(), CASE.of(dtype)
    model, wanted = bench(spec).reference_model(case), bench(spec).reference(case, "forward")["output:h"]
    bound = tolerance(spec, case, "forward", "output:h")
    assert np.finfo(dtype).eps / 2 == UNIT[dtype]
    assert growth(model, case) == FIRST + 3 + 4 + 2  # the widest dimension, the steps, the sequences
    np.testing.assert_array_equal(bound, first_bound(model, case, wanted))
    assert (bound <= 2 * 33 * UNIT[dtype] * abs(wanted).max() * 1.001).all()


@pytest.mark.parametrize("backend", ["numpy", "interpreter"])
@pytest.mark.parametrize("dtype", UNIT)
@pytest.mark.parametrize("op", ["tanh", "product"])
def test_a_hundred_times_the_bound_is_found(op: str, dtype: str, backend: str) -> None:
    spec, case = elman(), CASE.of(dtype)
    relative = 2 * UNIT[dtype] * growth(bench(spec).reference_model(case), case)
    assert not differences(spec, case, Wrong(op, scaled(1.0), backend), KINDS)
    assert differences(spec, case, Wrong(op, scaled(1 + 100 * relative), backend), KINDS)


def test_every_operation_that_rounds_has_its_error() -> None:
    """What is left compares, chooses, moves or repeats, and is exact; or is a source."""
    exact = {"negative", "relu", "abs", "sign", "less", "less_equal", "equal", "minimum", "maximum", "where"}
    exact |= {"floor", "round", "stop_grad", "clip_grad", "add_slope", "peak", "argmax"}
    moving = {name for name, op in OPS.items() if op.group in ("source", "boundary", "layout", "index", "time")}
    assert set(ERRORS) | set(ERRORS_AT) | exact | moving == set(OPS)
    assert set(ERRORS) & (exact | moving) == {"array"}, "a source that float32 need not hold exactly"


def test_jiggled_numbers_scatter_by_the_units_that_are_stated() -> None:
    jiggler = Jiggler("float32")
    y = np.full(1000, 3.0)
    moved = jiggler.moved(y, y) - y
    assert abs(moved).max() <= 3 * UNIT["float32"]
    assert abs(moved).max() > 2.9 * UNIT["float32"]
    assert np.isinf(jiggler.moved(np.array([1e39]), np.zeros(1))).all()  # beyond float32
    assert set(jiggler.moved(np.full(100, 1e-40), np.zeros(100))) == {0.0, 1e-40}  # flushed to zero, or not


# ------------------------------------------------------------------------------------- ill-conditioned is not wrong


@pytest.mark.parametrize(("text", "steps"), [(CHAOS, 50), (CANCELLATION, 3)], ids=["chaos", "cancellation"])
def test_an_honest_backend_is_not_accused_of_an_ill_conditioned_cell(text: str, steps: int) -> None:
    spec, case = rc.parse(text), Case({"H": 3}, {"t": steps}, 2, dtype="float32")
    found = compared(spec, case, "numpy", KINDS)
    assert not found.differences
    assert found.conditioned
    assert found.greatest < 1


@pytest.mark.parametrize(("text", "op"), [(CHAOS, "sin"), (CANCELLATION, "multiply")], ids=["chaos", "cancellation"])
def test_a_wrong_backend_does_not_hide_behind_an_ill_conditioned_cell(text: str, op: str) -> None:
    """The error is one that float32 rounding would explain: the referee in float64 sees it."""
    spec, case = rc.parse(text), Case({"H": 3}, {"t": 20}, 2, dtype="float32")
    found = differences(spec, case, Wrong(op, scaled(1 + 3e-8)), ["forward"])
    assert {d.dtype for d in found} == {"float64"}


def test_a_backend_that_is_wrong_in_float32_alone_is_found() -> None:
    found = differences(elman(), CASE.of("float32"), Wrong("tanh", scaled(1 + 1e-3), dtypes=("float32",)), KINDS)
    assert {d.dtype for d in found} == {"float32"}


def test_what_overflows_in_float32_is_not_compared() -> None:
    """In float64 the result is 1: nothing can be said of infinity over infinity."""
    spec = rc.parse("""
        cell Ratio[H](x: [H]) -> (y: [H]) {
            a = exp(80 + 0 * x)
            y = (a * a) / (a * a)
        }""")
    case = Case({"H": 2}, {"t": 2})
    without = ["simplify", "cse", "reassociate", "pack"]
    assert compared(spec, case, "numpy", ["forward"], without).compared == 4
    single = compared(spec, case.of("float32"), "numpy", ["forward"], without)
    assert not single.differences
    assert single.compared == 4  # those of the referee, in float64


# ------------------------------------------------------------------------------------------------------- lost tails

LIKELIHOODS = {
    "sigmoid": "sigmoid(x)",
    "logarithm": "-log(sigmoid(x))",
    "softplus": "softplus(x)",
    "log_softmax": "log_softmax(concat(x, 0))",
    "softmax": "softmax(concat(x, 0))",
    "exp": "exp(-abs(x))",
}


@pytest.mark.parametrize("name", LIKELIHOODS)
def test_a_lost_tail_is_found_beside_large_numbers(name: str) -> None:
    """The error is one rounding of 1, in units of which 16.64 and 17 come from equal probabilities."""
    shape = "[H + 1]" if "softmax" in name else "[H]"
    spec = rc.parse(f"cell Tail[H](x: [H]) -> (y: {shape}) {{ y = {LIKELIHOODS[name]} }}")
    case = Case({"H": 12}, {"t": 2}, 1, dtype="float32", values="tails")
    op = "sigmoid" if name == "logarithm" else name
    assert not differences(spec, case, "numpy", KINDS)
    assert differences(spec, case, Wrong(op, lambda value: (value + 1.0) - 1.0), KINDS)


def test_every_cell_is_tried_for_lost_tails() -> None:
    assert any(case.values == "tails" for case in listed(elman(), [{"N": 2, "H": 3}]))
