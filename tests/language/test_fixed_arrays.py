"""Fixed arrays: by a formula, drawn once, given by the caller, and functions of constants."""

from __future__ import annotations

import math
import re
from pathlib import Path

import numpy as np
import pytest

import recurrency as rc
from recurrency.errors import SpecError, UsageError
from recurrency.graph.op import Array
from recurrency.graph.text import graph_text
from recurrency.language.elaboration.handed import MissingArrayError
from recurrency.language.vocabulary.initialisers import draw, generator
from recurrency.language.vocabulary.matrix_functions import expm
from recurrency.language.writing.format import format_file
from tests.support.calling import Run


def value(const: str, shape: str = "[D, D]", more: str = "", **given: object) -> Array:
    """The value of a constant, computed by a model."""
    y = {0: "x * C", 1: "C * x", 2: "C * x", 3: "C * x"}[0 if shape == "[]" else shape.count(",") + 1]
    text = (
        f"cell Test[D = 3, K = 2](x: []) -> (y: {shape}) {{\n{more}\n    const C : {shape} {const}\n    y = {y}\n}}\n"
    )
    spec = rc.parse(text)
    spec.check()
    model = spec.compile(backend="numpy", dtype="float64", dimensions=given)
    found: Array = model.forward(np.zeros(0), np.ones((1, 1))).outputs["y"][0, 0]
    return found


# ----------------------------------------------------------------------------------------------------------- formulas


def test_a_formula_gives_each_element_from_its_indices_which_begin_at_1() -> None:
    expected = [[10 * i + k for k in (1, 2)] for i in (1, 2, 3)]
    np.testing.assert_array_equal(value("= matrix(i, k: 10 * i + k)", "[D, K]"), expected)
    np.testing.assert_array_equal(value("= vector(i: i ** 2)", "[D]"), [1, 4, 9])


def test_if_in_a_formula_chooses_for_each_element_and_only_the_chosen_one_must_be_finite() -> None:
    legt = [[(2 * i - 1) * (-1 if i < j else (-1) ** (i - j + 1)) for j in (1, 2, 3)] for i in (1, 2, 3)]
    text = "= matrix(i, j: (2 * i - 1) * (-1 if i < j else (-1) ** (i - j + 1)))"
    np.testing.assert_array_equal(value(text), legt)
    inverse = [[1 / (i - j) if i != j else 0 for j in (1, 2, 3)] for i in (1, 2, 3)]
    np.testing.assert_allclose(value("= matrix(i, j: 0 if i == j else 1 / (i - j))"), inverse, rtol=1e-15)


def test_conditions_in_a_formula_have_and_or_and_not() -> None:
    def at(i: int, j: int) -> int:
        return 1 if (i < j and i != 1) or not (i + j < 5) else 2

    expected = [[at(i, j) for j in (1, 2, 3)] for i in (1, 2, 3)]
    found = value("= matrix(i, j: 1 if (i < j and i != 1) or not (i + j < 5) else 2)")
    np.testing.assert_array_equal(found, expected)


def test_conditions_in_a_formula_are_evaluated_once() -> None:
    """Long ones would expand to more operations than a spec may have."""
    small = " or ".join(f"i + {k} == j" for k in range(60))
    np.testing.assert_array_equal(value(f"= matrix(i, j: 1 if {small} else 0)"), np.triu(np.ones((3, 3))))
    same = " and ".join(["D == 3", *["not (i == 2)"] * 60])
    np.testing.assert_array_equal(value(f"= vector(i: 1 if {same} else 0)", "[D]"), [1, 0, 1])
    static = " or ".join(["D == 4"] * 60)
    np.testing.assert_array_equal(value(f"= vector(i: i if {static} else -i)", "[D]"), [-1, -2, -3])
    deep = "i == 3"
    for _ in range(30):
        deep = f"(i > 0 if {deep} else i > 1)"
    np.testing.assert_array_equal(value(f"= vector(i: 1 if {deep} else 0)", "[D]"), [0, 1, 1])


def test_a_formula_reads_dimensions_functions_other_constants_and_sums() -> None:
    more = "    fn twice(a) = 2 * a\n    const s : [] = 0.5"
    expected = [[2 * math.sin(i / 3) + 0.5 + sum(i**n for n in (1, 2)) for _ in range(3)] for i in (1, 2, 3)]
    found = value("= matrix(i, j: twice(sin(i / D)) + s + sum(i ** n for n in 1..2))", more=more)
    np.testing.assert_allclose(found, expected, rtol=1e-15)


def test_a_formula_is_computed_in_float64_whatever_the_dtype_of_the_model() -> None:
    text = "cell T(x: []) -> (y: [2]) {\n    const C : [2] = vector(i: (1 + 1e-9) ** i - 1)\n    y = C * x\n}\n"
    model = rc.parse(text).compile(backend="numpy", dtype="float32")
    found = model.forward(np.zeros(0, np.float32), np.ones((1, 1))).outputs["y"][0, 0]
    np.testing.assert_allclose(found, [1e-9, 2e-9], rtol=1e-6)


# ------------------------------------------------------------------------------------------------- drawn and given


def test_a_drawn_constant_depends_on_the_seed_of_constants_and_its_name() -> None:
    np.testing.assert_array_equal(value("~ normal(0, 1)"), draw("normal", (0, 1), (3, 3), generator(0, "C")))
    np.testing.assert_array_equal(
        value("~ normal(0, 1)", const_seed=7), draw("normal", (0, 1), (3, 3), generator(7, "C"))
    )


def test_a_drawn_constant_can_be_scaled_to_a_spectral_radius() -> None:
    found = value("~ normal(0, 1) * bernoulli(0.7) * spectral(0.9)")
    assert max(abs(np.linalg.eigvals(found))) == pytest.approx(0.9, rel=1e-12)
    rng = generator(0, "C")
    normal = rng.normal(0, 1, (3, 3))
    masked = normal * (rng.random((3, 3)) < 0.7)
    np.testing.assert_allclose(found, masked * (0.9 / max(abs(np.linalg.eigvals(masked)))), rtol=1e-12)


def test_a_constant_of_a_cell_inside_is_drawn_and_given_by_its_dotted_name() -> None:
    inner = "cell Inner[H](x: [H]) -> (y: [H]) {\n    const M : [H, H] = given\n    const W : [H, H] ~ normal(0, 1)\n"
    text = inner + "    y = M @ (W @ x)\n}\ncell Outer[H](x: [H]) -> (y: [H]) {\n    a = Inner[H](x)\n    y = a\n}\n"
    M, x = np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([0.5, -1.0])
    model = rc.parse(text).compile(backend="numpy", dtype="float64", dimensions={"H": 2, "a.M": M})
    W = draw("normal", (0, 1), (2, 2), generator(0, "a.W"))
    found = model.forward(np.zeros(0), x[None, None]).outputs["y"][0, 0]
    np.testing.assert_allclose(found, M @ W @ x, rtol=1e-14)


def test_an_array_is_given_as_an_array_as_lists_or_as_a_file(tmp_path: Path) -> None:
    M = np.array([[1.0, 2.0], [3.0, 4.0]])
    np.save(tmp_path / "M.npy", M)
    for given in (M, M.tolist(), str(tmp_path / "M.npy"), tmp_path / "M.npy", M.astype(np.float32), M.astype(int)):
        np.testing.assert_array_equal(value("= given", D=2, C=given), M)
    assert value("= given", "[]", C=0.25) == 0.25


def test_another_array_gives_another_model_although_the_last_one_is_remembered() -> None:
    for scale in (1.0, 1.0 + 1e-12, 2.0):
        big = scale * np.arange(2500.0).reshape(50, 50)
        np.testing.assert_array_equal(value("= given", D=50, C=big), big)


def test_a_missing_array_says_how_it_is_given() -> None:
    with pytest.raises(MissingArrayError) as error:
        value("= given")
    expected = "Test needs C [3, 3]: give an array, compile(C=array) (on the command line: --const C=FILE.npy)"
    assert str(error.value) == expected


@pytest.mark.parametrize(
    ("array", "said"),
    [
        (np.ones((2, 3)), "C is [3, 3] (<text>:3:11), but its array is [2, 3]"),
        (np.full((3, 3), np.nan), "C must be finite; element [1, 1] (counted from 1) is not"),
        ([[1, 2], [3]], "C must be an array of real numbers"),
        (np.full((3, 3), 1j), "C must be an array of real numbers"),
        ("nowhere.npy", "C: there is no file nowhere.npy"),
        (np.ones((2100, 2000)), "C has 4200000 elements; at most 4194304 are allowed"),
    ],
)
def test_an_array_that_does_not_fit_is_refused(array: object, said: str) -> None:
    with pytest.raises(UsageError) as error:
        value("= given", C=array)
    assert str(error.value) == said


def test_an_array_that_no_constant_takes_is_refused() -> None:
    with pytest.raises(UsageError, match=r"Test has no constant B whose array is given \(it has C\)"):
        value("= given", C=np.eye(3), B=np.eye(3))
    with pytest.raises(UsageError, match="const_seed must be a whole number from 0, not -1"):
        value("~ normal(0, 1)", const_seed=-1)


def test_a_stream_may_be_called_given() -> None:
    text = "cell T(given: []) -> (y: []) {\n    y = given\n}\n"
    assert rc.parse(text).compile(backend="numpy").forward(np.zeros(0), np.ones((1, 1))).outputs["y"] == 1


# ----------------------------------------------------------------------------------------------- functions of constants


def taylor(a: Array) -> Array:
    """exp by its series, after halving 8 times, in extended precision."""
    small = a.astype(np.longdouble) / 2**8
    term = total = np.eye(len(a), dtype=np.longdouble)
    for k in range(1, 40):
        term = term @ small / k
        total = total + term
    for _ in range(8):
        total = total @ total
    return total.astype(np.float64)


@pytest.mark.parametrize("scale", [0.01, 1.0, 5.0, 30.0])
def test_expm_is_the_series(scale: float) -> None:
    a = scale * np.random.default_rng(0).normal(size=(6, 6)) / 2.4
    expected = taylor(a)
    np.testing.assert_allclose(expm(a), expected, rtol=0, atol=1e-13 * np.abs(expected).max() * max(1, scale))


def test_expm_of_a_rotation_and_of_a_nilpotent_matrix() -> None:
    np.testing.assert_allclose(
        expm(np.array([[0, -1.0], [1, 0]])), [[np.cos(1), -np.sin(1)], [np.sin(1), np.cos(1)]], atol=1e-15
    )
    np.testing.assert_allclose(expm(np.array([[0, 1e6], [0, 0]])), [[1, 1e6], [0, 1]], atol=1e-6)


def test_inverse_solve_and_kron_are_those_of_linear_algebra() -> None:
    A = np.array([[2.0, 1.0], [0.0, 4.0]])
    more = "    const A : [K, K] = given"
    np.testing.assert_allclose(value("= inverse(A)", "[K, K]", more, A=A), np.linalg.inv(A), rtol=1e-14)
    np.testing.assert_allclose(value("= solve(A, vector(i: i))", "[K]", more, A=A), [0.25, 0.5], rtol=1e-14)
    np.testing.assert_array_equal(value("= kron(A, identity(D))", "[K * D, K * D]", more, A=A), np.kron(A, np.eye(3)))


def test_shapes_of_constants_are_checked_with_dimensions_as_units() -> None:
    text = "cell T[H, N](x: [N]) -> (y: [H]) {{\n    const A : [H, H] = matrix(i, j: i + j)\n    const B : {0}\n"
    text += "    y = B @ x\n}}\n"
    rc.parse(text.format("[H, N] = solve(A, matrix(i, j: i - j))")).check()
    with pytest.raises(SpecError, match=r"B is declared \[H, N\], but its value is \[H, H\]"):
        rc.parse(text.format("[H, N] = expm(A)")).check()
    with pytest.raises(SpecError, match=r"solve needs H rows here, as in \[H, H\]; this is \[N\]"):
        rc.parse(text.format("[N] = solve(A, vector(i: i))")).check()


def test_legs_of_the_initialiser_is_the_formula_of_the_paper() -> None:
    formula = "= matrix(n, k: -(sqrt((2 * n - 1) * (2 * k - 1)) if n > k else (n if n == k else 0)))"
    np.testing.assert_allclose(value("~ hippo(legs)"), value(formula), rtol=1e-15)
    np.testing.assert_allclose(value("~ hippo(legs)", "[D]"), np.sqrt([1, 3, 5]), rtol=1e-15)


# ----------------------------------------------------------------------------------------------------- other readers

CELL = """cell Memory[D, theta = 8.0](x: []) -> (m: [D]) {
    const A : [D, D] = matrix(i, j: 1 if i < j else -i)
    const E : [D, D] = expm(A / theta)
    const b : [D]    = solve(A, vector(i: i))
    const M : [D, D] = given
    const W : [D, D] ~ normal(0, 1) * spectral(0.9)

    state m : [D] = 0

    m = (E + kron(M, W) @ inverse(A)) @ m[t-1] + b * x
}
"""


def test_constants_are_printed_as_papers_print_them() -> None:
    rows = rc.parse(CELL.replace("kron(M, W)", "M * W")).latex().splitlines()
    assert [row.strip(" \\") for row in rows[1:6]] == [
        r"A_{ij} &= \begin{cases} 1 & \text{if } i < j \\ -i & \text{otherwise} \end{cases}",
        r"E &= e^{\frac{A}{\theta}}",
        r"b &= A^{-1} \left[i\right]_{i}",
        r"M &\;\text{given}",
        r"W &\sim \operatorname{normal}(0, 1) \cdot \operatorname{spectral}(0.9)",
    ]
    assert r"A^{-1}" in rows[6]


def test_the_canonical_layout_of_fixed_arrays() -> None:
    untidy = CELL.replace("matrix(i, j: 1", "matrix( i,j :1").replace("~ normal(0, 1) * sp", "~normal(0,1)*sp")
    assert format_file(untidy, "memory.rnn") == CELL


def test_without_elements_arrays_are_told_apart_by_how_they_are_computed() -> None:
    def graph(text: str) -> str:
        return "\n".join(line.partition("   # ")[0] for line in graph_text(rc.parse(text).units().graph).splitlines())

    text = CELL.replace("kron(M, W)", "M")
    assert graph(text) == graph(text.replace("const b", "const c").replace("b * x", "c * x"))
    assert graph(text) != graph(text.replace("else -i", "else -j"))
    assert graph(text) != graph(text.replace("A / theta", "A / 2"))


def test_commands_take_files_of_arrays_and_the_seed_of_constants(run: Run, tmp_path: Path) -> None:
    (tmp_path / "memory.rnn").write_text(CELL.replace("kron(M, W)", "M"))
    np.save(tmp_path / "M.npy", np.eye(3))
    given = ("compile", tmp_path / "memory.rnn", "-D", "D=3")
    assert "Memory needs M [3, 3]" in run(*given).err
    one = run(*given, "--const", f"M={tmp_path / 'M.npy'}")
    assert one.code == 0
    assert "is not of the form NAME=FILE.npy" in run(*given, "--const", "M").err
    text = CELL.replace("kron(M, W)", "W")
    (tmp_path / "memory.rnn").write_text(text)
    seeds = [run(*given, "--const", f"M={tmp_path / 'M.npy'}", "--const-seed", seed).out for seed in (0, 0, 1)]
    assert seeds[0].replace("const_seed=0", "") == seeds[1].replace("const_seed=0", "")
    assert re.findall(r"array_\w+ =", seeds[0]) != re.findall(r"array_\w+ =", seeds[2])
