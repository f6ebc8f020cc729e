"""Calls that can't be carried out as asked: each is refused with one sentence in the user's own names."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest

import recurrency as rc
from tests.support.specimens import compiled, inputs_of, params_of

Call = Callable[[Any], Any]


@cache
def elman(batch_first: bool = False) -> Any:
    return rc.library.Elman.compile("interpreter", "float64", batch_first, N=2, H=3)


def bad(array: Any, *place: int, value: Any = np.nan) -> Any:
    array = array.copy()
    array[place] = value
    return array


X = np.ones((4, 2, 2))
TWO = inputs_of(compiled("two clocks", "interpreter"), steps={"s": 4, "t": 5})
W = np.ones((4, 2), int)

ARRAYS: dict[str, tuple[str, Call, str]] = {
    "a wrong dimension": (
        "elman",
        lambda m: m.forward(m.init(), X[..., :1]),
        "x is [T=4, B=2, N=1]; Elman was compiled for N=2",
    ),
    "a missing axis": ("elman", lambda m: m.forward(m.init(), X[0]), "x is [2, 2]; Elman needs [T, B, N=2]"),
    "an axis too many": ("elman", lambda m: m.forward(m.init(), X[None]), "x is [1, 4, 2, 2]; Elman needs [T, B, N=2]"),
    "no array": ("elman", lambda m: m.forward(m.init(), None), "x holds object; it must hold real numbers"),
    "words": ("elman", lambda m: m.forward(m.init(), "abc"), "x holds str96; it must hold real numbers"),
    "complex numbers": (
        "elman",
        lambda m: m.forward(m.init(), X * 1j),
        "x holds complex128; it must hold real numbers",
    ),
    "a ragged list": (
        "elman",
        lambda m: m.forward(m.init(), [[[1.0, 2.0]], [[1.0]]]),
        "x can't be made an array: setting an array element with a sequence",
    ),
    "not a number": ("elman", lambda m: m.forward(m.init(), bad(X, 3, 1, 0)), "x[3, 1, 0] is nan, not a number"),
    "not a number before the end": (
        "elman",
        lambda m: m.forward(m.init(), bad(X, 2, 1, 0), lengths=[1, 3]),
        "x[2, 1, 0] is nan, not a number",
    ),
    "lengths of another batch": (
        "elman",
        lambda m: m.forward(m.init(), X, lengths=[1, 2, 3]),
        "lengths must be 2 whole numbers, one for each sequence, not int64 [3]",
    ),
    "lengths that are no whole numbers": (
        "elman",
        lambda m: m.forward(m.init(), X, lengths=[1.0, 2.0]),
        "lengths must be 2 whole numbers, one for each sequence, not float64 [2]",
    ),
    "a negative length": (
        "elman",
        lambda m: m.forward(m.init(), X, lengths=[2, -1]),
        "lengths[1] is -1, but the batch has 4 steps on the clock t",
    ),
    "a length beyond the end": (
        "elman",
        lambda m: m.forward(m.init(), X, lengths=[5, 1]),
        "lengths[0] is 5, but the batch has 4 steps on the clock t",
    ),
    "parameters of another size": (
        "elman",
        lambda m: m.forward(np.zeros(3), X),
        "params is float64 [3]; Elman has one vector of 18 numbers (see init and pack)",
    ),
    "parameters by name": (
        "elman",
        lambda m: m.forward(m.views(m.init()), X),
        "params is object []; Elman has one vector of 18 numbers (see init and pack)",
    ),
    "a direction of another size": (
        "elman",
        lambda m: m.jvp(m.init(), X, np.zeros((18, 1))),
        "params_tangent is float64 [18, 1]; Elman has one vector of 18 numbers (see init and pack)",
    ),
    "a state of another shape": (
        "elman",
        lambda m: m.forward(m.init(), X, {"h": np.zeros(3)}),
        "the state h is [3]; this call needs [2, 3] (B=2 first)",
    ),
    "a gradient of another shape": (
        "elman",
        lambda m: m.vjp(m.init(), X, np.zeros((4, 2, 2))),
        "the gradient of h is [4, 2, 2]; this call needs [4, 2, 3]",
    ),
    "a tangent of another shape": (
        "elman",
        lambda m: m.jvp(m.init(), X, inputs_tangent={"x": X[0]}),
        "the tangent of x is [2, 2]; this call needs [4, 2, 2]",
    ),
    "a step with time": ("elman", lambda m: m.step(m.init(), X), "x is [4, 2, 2]; a step of Elman needs [B, N=2]"),
    "a step of another dimension": (
        "elman",
        lambda m: m.step(m.init(), X[0, :, :1]),
        "x is [B=2, N=1]; a step of Elman was compiled for N=2",
    ),
    "a missing and an unknown parameter": (
        "elman",
        lambda m: m.pack({"W": 0, "U": 0, "c": 0}),
        "the parameters of Elman are W, U, b; given are no b and an unknown c",
    ),
    "a parameter of another shape": (
        "elman",
        lambda m: m.pack({"W": np.zeros((2, 3)), "U": np.zeros((3, 3)), "b": np.zeros(3)}),
        "W is [2, 3]; Elman was compiled for [3, 2]",
    ),
    "a symbol beyond the vocabulary": (
        "symbols",
        lambda m: m.forward(m.init(), W * 4),
        "w[0, 0] is 4, not a symbol: they go from 0 to 3 (-1 for none)",
    ),
    "a negative symbol": (
        "symbols",
        lambda m: m.forward(m.init(), bad(W, 1, 0, value=-2)),
        "w[1, 0] is -2, not a symbol: they go from 0 to 3 (-1 for none)",
    ),
    "symbols as real numbers": (
        "symbols",
        lambda m: m.forward(m.init(), W * 1.0),
        "w holds float64; it must hold whole numbers below 4",
    ),
    "an unknown symbol in a state": (
        "symbols",
        lambda m: m.forward(m.init(), W, {"w": [7, 0]}),
        "the state w[0] is 7, not a symbol: they go from 0 to 3 (-1 for none)",
    ),
    "inputs of different batches": (
        "two states",
        lambda m: m.forward(m.init(), {"x": X, "goal": np.ones((4, 3, 3))}),
        "goal has 3 sequences, x has 2",
    ),
    "inputs of different lengths": (
        "two states",
        lambda m: m.forward(m.init(), {"x": X, "goal": np.ones((3, 2, 3))}),
        "goal has 3 steps, x has 4",
    ),
    "a count of steps that is none": (
        "random",
        lambda m: m.forward(m.init(), X, {"t": 1.5}),
        "the state t counts steps: 2 whole numbers from 0, one for each sequence, not float64 []",
    ),
}


@pytest.mark.parametrize("case", ARRAYS)
def test_an_array_that_does_not_fit_is_refused_in_the_users_names(case: str) -> None:
    name, call, message = ARRAYS[case]
    model = elman() if name == "elman" else compiled(name, "interpreter")
    with pytest.raises(rc.ShapeError) as caught:
        call(model)
    assert str(caught.value) == message


def test_messages_speak_of_the_axes_in_the_callers_order() -> None:
    model = elman(batch_first=True)
    for x, message in (
        (np.ones((2, 4, 1)), "x is [B=2, T=4, N=1]; Elman was compiled for N=2"),
        (np.ones((2, 2)), "x is [2, 2]; Elman needs [B, T, N=2]"),
    ):
        with pytest.raises(rc.ShapeError) as caught:
            model.forward(model.init(), x)
        assert str(caught.value) == message
    with pytest.raises(rc.ShapeError, match=r"the gradient of h is \[4, 2, 3\]; this call needs \[2, 4, 3\]"):
        model.vjp(model.init(), np.ones((2, 4, 2)), np.ones((4, 2, 3)))


@pytest.mark.filterwarnings("error")
def test_infinite_and_huge_numbers_are_the_callers_business() -> None:
    model = rc.library.Linear.compile(N=2, K=1)
    for value in (np.inf, -np.inf, 1e300):
        model.forward(model.init(), bad(bad(X, 0, 0, 0, value=value), 0, 0, 1, value=-value))


NAMES: dict[str, tuple[str, Call, str]] = {
    "an unknown input": (
        "two states",
        lambda m: m.forward(m.init(), {"x": X, "gaol": X}),
        "TwoStates has the inputs x, goal; given are no goal and an unknown gaol",
    ),
    "a bare array for two inputs": (
        "two states",
        lambda m: m.loss(m.init(), X),
        "TwoStates has the inputs x, goal: pass them by name",
    ),
    "an unknown stream": (
        "delay lines",
        lambda m: m.forward(m.init(), X, streams=["q"]),
        "DelayLines has no stream q; it has x, h, y",
    ),
    "an unknown state": (
        "delay lines",
        lambda m: m.forward(m.init(), X, {"h[t-2]": X}),
        "DelayLines has no state h[t-2]; did you mean h[t-2..t-1]?",
    ),
    "a state where there is none": (
        "no state",
        lambda m: m.forward(m.init(), X, {"h": X}),
        "NoState has no state h; it has none",
    ),
    "a count of steps where nothing is random": (
        "delay lines",
        lambda m: m.forward(m.init(), X, {"t": 3}),
        "DelayLines has no state t; it has x, x[t-2..t-1], h, h[t-2..t-1]",
    ),
    "a gradient of an unknown output": (
        "delay lines",
        lambda m: m.vjp(m.init(), X, {"z": X}),
        "DelayLines has no real-valued output z; it has y",
    ),
    "a gradient of symbols": (
        "symbols",
        lambda m: m.vjp(m.init(), W, {"before": X}),
        "Symbols has no real-valued output before; it has logits",
    ),
    "a tangent of symbols": (
        "symbols",
        lambda m: m.jvp(m.init(), W, inputs_tangent=W),
        "Symbols has no real-valued input w; it has none",
    ),
    "a tangent of an unknown state, after a known one": (
        "delay lines",
        lambda m: m.jvp(m.init(), X, state_tangent={"h": np.zeros((2, 3)), "z": X}),
        "DelayLines has no real-valued state z; it has x, x[t-2..t-1], h, h[t-2..t-1]",
    ),
    "one list of lengths for two clocks": (
        "two clocks",
        lambda m: m.forward(m.init(), TWO, lengths=[1, 2, 3]),
        "TwoClocks runs over the clocks s, t: pass lengths for each by name",
    ),
    "lengths of an unknown clock": (
        "two clocks",
        lambda m: m.forward(m.init(), TWO, lengths={"r": [1, 2, 3]}),
        "TwoClocks has no clock r; it has s, t",
    ),
    "gradients of something unknown": (
        "delay lines",
        lambda m: m.loss_and_gradients(m.init(), X, wrt=["h"]),
        "wrt names params, inputs, state, not h",
    ),
    "a seed that is no whole number": (
        "delay lines",
        lambda m: m.forward(m.init(), X, seed=0.5),
        "seed must be a whole number, not 0.5",
    ),
    "a first seed that is no whole number": (
        "delay lines",
        lambda m: m.init("x"),
        "seed must be a whole number, not 'x'",
    ),
    "a run that remembers nothing": (
        "delay lines",
        lambda m: m.backward(m.forward(m.init(), X, keep=False)),
        "this run remembers nothing: call forward with keep=True",
    ),
}


@pytest.mark.parametrize("case", NAMES)
def test_an_unknown_name_is_refused_with_those_that_there_are(case: str) -> None:
    name, call, message = NAMES[case]
    with pytest.raises(rc.UsageError) as caught:
        call(compiled(name, "interpreter"))
    assert str(caught.value) == message


E = rc.library.Elman
F = rc.library.FirstElement
COMPILED: dict[str, tuple[Callable[[], Any], str]] = {
    "a missing dimension": (
        lambda: E.compile(),
        "Elman needs N and H: give N=..., H=... (on the command line: -D N=64)",
    ),
    "an unknown dimension": (lambda: E.compile(N=1, H=1, K=1), "Elman has no dimension K (it has N, H, squash)"),
    "a dimension of zero": (lambda: E.compile(N=1, H=0), "Elman: H is 0, but dimensions start at 1"),
    "a negative dimension": (lambda: E.compile(N=-1, H=1), "Elman: N is -1, but dimensions start at 1"),
    "a huge dimension": (lambda: E.compile(N=1, H=10**8), "Elman: H is 100000000, but a dimension is at most 16777216"),
    "too many parameters": (
        lambda: rc.library.GatedFeedback.compile(N=1, H=2**15),
        "GatedFeedback has 11,812,274,179 parameters; at most 8,589,934,592 are possible",
    ),
    "a dimension that is no whole number": (lambda: E.compile(N=1, H=1.5), "Elman: H must be a whole number, not 1.5"),
    "an unknown cell": (
        lambda: F.compile(H=1, Cell="LSTMM"),
        "FirstElement: Cell: there is no function or cell LSTMM; did you mean LSTM?",
    ),
    "an unknown dtype": (lambda: E.compile(N=1, H=1, dtype="float16"), "dtype must be float32 or float64, not float16"),
    "no dtype at all": (lambda: E.compile(N=1, H=1, dtype="real"), "dtype must be float32 or float64, not real"),
}


@pytest.mark.parametrize("case", COMPILED)
def test_what_can_not_be_compiled_is_refused_with_the_reason(case: str) -> None:
    call, message = COMPILED[case]
    with pytest.raises(rc.UsageError) as caught:
        call()
    assert str(caught.value) == message


def test_a_pass_that_is_not_there_can_not_be_switched_off() -> None:
    with pytest.raises(rc.UsageError, match=r"there is no pass fuze .* cse, forget, fuse, .*; did you mean fuse\?"):
        E.compile(N=1, H=1, without=["fuze"])


def test_a_value_that_is_too_large_is_refused_before_there_is_memory_for_it() -> None:
    with pytest.raises(rc.SpecError, match=r"at most 1.1e\+09 are allowed"):
        E.compile(N=1, H=2**24)


@pytest.mark.parametrize("dimensions", [{"H": 1, "Cell": 3}, {"H": "LSTM"}, {"H": "tanh"}], ids=str)
def test_a_dimension_of_the_wrong_sort_is_the_users_error(dimensions: dict[str, Any]) -> None:
    with pytest.raises(rc.RecurrencyError):
        F.compile("interpreter", **dimensions)


@pytest.mark.parametrize("name", ["cse", "pack", "reassociate", "simplify", "keep"])
def test_results_do_not_depend_on_a_pass(name: str) -> None:
    model, plain = (rc.library.LSTM.compile("interpreter", "float64", without=w, N=2, H=2) for w in ([], [name]))
    params = params_of(model)
    inputs = inputs_of(model, steps={"t": 3}, batch=2)
    other = plain.pack(model.views(params))
    found, wanted = plain.forward(other, inputs), model.forward(params, inputs)
    np.testing.assert_allclose(found.output, wanted.output, rtol=1e-12, atol=1e-14)
    u = np.ones(wanted.output.shape)
    gradients = plain.views(plain.backward(found, u).params)
    for n, g in model.views(model.backward(wanted, u).params).items():
        np.testing.assert_allclose(gradients[n], g, rtol=1e-10, atol=1e-12)
