"""Fixes: what a message suggests, offered only where it mends the mistake."""

from __future__ import annotations

from pathlib import Path

import pytest

from recurrency.editor.analysis import Workshop
from recurrency.editor.fixing import applied, fixes, use_edit

HEAD = "cell C[N, H](x: [N], z: [N]) -> (h: [H]) {\n    param W : [H, N] ~ glorot_uniform\n"
BODY = "    state h : [H] = 0\n"


def fixed(text: str) -> list[tuple[str, str]]:
    """The fixes of the first diagnostic: their titles, and the changed line or the new one."""
    workshop = Workshop(None, "<text>")
    analysis = workshop.analyse(text)
    found = [*analysis.mistakes, *workshop.warnings(analysis)][0]
    out = []
    for fix in fixes(analysis, found, workshop.analyse):
        after = applied(analysis.lines, fix.edits).split("\n")
        out.append((fix.title, next(line for line in after if line not in analysis.lines).strip()))
    return out


@pytest.mark.parametrize(
    ("equation", "wanted"),
    [
        ("h = tahn(W @ x)", [("Change to tanh", "h = tanh(W @ x)")]),
        ("h = tahn(W @ z * z)", [("Change to tanh", "h = tanh(W @ z * z)")]),  # another mistake was behind it
        ("h = tanh(W x)", [("Write W @ x", "h = tanh(W @ x)"), ("Write W * x", "h = tanh(W * x)")]),
        ("h = tanh(x @ W)", [("Change to W @ x", "h = tanh(W @ x)")]),
        ("h = tanh(W @ x + h)", [("Change to h[t-1]", "h = tanh(W @ x + h[t-1])")]),
        ("h = tanh(W @ x + h_prev)", [("Write h[t-1]", "h = tanh(W @ x + h[t-1])")]),
        ("h = tanh(W @ x + h[i-1])", [("Write h[t-1]", "h = tanh(W @ x + h[t-1])")]),
        ("h = tanh(W @ x + h_{t-1})", [("Write h[t-1]", "h = tanh(W @ x + h[t-1])")]),
        ("h = tanh(lstm(x))", [("Change to LSTM", "use LSTM from library")]),
        ("h = tanh(lstm[H](x))", [("Change to LSTM", "use LSTM from library")]),
        ("h = GRU[H](x)", [("Add `use GRU from library`", "use GRU from library")]),
        ("h = torch.tanh(W @ x)", []),  # its help has an example, not what the line should say
        ("h = 1 if x > 0 and x < 1 else 0", []),
    ],
)
def test_a_fix_is_what_the_message_suggests(equation: str, wanted: list[tuple[str, str]]) -> None:
    assert fixed(f"{HEAD}{BODY}    {equation}\n    loss sum(z) + sum(h[t-1])\n}}\n") == wanted


def test_a_stream_inside_of_a_use_is_changed_behind_the_point() -> None:
    text = "use LSTM from library\ncell C[N, H](x: [N]) -> (h: [H]) {\n    u = LSTM[H](x)\n    h = u.cc\n}\n"
    assert fixed(text) == [("Change to c", "h = u.c")]


def test_a_new_use_line_follows_the_others() -> None:
    text = "use Linear from library\n\ncell C[N, H](x: [N]) -> (h: [H]) {\n    h = Linear[H](GRU[H](x))\n}\n"
    workshop = Workshop(None, "<text>")
    analysis = workshop.analyse(text)
    (fix,) = fixes(analysis, analysis.mistakes[0], workshop.analyse)
    assert applied(analysis.lines, fix.edits).startswith("use Linear from library\nuse GRU from library\n\ncell C")
    assert not workshop.analyse(applied(analysis.lines, fix.edits)).mistakes


def test_a_use_line_may_end_a_text() -> None:
    edit = use_edit("# mine\nuse Linear from library", "use GRU from library")
    assert (
        applied(["# mine", "use Linear from library"], (edit,))
        == "# mine\nuse Linear from library\nuse GRU from library"
    )


def test_a_missing_file_is_found_by_its_name(tmp_path: Path) -> None:
    (tmp_path / "layers.rnn").write_text("cell A[N](x: [N]) -> (y: [N]) {\n    y = tanh(x)\n}\n")
    workshop = Workshop(tmp_path / "own.rnn", "own.rnn")
    analysis = workshop.analyse('use "layer.rnn"\ncell B[N](x: [N]) -> (y: [N]) {\n    y = A(x)\n}\n')
    (fix,) = fixes(analysis, analysis.mistakes[0], workshop.analyse)
    assert applied(analysis.lines, fix.edits).startswith('use "layers.rnn"\n')


def test_a_warning_is_silenced_and_a_comment_that_does_nothing_goes() -> None:
    silent = ("Silence RNN101 here", "param W : [H, N] ~ glorot_uniform  # ok: RNN101")
    text = HEAD + "    h = identity(H) @ repeat(sum(x + z), H)\n}\n"
    assert fixed(text) == [silent]
    quiet = text.replace("uniform\n", "uniform  # ok: RNN101\n")
    assert Workshop(None, "<text>").analyse(quiet).mistakes == ()
    read = quiet.replace("repeat(", "(W @ x) + repeat(")
    assert fixed(read) == [("Delete the comment", "param W : [H, N] ~ glorot_uniform")]
