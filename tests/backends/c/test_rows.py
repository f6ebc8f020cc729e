"""Rows shorter than a vector: what is read, computed and stored of several sequences together, and what is not."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from recurrency.backends.c.fission import GREATEST
from recurrency.backends.c.rows import flattened

import recurrency as rc
from recurrency import backend

REASON = backend.describe()["c"]
HEAD = ["for (long long b = b0; b < b1; ++b) {", "const long long tb = t * B + b;"]
BODY = [
    "const float p_2 = p[3 + i0];",
    "const float x_2 = x[tb * 10 + i0];  // a = sigmoid(p + x)",
    "const float a_2 = p_2 + x_2;",
    "const float s_2 = rec_sigmoidf(a_2);",
    "s[tb * 10 + i0] = s_2;",
    "const float u_2 = 0.5f * s_2;",
    "const float v_2 = (t < n_t[b] ? u_2 : 0.0f);",
    "v[tb * 20 + (i0 + 10)] = v_2;",
]


def kernel(body: list[str], size: int = 10) -> list[str]:
    """The lines of a kernel with rows of one axis."""
    return [*HEAD, f"REC_VECTOR_LOOP(i0, {size}) {{", *body]


def parts(lines: list[str] | None) -> tuple[str, str, str]:
    """What is read, computed and stored."""
    assert lines is not None
    text = "\n".join(lines)
    read, rest = text.split("REC_WHOLE_VECTORS(rec_i, rec_n) {")
    computed, stored = rest.split("for (long long b = rec_b; b < rec_end; ++b) {")
    return read, computed, stored


def test_functions_are_computed_in_whole_vectors_of_several_rows() -> None:
    read, computed, stored = parts(flattened(kernel(BODY), "float"))
    assert "rec_row_a_2[(b - rec_b) * 10 + i0] = a_2;" in read
    assert "x[" not in computed
    assert "rec_sigmoidf" not in read + stored
    assert "const float a_2 = rec_row_a_2[rec_i];" in computed
    assert "s[rec_tb * 10 + i0] = s_2;" in stored
    assert "const float v_2 = (t < n_t[b] ? u_2 : 0.0f);" in stored


def test_the_rest_of_the_last_vector_is_zero() -> None:
    read, _, _ = parts(flattened(kernel(BODY), "float"))
    assert "REC_FILL(rec_row_a_2 + rec_n, 16, 0);" in read
    sizes = [int(n) for n in re.findall(r"float rec_row_\w+\[(\d+)\];", read)]
    rows = int(re.findall(r"rec_b \+= (\d+)", read)[0])
    assert sizes
    assert all(size == rows * 10 + 16 for size in sizes)


def test_what_is_kept_fits_the_stack_of_any_thread() -> None:
    many = [re.sub(r"\b([psxauv])_2\b", rf"\1_{k}", line) for k in range(20) for line in BODY]
    read, _, _ = parts(flattened(kernel(many), "float"))
    assert sum(int(n) for n in re.findall(r"float rec_row_\w+\[(\d+)\];", read)) <= GREATEST // 2
    far = [re.sub(r"\b([psxauv])_2\b", rf"\1_{k}", line) for k in range(200) for line in BODY]
    assert flattened(kernel(far), "float") is None


VARIABLE = ["float z_2 = 0.0f;", "if (t < n_t[b]) {", "z_2 = x_2;", "}", "const float w_2 = z_2 * s_2;", "w[tb] = w_2;"]


def test_a_variable_is_set_where_it_is_read() -> None:
    read, computed, _ = parts(flattened(kernel([*BODY, *VARIABLE]), "float"))
    assert "z_2 = x_2;" in read
    assert "z_2 = x_2;" not in computed
    assert "const float w_2 = z_2 * s_2;" in computed


SUM = ["float z_2 = 0.0f;", "REC_REDUCTION(z_2)", "for (long long k = 0; k < 10; ++k) {", "z_2 += x[tb * 10 + k];", "}"]
GATE = ["const float s_2 = rec_sigmoidf(z_2);", "s[tb] = s_2;"]


def test_functions_of_sums_are_computed_of_several_sequences() -> None:
    read, computed, stored = parts(flattened(["REC_INDEPENDENT", *HEAD, *SUM, *GATE], "float"))
    assert "REC_INDEPENDENT" not in read
    assert "rec_row_z_2[b - rec_b] = z_2;" in read
    assert "const float s_2 = rec_sigmoidf(z_2);" in computed
    assert "s[rec_tb] = s_2;" in stored
    one = ["const float z_2 = x[tb];", *GATE]  # is a loop over sequences already
    assert flattened(["REC_INDEPENDENT", *HEAD, *one], "float") is None


@pytest.mark.parametrize(
    "body",
    [
        BODY[:3],
        [*BODY, "if (i0) { continue; }"],
        [*BODY, "float z_2;", "if (t) {", "z_2 = 1.0f;", "y[tb] = s_2;", "}"],
        [*BODY, "const long long k_2 = q[tb];", "y[k_2] = s_2;"],
        [*BODY, "const float late = y[(int)s_2];", "const float more = rec_tanhf(late);", "y[tb] = more;"],
        [*BODY, "float z_2 = 0.0f;", "if (t < n_t[b]) {", "z_2 = s_2 * y[tb];", "}", "w[tb] = z_2;"],
        [],
    ],
    ids=[
        "no function",
        "a jump",
        "a store on a condition",
        "a place",
        "read at what is computed",
        "read with it",
        "nothing",
    ],
)
def test_other_rows_stay_as_they_are(body: list[str]) -> None:
    assert flattened(kernel(body), "float") is None


def test_rows_of_whole_vectors_and_long_ones_stay_as_they_are() -> None:
    for real, sizes in (
        ("float", {16: False, 24: True, 48: False, 63: True, 70: False}),
        ("double", {8: False, 10: True}),
    ):
        for size, short in sizes.items():
            assert (flattened(kernel(BODY, size), real) is not None) is short, (real, size)


@pytest.mark.skipif(REASON is not None, reason=f"c: {REASON}")
@pytest.mark.parametrize("batch", [1, 7, 60])
def test_short_rows_are_those_of_numpy(batch: int) -> None:
    """Of fewer and of more sequences than are computed at a time, with lengths."""
    models: list[Any] = [
        rc.library.spec("LSTM").compile(backend=name, N=2, H=6, dtype="float64") for name in ("numpy", "c")
    ]
    rng = np.random.default_rng(batch)
    params, x = models[0].init(0), rng.standard_normal((4, batch, 2))
    found = []
    for model in models:
        run = model.forward(params, x, lengths=np.arange(batch) % 5)
        grown = model.backward(run, np.cos(np.arange(x.shape[0] * batch * 6.0)).reshape(4, batch, 6))
        found.append([run.output, *run.state.values(), grown.params, grown.inputs["x"]])
    for right, own in zip(*found, strict=True):
        np.testing.assert_allclose(own, right, rtol=1e-12, atol=1e-13 * batch)
