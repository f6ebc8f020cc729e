"""The fuzzer: what it calls a finding, how it makes one small, what it writes, and how it ends."""

from __future__ import annotations

import re
import runpy
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from recurrency.testing import Case
from recurrency.testing.fuzz import checks as checking
from recurrency.testing.fuzz import search as fuzz_search
from recurrency.testing.fuzz.checks import Finding, Trial, checks
from recurrency.testing.fuzz.command import main, write
from recurrency.testing.fuzz.drawn import drawn, table
from recurrency.testing.fuzz.reduce import edits, reduced
from recurrency.testing.specs.strategy import Program
from tests.planted import Plant, planted

TEXT = """\
cell Part[N, H](x: [N]) -> (y: [H]) {
    param W : [H, N] ~ ones
    y = tanh(W @ x) + 1
}

cell Main[N, H](x: [N], z: [H]) -> (y: [H], a: [N]) {
    param b : [H] ~ ones
    state h : [H] = 0
    a = sin(x) * 2
    h = 0.5 * h[t-1] + sigmoid(z * b)
    for j in 1..2 { m[j] = a * j }
    y = (h - 0.3 * Part[H](m[2])) * (1 if N > 1 else 2)
    loss squared_error(y, z)
}
"""
CASE = Case({"N": 2, "H": 3}, {"t": 3}, 2, {"t": (3, 1)}, seed=1)
TRIAL = Trial(Program(TEXT, {"N": 2, "H": 3}), CASE, ("forward", "backward"), (), "numpy")
BUG = Plant("", "recurrency.backends.numpy.ops:ELEMENTWISE[sigmoid]", "one", "0.25", "", "")


def found(trial: Trial) -> Finding:
    finding, _ = checks(trial)
    assert finding is not None
    return finding


def test_a_program_without_mistakes_gives_no_finding_but_numbers() -> None:
    assert checks(replace(TRIAL, slopes=True)) == (None, checks(TRIAL)[1])
    assert checks(TRIAL)[1] > 50


def test_what_a_backend_computes_wrongly_is_a_finding() -> None:
    with planted(BUG):
        assert found(TRIAL).key == "numpy: forward output"
    assert checks(TRIAL)[0] is None


@pytest.mark.parametrize(
    ("wrong", "key"),
    [
        (lambda text, name: text + " ", "format twice"),
        (lambda text, name: text.replace("sin", "cos"), "format meaning"),
        (lambda text, name: text[0 / 0], "ZeroDivisionError in checks._formats"),
    ],
)
def test_what_goes_wrong_before_any_numbers_is_a_finding(
    wrong: Callable[[str, str], str], key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checking, "format_file", wrong)
    assert found(TRIAL).key == key


def test_an_invalid_program_is_a_finding_for_all_are_valid() -> None:
    wrong = replace(TRIAL, program=replace(TRIAL.program, text=TEXT.replace("sin(x)", "sin(z)")))
    assert found(wrong).what.startswith("SpecError in ")


def test_what_takes_too_long_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    def slow(spec: object, trial: Trial) -> None:
        while True:
            time.process_time()

    monkeypatch.setattr(checking, "LANGUAGE", (slow,))
    monkeypatch.setattr(checking, "COMPILING", 1)
    assert found(TRIAL).what.endswith("more than 1 s")


def test_a_finding_is_made_small() -> None:
    with planted(BUG):
        small = reduced(found(TRIAL), 60.0).trial.program
    assert "sigmoid" in small.text
    assert small.text.count("\n") <= 4, small.text


def test_everything_may_be_left_out_but_the_last_cell() -> None:
    left = {TEXT[start:end] for start, end, new in edits(TEXT) if not new}
    assert any(piece.startswith("cell Part") for piece in left)
    assert not any(piece.startswith("cell Main") for piece in left)
    assert "    a = sin(x) * 2\n" in left
    assert ("(h - 0.3 * Part[H](m[2]))", "h") in {(TEXT[a:b], new) for a, b, new in edits(TEXT)} | {
        (TEXT[a - 1 : b + 1], new) for a, b, new in edits(TEXT)
    }


def test_a_finding_is_written_with_a_script_that_shows_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with planted(BUG):
        script = write(found(TRIAL), tmp_path)
        assert "# guilty: op sigmoid" in script.with_suffix(".rnn").read_text(encoding="utf-8")
        runpy.run_path(str(script))
        assert "forward, float64: output:y at step 0" in capsys.readouterr().out
    runpy.run_path(str(script))
    assert capsys.readouterr().out == "nothing is wrong any more\n"


def test_the_command_ends_with_0_where_nothing_is_found(tmp_path: Path) -> None:
    run = CliRunner().invoke(main, ["--seconds", "2", "--backends", "numpy", "--out", str(tmp_path / "found")])
    assert run.exit_code == 0, run.output
    assert re.search(r"\d+ programs in \d+ s \(\d+ a minute\), [\d,]+ numbers compared, 0 findings", run.output)
    assert re.search(r"drawn, in so many of \d+ programs:\n  constructs: (.|\n)*\bstate \d+", run.output)
    assert not (tmp_path / "found").exists()


def test_constructs_are_counted_once_for_each_program() -> None:
    cells = "use LSTM from library\n\ncell Main[N](x: [N], r: []) -> (y: [N]) {\n"
    body = "    const A : [N, N] = given\n    u = LSTM[N](A @ x) reset (r < 0)\n    y = tanh(tanh(u))\n}\n"
    trial = replace(TRIAL, program=Program(cells + body, {"N": 2}), case=replace(CASE, resets=True))
    counts = Counter([*drawn(trial), *drawn(TRIAL)])
    assert counts["constructs", "use `reset`"] == counts["constructs", "const given"] == 1
    assert counts["functions", "tanh"] == 2
    assert counts["arguments", "resets"] == 1
    text = table(counts, 2)
    assert "drawn, in so many of 2 programs:" in text
    assert "use `when` 0" in text


@pytest.mark.long
def test_the_command_finds_a_planted_mistake_and_ends_with_1(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fuzz_search, "SHRINKING", 0.5)
    monkeypatch.setattr("recurrency.testing.fuzz.command.blamed", lambda finding: [])  # tested above, and takes long
    bug = Plant("", "recurrency.backends.numpy.ops:ELEMENTWISE[multiply]", "{0}, {1}", "{0}, {0}", "", "")
    with planted(bug):
        run = CliRunner().invoke(main, ["--seconds", "4", "--backends", "numpy", "--seed", "5", "--out", str(tmp_path)])
    assert run.exit_code == 1, run.output
    assert "found: numpy: " in run.output
    assert list(tmp_path.glob("found-*.rnn"))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--backends", "nunpy"], "error: there is no backend nunpy"),
        (["--backends", " , "], "error: there is no backend to be tried"),
        (["--out", __file__], f"error: {__file__} can't be a folder: {__file__} is a file"),
        (["--jobs", "0"], "0 is not in the range"),
        (["--minutes", "-1"], "-1.0 is not in the range"),
    ],
)
def test_a_wrong_call_ends_with_2_and_says_why(words: list[str], said: str) -> None:
    run = CliRunner().invoke(main, ["--seconds", "1", *words])
    assert run.exit_code == 2
    assert said in run.output
