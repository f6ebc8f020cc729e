"""The magic `%%rnn`: what it defines, shows and reports."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import recurrency as rc

TWO = """
cell Inner[N, H](x: [N]) -> (h: [H]) {
    param W : [H, N] ~ between(-1, 1)
    state h : [H] = 0

    h = tanh(W @ x + h[t-1])
}

cell Outer[N](x: [N]) -> (y: [1]) {
    y = Inner[1](x)
}
"""


class Shell:
    """What the extension uses of IPython."""

    def __init__(self) -> None:
        self.variables: dict[str, Any] = {}
        self.magics: dict[str, tuple[str, Callable[..., Any]]] = {}

    def push(self, variables: dict[str, Any]) -> None:
        self.variables |= variables

    def register_magic_function(self, function: Callable[..., Any], magic_kind: str, magic_name: str) -> None:
        self.magics[magic_name] = (magic_kind, function)

    def rnn(self, line: str, text: str | None) -> Any:
        return self.magics["rnn"][1](line, text)


@pytest.fixture
def shell() -> Shell:
    found = Shell()
    rc.load_ipython_extension(found)
    return found


def test_every_cell_of_the_text_becomes_a_variable_and_the_last_is_shown(shell: Shell) -> None:
    shown = shell.rnn("", TWO)
    assert shown is shell.variables["Outer"]
    assert sorted(shell.variables) == ["Inner", "Outer"]
    assert shell.variables["Inner"].compile(backend="numpy", N=2, H=3).size == 6
    assert shell.magics["rnn"][0] == "line_cell"


def test_the_last_cell_gets_a_name_and_a_file(shell: Shell, tmp_path: Path) -> None:
    file = tmp_path / "my cells.rnn"
    shell.rnn(f"net --save '{file}'", TWO)
    assert shell.variables["net"] is shell.variables["Outer"]
    assert file.read_text(encoding="utf-8") == TWO
    assert rc.load(file, "Inner").name == "Inner"


def test_files_beside_the_notebook_can_be_used(shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    shell.rnn("--save cells.rnn", TWO)
    shown = shell.rnn("", 'use Inner from "cells.rnn"\n\ncell Twice[N](x: [N]) -> (y: [3]) { y = 2 * Inner[3](x) }\n')
    assert shown.compile(backend="numpy", N=2).size == 6


def test_a_mistake_is_reported_as_the_command_reports_it_and_defines_nothing(
    shell: Shell, capsys: pytest.CaptureFixture[str]
) -> None:
    assert shell.rnn("", TWO.replace("W @ x", "W @ h[t-1]")) is None
    said = capsys.readouterr().err
    assert said.startswith("error[RNN021]: cannot multiply W [H, N] by h[t-1] [H]\n  --> <notebook>:6:14")
    assert "Traceback" not in said
    assert shell.variables == {}


def test_a_warning_is_reported_and_the_cell_is_defined(shell: Shell, capsys: pytest.CaptureFixture[str]) -> None:
    assert shell.rnn("", TWO.replace("    h = tanh", "    unread = 2 * x\n    h = tanh")) is not None
    assert "warning[RNN" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("line", "text", "said"),
    [
        ("", None, "write %%rnn, with two percent signs"),
        ("a b", TWO, "expected at most one variable: %%rnn [NAME] [--save FILE]"),
        ("1a", TWO, "expected at most one variable"),
        ("--save", TWO, "--save needs the name of a file"),
        ("'a", TWO, "No closing quotation"),
        ("--save /nowhere/x.rnn", TWO, "/nowhere"),
        ("", "", "error[RNN"),
    ],
)
def test_a_wrong_call_is_explained(
    shell: Shell, line: str, text: str | None, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert shell.rnn(line, text) is None
    assert said in capsys.readouterr().err
    assert shell.variables == {}


def test_ipython_itself_loads_the_extension() -> None:
    interactive = pytest.importorskip("IPython.core.interactiveshell", reason="IPython is not installed")
    shell = interactive.InteractiveShell()
    shell.run_line_magic("load_ext", "recurrency")
    shown = shell.run_cell_magic("rnn", "net", TWO)
    assert shown.name == "Outer"
    assert shell.user_ns["net"] is shown
