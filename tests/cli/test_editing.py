"""What editors, hooks and shells use: `check -`, `check --json`, colours, completion, `lsp`."""

from __future__ import annotations

import io
import json
import os
import pty
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.shell_completion import ShellComplete

from recurrency.cli import cli, common, completing
from tests.support.calling import Run

ROOT = Path(__file__).resolve().parents[2]
WRONG = "cell Wrong[N](x: [N]) -> (y: [N]) {\n    y = tanj(x)\n}\n"
RIGHT = "cell Right[N](x: [N]) -> (y: [N]) {\n    y = tanh(x)\n}\n"
UNREAD = "cell Unread[N](x: [N], z: [N]) -> (y: [N]) {\n    y = tanh(x)\n}\n"


def typed(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """Standard input is a text."""
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))


def test_check_reads_standard_input_and_the_files_beside_it(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "right.rnn").write_text(RIGHT)
    typed(monkeypatch, WRONG)
    found = run("check", "-")
    assert (found.code, "--> -:2:9" in found.err) == (1, True)
    typed(monkeypatch, 'use "right.rnn"\n' + UNREAD.replace("tanh(x)", "Right(x + z)"))
    assert run("check", "-").out == "-: Unread well-formed\n"


def test_check_prints_json(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name, text in (("wrong.rnn", WRONG), ("unread.rnn", UNREAD)):
        (tmp_path / name).write_text(text)
    found = run("check", "--json", "wrong.rnn", "unread.rnn", "missing.rnn")
    wrong, unread, missing = json.loads(found.out)
    assert (found.code, found.err) == (1, "")
    (mistake,) = wrong["diagnostics"]
    assert (mistake["code"], mistake["help"]) == ("RNN020", "did you mean tanh?")
    assert mistake["place"] == {"file": "wrong.rnn", "line": 2, "column": 9, "end_line": 2, "end_column": 13}
    assert [(d["severity"], d["code"]) for d in unread["diagnostics"]] == [("warning", "RNN102")]
    assert missing["diagnostics"][0]["title"].startswith("there is no file missing.rnn")
    assert run("check", "--json", "unread.rnn").code == 0
    assert run("check", "--json", "--strict", "unread.rnn").code == 1


@pytest.mark.parametrize(("variable", "coloured"), [("", True), ("1", False)])
def test_mistakes_have_colours_on_a_terminal(tmp_path: Path, variable: str, coloured: bool) -> None:
    """And none where NO_COLOR is set."""
    (tmp_path / "wrong.rnn").write_text(WRONG)
    ours, theirs = pty.openpty()
    environment = {**os.environ, "NO_COLOR": variable, "TERM": "xterm"}
    words = [sys.executable, "-m", "recurrency", "check", "wrong.rnn"]
    subprocess.run(words, cwd=tmp_path, env=environment, stderr=theirs, stdout=subprocess.DEVNULL, check=False)
    os.close(theirs)
    said = os.read(ours, 10_000).decode()
    os.close(ours)
    assert "tanj is not defined" in said
    assert ("\x1b[31m\x1b[1merror\x1b[0m[RNN020]" in said) == coloured
    assert ("\x1b" in said) == coloured


def test_files_and_pipes_get_no_colours(run: Run, tmp_path: Path) -> None:
    (tmp_path / "wrong.rnn").write_text(WRONG)
    assert "\x1b" not in run("check", tmp_path / "wrong.rnn").err


def test_colours_change_nothing_else(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    text = (
        "error[RNN020]: a | b\n --> x.rnn:2:9\n  |\n2 |   y = error: ^ tanj\n  |       ^^^^\n  = help: did you mean |?"
    )
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setattr(common.click, "style", lambda part, **colour: f"<{part}>")
    common.report(text)
    said = capsys.readouterr().err
    assert said.replace("<", "").replace(">", "") == text.replace(">", "") + "\n"
    assert "<error>[RNN020]: a | b\n< -->> x.rnn" in said
    assert "<help>: did you mean |?" in said


# ---------------------------------------------------------------------------------------------------------- completion


def completions(*words: str) -> list[str]:
    """What a shell offers for the last word."""
    found: Any = ShellComplete(cli, {}, "recurrency", completing.VARIABLE)
    return [item.value for item in found.get_completions(list(words[:-1]), words[-1])]


def test_shells_complete_cells_files_experiments_and_backends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own.rnn").write_text(RIGHT + UNREAD)
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "inner.rnn").write_text(RIGHT)
    assert completions("sh") == ["show"]
    assert {"PlainLSTM"} <= set(completions("show", "plainl"))
    assert completions("check", "o") == [name for name in completions("check", "o") if name.lower()[0] == "o"]
    assert "own.rnn" in completions("check", "o")
    assert completions("check", "own.rnn:") == ["own.rnn:Right", "own.rnn:Unread"]
    assert completions("fmt", "deep/") == ["deep/inner.rnn"]
    assert "first-element" in completions("train", "first")
    assert "numpy" in completions("compile", "LSTM", "--backend", "n")
    assert completions("reproduce", "no such thing") == []


@pytest.mark.parametrize("shell", completing.SHELLS)
def test_completion_is_installed_once(shell: str, tmp_path: Path) -> None:
    if shutil.which("bash") is None and shell == "bash":
        pytest.skip("there is no bash")
    for _ in range(2):
        script, start = completing.installed_in(tmp_path, shell)
    assert completing.VARIABLE in script.read_text()
    if start is not None:
        assert start.read_text().count(str(script)) == 1


def test_an_unknown_shell_is_refused(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHELL", "/bin/csh")
    assert "name the shell: --install-completion bash, zsh, fish; SHELL is csh" in run("--install-completion").err


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
def test_bash_completes_a_cell(tmp_path: Path) -> None:
    script, _ = completing.installed_in(tmp_path, "bash")
    (tmp_path / "recurrency").write_text(f'#!/bin/sh\nexec {sys.executable} -m recurrency "$@"\n')
    (tmp_path / "recurrency").chmod(0o755)
    typed = (
        "COMP_WORDS=(recurrency show PlainLS); COMP_CWORD=2; _recurrency_completion recurrency; echo ${COMPREPLY[@]}"
    )
    environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    words = ["bash", "-c", f'. "{script}"; {typed}']
    shown = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
    assert shown.stdout.split() == ["PlainLSTM"], shown.stderr


# --------------------------------------------------------------------------------------------------------------- hooks


def test_the_hooks_name_commands_that_exist() -> None:
    text = (ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8")
    entries = [line.split(":", 1)[1].split() for line in text.split("\n") if line.strip().startswith("entry:")]
    assert entries == [["recurrency", "check"], ["recurrency", "fmt"]]
    assert all(words[1] in cli.list_commands(cli.make_context("recurrency", ["check"])) for words in entries)
