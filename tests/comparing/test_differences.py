"""How two cells differ, in words and in lines."""

from __future__ import annotations

import pytest

from recurrency import library, parse
from recurrency.comparing import compare
from tests.support.comparing import GATED, MEMORY, changed, difference

RECOGNISED = {
    "moved out": (GATED, [("U_c @ (r * h[t-1])", "r * (U_c @ h[t-1])")], "reset gate r after the product, not before"),
    "moved in": (
        GATED.replace("U_c @ (r * h[t-1])", "r * (U_c @ h[t-1])"),
        [("r * (U_c @ h[t-1])", "U_c @ (r * h[t-1])")],
        "reset gate r before the product, not after",
    ),
    "turned": (GATED, [("(1 - z) * h[t-1] + z * c", "z * h[t-1] + (1 - z) * c")], "update gate z inverted"),
    "merged": (
        GATED.replace("U_r @ h[t-1])", "U_r @ h[t-1] + b_c)"),
        [
            ("    r = sigmoid(W_r @ x + U_r @ h[t-1] + b_c)\n", ""),
            ("r * h[t-1]", "z * h[t-1]"),
            ("_z, W_r", "_z"),
            ("_z, U_r", "_z"),
        ],
        "one gate z for z and r",
    ),
    "coupled": (
        MEMORY,
        [("i = sigmoid(W @ x + b)", "i = 1 - f"), ("W, V", "V"), ("    param b       : [H]    ~ zeros\n", "")],
        "input gate i is 1 - f",
    ),
    "function": (GATED, [("c = tanh(", "c = relu(")], "relu in place of tanh"),
    "around": (MEMORY, [("v * x_in)", "v * tanh(x_in))")], "tanh around P @ x"),
    "not around": (MEMORY, [("o * tanh(c)", "o * c")], "no tanh around c"),
    "matrix": (
        MEMORY,
        [("u * c[t-1]", "U @ c[t-1]"), ("u, v    : [H]    ~ ones", "v : [H] ~ ones\n param U : [H, H] ~ ones")],
        "full matrix U in place of u",
    ),
    "bias": (GATED, [(" + b_c)", ")"), ("b_z, b_c     ", "b_z")], "without bias b_c"),
    "peephole": (MEMORY, [(" + u * c[t-1]", ""), ("u, v", "v")], "without peephole u"),
    "recurrent": (
        GATED,
        [("W_z @ x + U_z @ h[t-1]", "W_z @ x"), ("U_z, ", "")],
        "without recurrent product U_z @ h[t-1]",
    ),
    "gate": (
        GATED,
        [
            ("r * h[t-1]", "h[t-1]"),
            ("    r = sigmoid(W_r @ x + U_r @ h[t-1])\n", ""),
            ("_z, W_r", "_z"),
            ("_z, U_r", "_z"),
        ],
        "without reset gate r",
    ),
    "gate of one place": (
        GATED.replace("r * h[t-1]", "z * h[t-1]"),
        [("z * h[t-1])", "h[t-1])")],
        "without z in c",
    ),
    "projection": (
        MEMORY,
        [
            ("h = k * o * tanh(c)", "h = Q @ (k * o * tanh(c))"),
            ("param P ", "param Q : [H, H] ~ orthogonal\n    param P "),
        ],
        "with projection Q",
    ),
    "delay": (MEMORY, [("h = k * o * tanh(c)", "h = k * o * tanh(c[t-1])")], "c[t-1] in place of c"),
    "number": (MEMORY, [("k : [] = 2", "k : [] = 3")], "3 * o * tanh(c) in place of 2 * o * tanh(c)"),
    "first state": (GATED, [("h : [H] = 0", "h : [H] = 1")], "h starts at 1, not 0"),
    "first value": (
        GATED,
        [("b_z, b_c      : [H]    ~ zeros", "b_z : [H] ~ ones\n    param b_c : [H] ~ zeros")],
        "first value of b_z: ones, not zeros",
    ),
    "another parameter": (
        MEMORY,
        [("sigmoid(O @ x)", "sigmoid(O @ x + W @ x)"), ("i = sigmoid(W", "i = sigmoid(O")],
        "with W @ x; O in place of W",
    ),
    "packed": (
        MEMORY,
        [
            ("W, V, O : [H, N]", "W : [H, N] ~ glorot_uniform\n    param Z : [2 * H, N]"),
            ("V @ x", "split(Z @ x, 2, 1)"),
            ("O @ x", "split(Z @ x, 2, 2)"),
        ],
        "parameters packed differently",
    ),
    "two at once": (
        GATED,
        [("U_c @ (r * h[t-1])", "r * (U_c @ h[t-1])"), ("(1 - z) * h[t-1] + z * c", "z * h[t-1] + (1 - z) * c")],
        "update gate z inverted; reset gate r after the product, not before",
    ),
}
"""What is changed in a cell, and what that is called."""


@pytest.mark.parametrize("case", RECOGNISED)
def test_a_difference_has_words(case: str) -> None:
    text, pairs, wanted = RECOGNISED[case]
    assert difference(text, *pairs).summary == wanted


@pytest.mark.parametrize("case", RECOGNISED)
def test_what_differs_is_never_the_same_and_is_seen_from_both_sides(case: str) -> None:
    text, pairs, _ = RECOGNISED[case]
    there, back = difference(text, *pairs), compare(changed(text, *pairs), parse(text))
    assert not there.same
    assert not back.same
    assert sorted((a, b) for b, a in back.equations) == sorted(there.equations) or case in ("merged", "coupled")
    assert there.counts == back.counts[::-1]


def test_swapped_parameters_of_one_kind_are_names_only() -> None:
    found = difference(MEMORY, ("o = sigmoid(O @ x)", "o = sigmoid(P @ x)"), ("x_in    = P", "x_in    = O"))
    assert found.same
    assert found.names == {"O": "P", "P": "O"}


def test_cells_that_have_little_in_common_have_no_summary() -> None:
    assert compare(library.spec("LSTM"), library.spec("GRU")).summary == ""


@pytest.mark.parametrize(
    ("pairs", "ours", "theirs"),
    [
        ([("tanh(a)", "relu(a)")], ["fn squash(a) = tanh(a)"], ["fn squash(a) = relu(a)"]),
        ([("k : [] = 2", "k : [] = 4")], ["const k : [] = 2"], ["const k : [] = 4"]),
        ([("c : [H] = 0", "c : [H] = 1")], ["state c : [H] = 0"], ["state c : [H] = 1"]),
        ([("x_in    = P @ x", "x_in = P @ x[t-1]")], ["x_in = P @ x"], ["x_in = P @ x[t-1]"]),
        ([("o = sigmoid(O @ x)", "o = sigmoid(O @ tanh(x))")], ["o = sigmoid(O @ x)"], ["o = sigmoid(O @ tanh(x))"]),
    ],
)
def test_what_differs_is_shown_where_it_is_written(
    pairs: list[tuple[str, str]], ours: list[str], theirs: list[str]
) -> None:
    found = difference(MEMORY, *pairs)
    assert not found.same
    assert found.equations == [(ours, theirs)]


def test_what_only_one_cell_has_is_shown_alone() -> None:
    text, pairs, _ = RECOGNISED["gate"]
    assert difference(text, *pairs).equations[-1] == (["r = sigmoid(W_r @ x + U_r @ h[t-1])"], [])


def test_what_has_a_name_in_one_cell_only_is_shown_with_the_equation_that_it_stands_in() -> None:
    text = """\
        cell A[H](x: [H]) -> (y: [H]) {
            param u : [H] ~ zeros
            m = exp(u)
            y = sqrt(m) * x
        }
        """
    found = difference(text, ("            m = exp(u)\n", ""), ("sqrt(m)", "sqrt(exp(tanh(u)))"))
    assert found.equations == [(["m = exp(u)", "y = sqrt(m) * x"], ["y = sqrt(exp(tanh(u))) * x"])]


def test_an_output_that_only_one_cell_has_is_shown() -> None:
    found = difference(GATED, ("(h: [H])", "(h: [H], twice: [H])"), ("+ z * c\n", "+ z * c\n    twice = h + h\n"))
    assert found.equations == [([], ["twice = h + h"])]


def test_loops_and_members_of_families_are_shown_once() -> None:
    text = """\
        cell A[N, H, L = 3](x: [N]) -> (y: [H]) {
            param W : [H, N] ~ zeros
            param U[1..L] : [H, H] ~ zeros
            state h[1..L] : [H] = 0
            for j in 1..L { h[j] = tanh(W @ x + U[j] @ h[j][t-1]) }
            y = sum(h[j] for j in 1..L)
        }
        """
    found = difference(text, ("= tanh(", "= relu("))
    assert [len(lines) for pair in found.equations for lines in pair] == [1, 1]
    assert found.summary == "relu in place of tanh"


def test_a_difference_within_a_used_cell_is_shown_with_its_place() -> None:
    text = """\
        cell In[H](x: [H]) -> (y: [H]) { y = tanh(x) }
        cell Out[H](x: [H]) -> (z: [H]) { z = sum(x) * In(x) }
        """
    found = difference(text, ("tanh(x)", "relu(x)"))
    assert any("z.In: y = tanh(x)" in ours and "z.In: y = relu(x)" in theirs for ours, theirs in found.equations)


def test_a_loss_that_only_one_cell_has_is_a_difference() -> None:
    found = difference(GATED, ("+ z * c\n", "+ z * c\n\n    loss squared_error(h, 0 * h)\n"))
    assert not found.same
    assert ([], ["loss squared_error(h, 0 * h)"]) in found.equations
