"""Promises of the language: names, order, families, functions, delays and first values."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import recurrency as rc
from recurrency.errors import UsageError
from recurrency.graph.types import Kind
from tests.support.elaborating import B, T, arrays, cell, elaborated, mistakes, numbers, run, same
from tests.support.language_page import LSTM


def test_the_order_of_equations_has_no_meaning() -> None:
    lines = ["a = tanh(x + y[t-1])", "b = 2 * a + c", "c = sigmoid(a)", "y = b - c[t-2]"]
    first = run(cell(*lines), N=3, H=1)
    for order in itertools.permutations(lines):
        again = run(cell(*order), N=3, H=1)
        assert all(np.array_equal(first[f"stream:{n}"], again[f"stream:{n}"]) for n in "abcy")


def test_declarations_may_stand_behind_what_uses_them() -> None:
    one = cell("param W : [H, N] ~ zeros", "state h : [H] = 0", "h = W @ x + h[t-1]", "y = x * sum(h)")
    other = cell("y = x * sum(h)", "h = W @ x + h[t-1]", "state h : [H] = 0", "param W : [H, N] ~ zeros")
    assert same(one, other, "y h", N=2, H=3)


def test_the_lstm_of_the_page_computes_its_equations() -> None:
    result = elaborated(LSTM, N=2, H=3)
    given = arrays(result)
    found = run(LSTM, N=2, H=3)["output:h"]
    h = c = np.zeros((B, 3))
    for t in range(T):
        x = given["x"][t]
        i, f, g, o = (x @ given[f"W_{k}"].T + h @ given[f"U_{k}"].T + given[f"b_{k}"] for k in "ifgo")
        i, f = (_sigmoid(z + given[f"p_{k}"] * c) for z, k in ((i, "i"), (f, "f")))
        c = f * c + i * np.tanh(g)
        h = _sigmoid(o + given["p_o"] * c) * np.tanh(c)
        assert np.allclose(found[t], h)


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


# --------------------------------------------------------------------------------------- families, loops, conditions


def test_a_loop_is_the_same_as_its_turns_written_out() -> None:
    loop = cell("for j in 1..3 { a[j] = (x if j == 1 else a[j-1]) * j + 1 }", "y = a[3]")
    assert same(loop, cell("y = ((x + 1) * 2 + 1) * 3 + 1"), N=2, H=1)


def test_a_family_may_be_read_before_the_loop_that_defines_it() -> None:
    lines = ["y = a[L]", "for j in 2..L { a[j] = tanh(a[j-1]) }", "a[1] = x"]
    header = "Chain[N, L = 400](x: [N]) -> (y: [N])"
    assert len(elaborated(cell(*lines, header=header), N=1).graph) > 390


def test_loops_against_the_direction_of_their_needs_may_be_long() -> None:
    lines = ["for j in 1..1500 { a[j] = 0.5 * a[j+1] + x }", "a[1501] = x", "y = a[1]"]
    assert np.allclose(run(cell(*lines), N=1, H=1)["output:y"], 2 * run(cell("y = x"), N=1, H=1)["output:y"])


@pytest.mark.parametrize(
    ("comprehension", "plain"),
    [
        ("sum(i * x for i in 1..3)", "6 * x"),
        ("mean(i * x for i in 1..4)", "2.5 * x"),
        ("max(x * i for i in 1..3)", "max(x, 3 * x)"),
        ("min(x * i for i in 1..3)", "min(x, 3 * x)"),
        ("sum(concat(x * i for i in 1..2)) * x", "3 * sum(x) * x"),
        ("sum(i * x for i in 1..5 if i != 3)", "12 * x"),
        ("sum(i * j * x for i in 1..3 for j in 1..i if i + j == 4)", "7 * x"),
        ("x + sum(x for i in 2..1)", "x"),
        ("sum(1 / i for i in 1..2) * x", "1.5 * x"),
    ],
)
def test_a_comprehension_is_the_same_as_its_terms(comprehension: str, plain: str) -> None:
    assert same(cell(f"y = {comprehension}"), cell(f"y = {plain}"), N=3, H=1)


@pytest.mark.parametrize(
    ("condition", "truth"),
    [
        ("L == 3", True),
        ("L != 3 or N > L", False),
        ("not (L < 2) and L >= 3", True),
        ("max(L, 7) == 7 and min(L, 7) <= 3", True),
        ("L / 2 == 1.5", True),
        ("abs(1 - L) == 2 and L ** 2 == 9", True),
    ],
)
def test_conditions_are_decided_when_the_spec_is_compiled(condition: str, truth: bool) -> None:
    text = cell(f"y = x if {condition} else 2 * x", header="Choice[N, L = 3](x: [N]) -> (y: [N])")
    found, plain = run(text, N=2)["output:y"], run(cell("y = x"), N=2, H=1)["output:y"]
    assert np.allclose(found, plain if truth else 2 * plain)


# -------------------------------------------------------------------------------------------------------- functions


def test_functions_of_the_file_and_of_the_cell_are_written_out() -> None:
    text = "fn half(a) = a / 2\n" + cell("fn both(a, b) = half(a) + scale * b", "scale = 3", "y = both(x, half(x))")
    assert same(text, cell("y = 2 * x"), N=2, H=1)


def test_functions_and_streams_can_be_handed_to_functions() -> None:
    text = "fn twice(f, a) = f(f(a))\nfn change(s) = s - s[t-1]\n" + cell("y = twice(tanh, change(x))")
    assert same(text, cell("y = tanh(tanh(x - x[t-1]))"), N=2, H=1)


@pytest.mark.parametrize("text", ["fn f(a) = f(a)\n", "fn f(a) = g(a)\nfn g(a) = f(a) + 1\n"])
def test_recursive_functions_are_refused(text: str) -> None:
    assert numbers(text + cell("y = f(x)")) == [40]


def test_a_function_of_the_file_sees_no_names_of_a_cell() -> None:
    text = "fn f(a) = a * scale\n" + cell("scale = 3", "y = f(x)")
    assert [(d.number, d.help) for d in mistakes(text)] == [
        (20, "a function of the file sees no names of a cell: pass scale as an argument, or define it in the cell")
    ]


def test_a_function_may_be_applied_to_itself() -> None:
    assert same("fn f(a) = 2 * a\n" + cell("y = f(f(f(x)))"), cell("y = 8 * x"), N=2, H=1)


# --------------------------------------------------------------------------------------------------- delays and firsts


@pytest.mark.parametrize("delay", [-7, -2, -1, 0, 1, 2, 4, 9])
@pytest.mark.parametrize("stream", ["x", "a"])
def test_streams_are_zero_outside_of_their_steps(stream: str, delay: int) -> None:
    results = run(cell("a = x + 1", f"y = {stream}[t - ({delay})]"), N=2, H=1)
    whole, found = results[f"stream:{stream}"], results["output:y"]
    for t in range(T):
        assert np.allclose(found[t], whole[t - delay] if 0 <= t - delay < T else 0)


@pytest.mark.parametrize("delay", [1, 2, 4])
def test_states_have_their_first_value_before_their_steps(delay: int) -> None:
    results = run(cell("state a : [N] = 5", "a = x + 1", f"y = a[t-{delay}]"), N=2, H=1)
    for t in range(T):
        assert np.allclose(results["output:y"][t], results["stream:a"][t - delay] if t >= delay else 5)


def test_a_state_at_a_later_step_runs_backwards_from_zero() -> None:
    results = run(cell("state a : [N] = 5", "a = x + a[t+1]", "y = a"), N=2, H=1)
    x = results["stream:x"]
    assert np.allclose(results["output:y"], np.cumsum(x[::-1], axis=0)[::-1])


def test_a_delay_line_travels_with_the_states() -> None:
    result = elaborated(cell("y = x[t-4] + x[t-2] + y[t-2]"), N=2, H=1)
    assert {n: t.shape for n, t in result.starts.items()} == {
        "x": (2,),
        "x[t-3..t-1]": (3, 2),
        "y": (2,),
        "y[t-1]": (2,),
    }
    assert {f"final:{n}" for n in result.starts} <= set(result.graph.roots)


@pytest.mark.parametrize("rest", ["s = s[t-1] + x", "s = x + d[t-1]\nd = 2 * s", "s = 0.5 * (s[t-1] + s[t-2]) + x"])
def test_a_feedback_that_nothing_declares_starts_at_zero(rest: str) -> None:
    declared = cell("state s, d : [N] = 0", rest, "y = s", "" if "d =" in rest else "d = x")
    assert same(cell(rest, "y = s"), declared, N=2, H=1)


def test_feedbacks_that_nothing_declares_may_lead_through_one_another() -> None:
    lines = ["for j in 1..12 { s[j] = x + mean(s[i][t-1] for i in 1..12) }", "y = s[1]"]
    assert same(cell(*lines), cell("state y : [N] = 0", "y = x + y[t-1]"), N=2, H=1)


def test_an_undeclared_feedback_through_a_product_asks_for_its_shape() -> None:
    text = cell("param U : [H, H] ~ zeros", "param W : [H, N] ~ zeros", "s = U @ s[t-1] + W @ x", "y = x")
    assert numbers(text) == [33]


def test_first_values_are_trained_or_computed() -> None:
    result = elaborated(
        cell("state c : [N] ~ ones", "state h : [N] = tanh(init(c)) + 1", "c = x", "h = x", "y = h[t-1] + c[t-1]"),
        N=2,
        H=1,
    )
    assert result.parameters["c[0]"].initialiser == ("ones", ())
    found = run(
        cell("state c : [N] ~ ones", "state h : [N] = tanh(init(c)) + 1", "c = x", "h = x", "y = h[t-1]"), N=2, H=1
    )
    assert np.allclose(found["output:y"][0], np.tanh(arrays(result)["c[0]"]) + 1)


def test_a_first_value_that_is_handed_over_replaces_the_declared_one() -> None:
    text = cell("state h : [N] = 1", "h = h[t-1] + x", "y = h")
    handed = np.full((B, 2), 7.0)
    found, plain = run(text, {"start:h": handed}, N=2, H=1), run(text, N=2, H=1)
    assert np.allclose(found["output:y"], plain["output:y"] + 6)


def test_constants_are_fixed() -> None:
    text = cell("const A : [N, N] = 2 * identity(N)", "const b : [N] = 3", "y = A @ x + b")
    assert elaborated(text, N=2, H=1).parameters == {}
    assert same(text, cell("y = 2 * x + 3"), N=2, H=1)


def test_a_number_stands_for_all_elements_of_what_is_declared() -> None:
    text = cell("state h : [N] = 2", "h = 1", "const c : [N] = 3", "y = h[t-1] + c + x")
    assert np.allclose(run(text, N=2, H=1)["output:y"][1:], run(cell("y = x + 4"), N=2, H=1)["output:y"][1:])


def test_states_may_be_matrices() -> None:
    text = cell("state C : [N, N] = 0", "C = 0.5 * C[t-1] + outer(x, x)", "y = C @ x")
    results = run(text, N=2, H=1)
    x, matrix = results["stream:x"], np.zeros((B, 2, 2))
    for t in range(T):
        matrix = 0.5 * matrix + np.einsum("bi,bj->bij", x[t], x[t])
        assert np.allclose(results["output:y"][t], np.einsum("bij,bj->bi", matrix, x[t]))


# ------------------------------------------------------------------------------------------------------------- names


@pytest.mark.parametrize(
    "name", ["lambda", "int", "for_", "__global__", "α", "h̃", "def", "None", "self", "x1", "i", "sum"]
)
def test_names_of_other_languages_are_ordinary_names(name: str) -> None:
    text = cell(f"param {name} : [N] ~ ones", f"{name}_2 = {name} + x", f"y = {name}_2")
    assert set(elaborated(text, N=2, H=1).parameters) == {name}


def test_a_stream_may_have_the_name_of_a_function() -> None:
    assert same(cell("tanh = tanh(x)", "y = tanh"), cell("y = tanh(x)"), N=2, H=1)


def test_every_name_is_a_root_of_the_graph() -> None:
    result = elaborated(LSTM, N=2, H=3)
    assert {f"stream:{n}" for n in ("x", "i", "f", "g", "c", "o", "h")} <= set(result.graph.roots)
    assert {"output:h", "final:h", "final:c"} <= set(result.graph.roots)


# -------------------------------------------------------------------------------------------------- dimensions as units


def test_dimensions_do_not_mix_even_where_they_are_equal() -> None:
    text = cell("param W : [H, N] ~ zeros", "y = W @ x")
    assert numbers(text) == [23]
    with pytest.raises(rc.SpecError):
        rc.parse(text).elaborate(N=4, H=4)


@pytest.mark.parametrize(
    ("shape", "expression"),
    [
        ("2 * N", "concat(x, x)"),
        ("N + H", "concat(x, z)"),
        ("H + N", "concat(x, z)"),
        ("L * N", "concat(x for i in 1..L)"),
        ("N / 2 + N / 2", "x"),
        ("(N + 1) * 2", "concat(x, x, 1, 1)"),
        ("N", "split(concat(x, x), 2, 1)"),
        ("N", "slice(concat(z, x), H + 1, H + N)"),
        ("N ** 2", "concat(x for i in 1..N)"),
    ],
)
def test_shapes_are_computed_with_units(shape: str, expression: str) -> None:
    text = cell(f"y = {expression}", header=f"Units[N, H, L = 2](x: [N], z: [H]) -> (y: [{shape}])")
    assert numbers(text) == []
    assert elaborated(text, N=4, H=3).outputs["y"].kind is Kind.STREAM


def test_half_of_a_dimension_is_a_unit_that_must_become_whole() -> None:
    text = "use Linear from library\n" + cell("y = concat(Linear[N / 2](x), Linear[N / 2](x))")
    assert numbers(text) == []
    assert elaborated(text, N=6, H=1).parameters["y.Linear.W"].shape == (3, 6)
    with pytest.raises(rc.SpecError, match="whole number"):
        elaborated(text, N=7, H=1)


def test_numbers_in_the_header_are_no_dimensions() -> None:
    text = cell("y = dropout(x, p) * (1 + gain)", header="Dropped[N, p = 0.5, gain = -1.5](x: [N]) -> (y: [N])")
    assert elaborated(text, N=2).dimensions["p"] == 0.5
    assert elaborated(text, N=2, p=0.25).dimensions["p"] == 0.25


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "needs N"),
        ({"N": 2, "K": 3}, "no dimension K"),
        ({"N": 0}, "start at 1"),
        ({"N": 1 << 30}, "at most"),
        ({"N": 2.5}, "whole number"),
        ({"N": "tanh"}, "whole number"),
        ({"N": 2, "squash": "thanh"}, "did you mean tanh"),
        ({"N": 2, "squash": 3}, "function"),
    ],
)
def test_unusable_dimensions_are_refused_in_plain_words(given: dict[str, object], message: str) -> None:
    spec = rc.parse(cell("y = squash(x)", header="Any[N, squash = tanh](x: [N]) -> (y: [N])"))
    with pytest.raises((UsageError, rc.SpecError), match=message):
        spec.elaborate(**given)


def test_dimensions_may_have_computed_defaults() -> None:
    text = cell("y = concat(x, x)", header="Defaults[N, H = 2 * N](x: [N]) -> (y: [H])")
    assert numbers(text) == [23]
    text = cell("param W : [K, N] ~ zeros", "y = W @ x", header="Defaults[N, K = max(N, 3)](x: [N]) -> (y: [K])")
    assert elaborated(text, N=2).dimensions["K"] == 3


# ------------------------------------------------------------------------------------------------------------ mistakes


def test_every_independent_mistake_is_told_once_and_no_other() -> None:
    text = cell(
        "param W : [Q, N] ~ zeros",
        "param V : [N, N] ~ orthogonall",
        "state h : [N] = 0",
        "a = W @ x",
        "b = tanh(a) + bias",
        "c = V @ b + bias",
        "h = c + h",
        "y = h + a + c",
    )
    assert [(d.number, d.span.text) for d in mistakes(text) if d.span] == [
        (20, "Q"),
        (34, "orthogonall"),
        (20, "bias"),
        (24, "h"),
    ]


def test_a_mistake_in_a_loop_is_told_once() -> None:
    assert numbers(cell("for j in 1..9 { a[j] = x + z }", "y = a[3]")) == [20]


def test_mistakes_in_a_used_cell_say_where_it_is_used() -> None:
    inner = cell("param W : [N, H] ~ zeros", "y = W @ x", header="Inner[N, H](x: [N]) -> (y: [N])")
    (mistake,) = mistakes(inner + cell("y = Inner[H](x)"))
    assert mistake.number == 21
