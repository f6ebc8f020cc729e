"""Loops in pieces that do not wait for one another, and which products before a loop are computed within it."""

from __future__ import annotations

import re
from typing import Any

import pytest
from recurrency.backends.c.fission import GREATEST, parted
from recurrency.backends.c.function_text import function_text

import recurrency as rc

HEAD = "REC_VECTOR_LOOP(i0, 6) {"
CHAIN = [
    "const float gate = x[i0];  // o = sigmoid(x)",
    "const float o_2 = rec_sigmoidf(gate);",
    "const float f_2 = rec_sigmoidf(gate);",
    "f[i0] = f_2;",
    "const float scale = p[3 + i0];",
    "const float c_2 = f_2 * scale;",
    "const float turned = rec_tanhf(c_2);",
    "const float h_2 = o_2 * turned + scale;",
    "h[i0] = h_2;",
]


def loops(lines: list[str] | None) -> list[list[str]]:
    """The bodies, one after the other."""
    assert lines is not None
    text = "\n".join(lines).split(HEAD)
    return [[line for line in body.strip().removesuffix("}").strip().split("\n") if line] for body in text[1:]]


def test_a_function_of_a_function_comes_in_a_second_loop() -> None:
    first, second = loops(parted(HEAD, 6, "i0", CHAIN))
    assert first == [CHAIN[0], CHAIN[2], "rec_of_f_2[i0] = f_2;", CHAIN[3]]
    again = ["const float gate = x[i0];", CHAIN[1]]  # is read again, and wanted here alone
    assert second == [*again, "const float f_2 = rec_of_f_2[i0];", *CHAIN[4:]]


def test_what_is_left_to_the_second_loop_has_room() -> None:
    lines = parted(HEAD, 6, "i0", CHAIN)
    assert lines is not None
    assert lines[: lines.index(HEAD)] == ["float rec_of_f_2[6];"]


@pytest.mark.parametrize(
    "body",
    [
        CHAIN[:6],
        [*CHAIN, "if (i0) { h[i0] = 0; }"],
        [*CHAIN[:-1], "float late;", "h[i0] = h_2;"],
        ["const float y = x[i0] + 1.0f;", "h[i0] = y;"],
        [],
    ],
    ids=["nothing waits", "a condition", "a variable", "no function", "nothing"],
)
def test_other_loops_stay_as_they_are(body: list[str]) -> None:
    assert parted(HEAD, 6, "i0", body) is None


def test_long_rows_stay_in_one_loop() -> None:
    assert parted(HEAD, GREATEST, "i0", CHAIN) is not None
    assert parted(HEAD, GREATEST + 1, "i0", CHAIN) is None


def test_what_loops_leave_to_the_next_ones_fits_the_stack_of_any_thread() -> None:
    """However many functions of functions there are: each leaves a row."""
    names = r"(gate|scale|turned|\w_2)\b"
    chain = [re.sub(names, rf"\1_{k}", line) for k in range(32) for line in CHAIN]
    for size in (16, GREATEST // 32):
        lines = parted(HEAD, size, "i0", chain)
        assert lines is not None
        assert sum(f"[{size}];" in line for line in lines if line.startswith("float rec_of_")) == 32
    assert parted(HEAD, GREATEST // 32 + 1, "i0", chain) is None


def fed(cell: str, kind: str, **dimensions: int) -> list[str]:
    """The arrays that are computed in chunks within a loop."""
    model: Any = rc.library.spec(cell).compile(backend="c", **dimensions)
    _, (function,) = model.programs.backend.emit(
        [("f", model.programs.graph(kind, ()))], model.programs.layout, "float32"
    )
    return sorted(function.launches.chunks.names)


def test_products_that_a_loop_alone_reads_are_computed_within_it() -> None:
    assert len(fed("LSTM", "forward_kept", N=3, H=4)) == 1
    assert len(fed("LSTMOutputProjection", "backward", N=3, H=4, P=2)) == 1


def test_products_that_others_read_are_computed_before() -> None:
    text = """
    cell Both[H](x: [H]) -> (h: [H], y: [H]) {
        param W : [H, H] ~ glorot_uniform
        param u : [H]    ~ ones
        state h : [H] = 0

        a = W @ x
        h = tanh(a + u * h[t-1])
        y = a
    }
    """
    model: Any = rc.parse(text).compile(backend="c", H=3)
    _, (function,) = model.programs.backend.emit(
        [("f", model.programs.graph("forward", ()))], model.programs.layout, "float32"
    )
    assert not function.launches.chunks.names
    assert "rec_chunk_steps(" not in function_text(function).replace("rec_chunk_steps(long long", "")
