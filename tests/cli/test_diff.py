"""`recurrency diff`: what it prints, and its exit codes, which are those of diff."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.calling import Run

TIED = """\
cell Tied[H](x: [H]) -> (h: [H]) {
    param U : [H, H] ~ orthogonal

    state h : [H] = 0

    h = tanh(x + U @ h[t-1])
}

cell Other[H](x: [H]) -> (s: [H]) {
    param V : [H, H] ~ orthogonal

    state s : [H] = 0

    s = tanh(V @ s[t-1] + x)
}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "tied.rnn"
    path.write_text(TIED, encoding="utf-8")
    return path


def test_the_same_is_told_with_exit_code_0(run: Run, file: Path) -> None:
    shown = run("diff", "GRU", "GRU")
    assert (shown.code, shown.out) == (0, "the same\n")
    shown = run("diff", f"{file}:Tied", f"{file}:Other")
    assert (shown.code, shown.out) == (0, "the same, but for names: h is s, U is V\n")


@pytest.mark.parametrize(
    ("a", "b", "summary"),
    [
        ("GRU", "GRUAfter", "GRUAfter: reset gate r after the product, not before"),
        ("GRUAfter", "GRU", "GRU: reset gate r before the product, not after"),
        ("GRUAfter", "TorchGRU", "TorchGRU: update gate z inverted; with bias b_hn times r"),
        ("LSTM", "PlainLSTM", "PlainLSTM: without peepholes p_i, p_f and p_o"),
        ("PlainLSTM", "FullPeepholeLSTM", "FullPeepholeLSTM: with peepholes P_i, P_f and P_o"),
        ("LSTM", "FullPeepholeLSTM", "FullPeepholeLSTM: full matrices P_i, P_f and P_o in place of p_i, p_f and p_o"),
        ("LSTM", "CIFG", "CIFG: forget gate f is 1 - i; first value of b_i: constant(-1), not zeros"),
        ("GRU", "MGU", "MGU: one gate f for z and r"),
        ("RHN", "UncoupledRHN", "UncoupledRHN: gate k separate, not 1 - g"),
        ("GRU", "MUT3", "MUT3: tanh around h[t-1]"),
    ],
)
def test_a_difference_is_told_in_words_with_exit_code_1(run: Run, a: str, b: str, summary: str) -> None:
    shown = run("diff", a, b)
    assert (shown.code, shown.err) == (1, "")
    assert shown.out.splitlines()[2] == summary


def test_lines_of_both_are_shown_as_diff_shows_them(run: Run) -> None:
    assert (
        run("diff", "GRU", "GRUAfter").out
        == """\
--- GRU (gru.rnn)
+++ GRUAfter (gru.rnn)
GRUAfter: reset gate r after the product, not before

equations
- c = tanh(W_c @ x + U_c @ (r * h[t-1]) + b_c)
+ c = tanh(W_c @ x + r * (U_c @ h[t-1]) + b_c)

the same: dimensions, inputs, outputs, states, recurrence, parameters (3 H N + 3 H^2 + 3 H)
"""
    )


def test_parameters_are_shown_as_they_are_declared_with_their_number(run: Run) -> None:
    lines = run("diff", "LSTM", "CIFG").out.splitlines()
    at = lines.index("parameters (4 H N + 4 H^2 + 7 H and 3 H N + 3 H^2 + 5 H)")
    assert lines[at + 1 : lines.index("", at)] == [
        "- W_f : [H, N] ~ glorot_uniform",
        "- U_f : [H, H] ~ orthogonal(1)",
        "- p_f : [H] ~ zeros",
        "- b_i : [H] ~ zeros",
        "+ b_i : [H] ~ constant(-1)",
        "- b_f : [H] ~ ones",
    ]


def test_interfaces_are_shown_side_by_side(run: Run) -> None:
    lines = run("diff", "LSTM", "LSTMP").out.splitlines()
    for section, ours, theirs in (
        ("dimensions", "- N, H", "+ N, H, R"),
        ("outputs", "- h: [H]", "+ r: [R]"),
        ("states", "- h: [H], c: [H]", "+ r: [R], c: [H]"),
    ):
        at = lines.index(section)
        assert lines[at + 1 : at + 3] == [ours, theirs]
    assert lines[-1] == "the same: inputs, recurrence"


def test_dimensions_can_be_given(run: Run) -> None:
    assert "relu in place of tanh" in run("diff", "Elman", "IRNN").out
    assert "relu in place of tanh" not in run("diff", "Elman", "IRNN", "-D", "squash=relu").out


def test_json_has_everything(run: Run) -> None:
    shown = run("diff", "LSTM", "CIFG", "--json")
    found = json.loads(shown.out)
    assert (shown.code, found["same"]) == (1, False)
    assert found["summary"] == "forget gate f is 1 - i; first value of b_i: constant(-1), not zeros"
    assert found["a"] == {"cell": "LSTM", "file": "lstm.rnn", "parameters": "4 H N + 4 H^2 + 7 H"}
    assert found["recurrence"] == {"a": ["full"], "b": ["full"], "same": True}
    assert {"a": ["f = sigmoid(W_f @ x + U_f @ h[t-1] + p_f * c[t-1] + b_f)"], "b": ["f = 1 - i"]} in found["equations"]
    (first,) = [p for p in found["parameters"] if p["a"] and p["a"]["name"] == "b_i"]
    assert (first["b"]["first"], first["same_shape"], first["same_first"]) == ("constant(-1)", True, False)
    assert json.loads(run("diff", "GRU", "GRU", "--json").out)["same"] is True


# --------------------------------------------------------------------------------------------------------- wrong calls


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["GRU", "GRUafter"], "did you mean GRUAfter?"),
        (["gru", "GRU"], "did you mean GRU?"),
        (["GRU", "none.rnn"], "there is no file none.rnn"),
        (["GRU"], "Missing argument 'B'"),
        (["GRU", "LSTM", "CIFG"], "unexpected extra argument"),
        (["GRU", "LSTM", "-D", "h=3"], "neither GRU nor LSTM has a dimension h"),
        (["GRU", "LSTM", "-D", "H=0"], "dimensions start at 1"),
        (["GRU", "LSTM", "-D", "H"], "NAME=VALUE"),
        (["Elman", "GRU", "-D", "squash=tnah"], "did you mean tanh?"),
        (["GRU", "LSTM", "--jason"], "--json"),
    ],
)
def test_a_wrong_call_has_exit_code_2(run: Run, arguments: list[str], said: str) -> None:
    shown = run("diff", *arguments)
    assert (shown.code, shown.out) == (2, "")
    assert said in shown.err


def test_a_file_with_mistakes_has_exit_code_2(run: Run, file: Path) -> None:
    file.write_text(TIED.replace("U @ h[t-1]", "W @ h[t-1]"), encoding="utf-8")
    shown = run("diff", "GRU", f"{file}:Tied")
    assert shown.code == 2
    assert "error[RNN020]" in shown.err
