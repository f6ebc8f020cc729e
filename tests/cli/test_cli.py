"""The command line: what it prints, where, and with which exit code."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from recurrency.cli import COMMANDS
from recurrency.version import VERSION
from tests.support.calling import Outcome, Run

GOOD = """\
cell Tiny[H](x: [H]) -> (h: [H]) {
    \"\"\"A leaky sum.\"\"\"

    param a : [H] ~ ones

    state h : [H] = 0

    h = a * h[t-1] + x
}
"""
UGLY = GOOD.replace("    h = a * h[t-1] + x", "  h=a*h[t-1]+x")
BAD = """\
cell Wrong[N, H](x: [N]) -> (h: [H]) {
    param W : [H, N] ~ zeros
    h = W @ y
    g = tanh(W @ W)
}
"""


@pytest.fixture
def good(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.rnn"
    path.write_text(GOOD, encoding="utf-8")
    return path


@pytest.fixture
def bad(tmp_path: Path) -> Path:
    path = tmp_path / "wrong.rnn"
    path.write_text(BAD, encoding="utf-8")
    return path


# --------------------------------------------------------------------------------------------------------- as a whole


@pytest.mark.parametrize("arguments", [("--help",), ("-h",), ()])
def test_help_lists_every_command(run: Run, arguments: tuple[str, ...]) -> None:
    shown = run(*arguments)
    assert all(f"  {name} " in shown.out + shown.err for name in COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(run: Run, command: str) -> None:
    shown = run(command, "--help")
    assert shown.code == 0
    assert shown.out.startswith(f"Usage: recurrency {command}")
    assert command == "backends" or "Examples:" in shown.out


def test_a_misspelt_command_is_met_with_the_nearest(run: Run) -> None:
    shown = run("shwo")
    assert shown.code == 2
    assert "did you mean show?" in shown.err


def test_the_version_is_told(run: Run) -> None:
    assert run("--version").out.startswith("recurrency 0.")


def test_a_misspelt_cell_is_met_with_the_nearest(run: Run) -> None:
    shown = run("show", "LTSM")
    assert shown.code == 1
    assert shown.err.startswith("error: ")
    assert "did you mean LSTM?" in shown.err


def test_a_misspelt_file_is_met_with_the_nearest(run: Run, good: Path) -> None:
    shown = run("show", good.with_name("tinny.rnn"))
    assert shown.code == 1
    assert "did you mean" in shown.err
    assert "tiny.rnn" in shown.err


@pytest.mark.parametrize("text", ["H", "H=", "=3"])
def test_a_dimension_without_a_value_is_a_wrong_call(run: Run, text: str) -> None:
    shown = run("show", "LSTM", "-D", text)
    assert shown.code == 2
    assert "NAME=VALUE" in shown.err


# -------------------------------------------------------------------------------------------------------------- check


def test_check_is_content_with_a_good_file(run: Run, good: Path) -> None:
    shown = run("check", good, "LSTM", f"{good}:Tiny")
    assert (shown.code, shown.err) == (0, "")
    assert "Tiny well-formed" in shown.out


def test_check_tells_all_mistakes_on_standard_error(run: Run, good: Path, bad: Path) -> None:
    shown = run("check", bad, good)
    assert shown.code == 1
    assert shown.err.count("error[RNN") >= 2
    assert f"{bad}:3:" in shown.err
    assert f"{bad}:4:" in shown.err
    assert "Tiny well-formed" in shown.out


def test_check_goes_on_after_a_file_that_is_not_there(run: Run, good: Path) -> None:
    shown = run("check", good.with_name("other.rnn"), good)
    assert shown.code == 1
    assert "other.rnn" in shown.err
    assert "Tiny well-formed" in shown.out


def test_check_without_a_file_is_a_wrong_call(run: Run) -> None:
    assert run("check").code == 2


# ---------------------------------------------------------------------------------------------------------------- fmt


def test_fmt_leaves_a_file_in_canonical_form_alone(run: Run, good: Path) -> None:
    assert run("fmt", good) == Outcome(0, "", "")
    assert good.read_text(encoding="utf-8") == GOOD


def test_fmt_rewrites_a_file(run: Run, good: Path) -> None:
    good.write_text(UGLY, encoding="utf-8")
    assert run("fmt", good).code == 0
    assert good.read_text(encoding="utf-8") == GOOD
    assert list(good.parent.iterdir()) == [good]


def test_fmt_check_changes_nothing_and_says_what_would_change(run: Run, good: Path) -> None:
    good.write_text(UGLY, encoding="utf-8")
    shown = run("fmt", "--check", good)
    assert shown.code == 1
    assert "tiny.rnn" in shown.err
    assert good.read_text(encoding="utf-8") == UGLY


def test_fmt_leaves_a_malformed_file_alone(run: Run, good: Path) -> None:
    good.write_text("cell {", encoding="utf-8")
    shown = run("fmt", good)
    assert shown.code == 1
    assert "error[RNN" in shown.err
    assert good.read_text(encoding="utf-8") == "cell {"


def test_fmt_names_a_file_that_is_not_there(run: Run, tmp_path: Path) -> None:
    shown = run("fmt", tmp_path / "none.rnn")
    assert shown.code == 1
    assert "none.rnn" in shown.err


# ----------------------------------------------------------------------------------------------------------- backends


def test_backends_says_which_can_run(run: Run) -> None:
    lines = run("backends").out.splitlines()
    assert any(line.split()[:2] == ["numpy", "yes"] for line in lines)


# --------------------------------------------------------------------------------------------------------------- show


def test_show_keeps_dimensions_without_a_number_as_letters(run: Run, good: Path) -> None:
    shown = run("show", good)
    assert shown.code == 0
    assert "A leaky sum." in shown.out
    assert "-D H=" in shown.out


def test_show_counts_parameters_flops_and_bytes(run: Run, good: Path) -> None:
    shown = run("show", good, "-D", "H=7").out
    assert "Parameters (7)" in shown
    assert "diagonal, affine" in shown
    assert "14 flop" in shown.replace("14flop", "14 flop")


def test_show_gives_the_shape_of_everything(run: Run) -> None:
    shown = run("show", "LSTM", "-D", "N=64", "-D", "H=128").out
    rows = {line.split()[0]: line for line in shown.splitlines() if line.strip()}
    assert "[128, 64]" in rows["W_i"]
    assert "8192" in rows["W_i"]
    assert "[128]" in rows["c"]
    assert "over t" in rows["x"]


def test_show_tells_an_unknown_dimension(run: Run, good: Path) -> None:
    shown = run("show", good, "-D", "Q=7")
    assert shown.code == 1
    assert "Q" in shown.err


def test_show_prints_latex(run: Run, good: Path) -> None:
    assert "\\begin{align*}" in run("show", good, "--latex").out


@pytest.mark.parametrize(("suffix", "start"), [("svg", b"<svg"), ("png", b"\x89PNG"), ("dot", b"digraph")])
def test_show_draws(run: Run, good: Path, suffix: str, start: bytes) -> None:
    picture = good.with_name(f"tiny.{suffix}")
    shown = run("show", good, "--graph", picture)
    assert shown.code == 0
    assert picture.name in shown.out
    assert picture.read_bytes().startswith(start)


@pytest.mark.parametrize("name", ["tiny.jpg", "none/tiny.svg"])
def test_show_tells_where_it_can_not_draw(run: Run, good: Path, name: str) -> None:
    shown = run("show", good, "--graph", good.parent / name)
    assert shown.code == 1
    assert name in shown.err


@pytest.mark.parametrize("stage", ["elaborate", "simplify", "cse", "reassociate", "pack", "differentiate", "schedule"])
def test_show_prints_the_graph_after_a_pass(run: Run, good: Path, stage: str) -> None:
    shown = run("show", good, "-D", "H=3", "--print-after", stage)
    assert shown.code == 0
    assert "output:h" in shown.out or stage in ("differentiate", "schedule")
    assert "%" in shown.out


def test_show_switches_passes_off(run: Run, good: Path) -> None:
    plain = run("show", good, "-D", "H=3", "--print-after", "schedule")
    other = run("show", good, "-D", "H=3", "--print-after", "schedule", "--without", "fuse")
    assert (plain.code, other.code) == (0, 0)
    assert plain.out != other.out


@pytest.mark.parametrize("option", ["--print-after", "--without"])
def test_a_misspelt_pass_is_met_with_the_nearest(run: Run, good: Path, option: str) -> None:
    arguments = [option, "simplfy", *(["--print-after", "pack"] if option == "--without" else [])]
    shown = run("show", good, "-D", "H=3", *arguments)
    assert shown.code == 1
    assert "did you mean simplify?" in shown.err


# ------------------------------------------------------------------------------------------------------------ compile


def test_compile_writes_a_module_that_stands_alone(run: Run, good: Path) -> None:
    target = good.with_name("tiny.py")
    shown = run("compile", good, "--backend", "numpy", "-D", "H=3", "-o", target)
    assert shown.code == 0
    assert "3 parameters" in shown.err
    text = target.read_text(encoding="utf-8")
    assert "import numpy" in text
    assert "import recurrency" not in text
    compile(text, str(target), "exec")


@pytest.mark.parametrize(
    ("backend", "target", "wanted"),
    [
        ("c", "x.py", "x.c; Python is written by --backend numpy, torch or cupy"),
        ("c", "x", "x.c"),
        ("c", "x.h", "x.c"),
        ("c", "x.C", "x.c"),
        ("numpy", "x.c", "x.py; C is written by --backend c"),
        ("numpy", "x.rnn", "x.py"),
        ("torch", "x.c", "x.py; C is written by --backend c"),
        ("cupy", "x.cu", "x.py"),
        ("cupy-emulated", "x.txt", "x.py"),
    ],
)
def test_compile_writes_each_language_under_its_extension(
    run: Run, good: Path, backend: str, target: str, wanted: str
) -> None:
    path = good.with_name(target)
    shown = run("compile", good, "--backend", backend, "-D", "H=3", "-o", path)
    assert shown.code == 1
    assert f"ends in {Path(wanted.split(';')[0]).suffix}: say -o {good.with_name(wanted)}" in " ".join(
        shown.err.split()
    )
    assert not path.exists()


@pytest.mark.parametrize("backend", ["c", "numpy"])
def test_compile_writes_into_no_folder(run: Run, good: Path, backend: str) -> None:
    for folder in (".", "/", good.parent):
        shown = run("compile", good, "--backend", backend, "-D", "H=3", "-o", folder)
        assert shown.code == 1
        assert "is a folder: say -o" in shown.err


@pytest.mark.parametrize("backend", ["c", "numpy"])
def test_compile_writes_to_pipes_and_devices(run: Run, good: Path, tmp_path: Path, backend: str) -> None:
    """Whatever they are called; they stay what they are."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read: list[str] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_text()), daemon=True)
    reader.start()
    shown = run("compile", good, "--backend", backend, "-D", "H=3", "-o", pipe)
    reader.join(10)
    assert shown.code == 0
    assert pipe.is_fifo()
    assert read == [run("compile", good, "--backend", backend, "-D", "H=3").out]


def test_compile_prints_without_a_file(run: Run, good: Path) -> None:
    assert "import numpy" in run("compile", good, "-D", "H=3").out


def test_compile_asks_for_missing_dimensions(run: Run, good: Path) -> None:
    shown = run("compile", good)
    assert shown.code == 1
    assert "H" in shown.err


def test_compile_tells_an_unknown_backend(run: Run, good: Path) -> None:
    shown = run("compile", good, "-D", "H=3", "--backend", "numpi")
    assert shown.code == 1
    assert "numpy" in shown.err


def test_compile_tells_where_it_can_not_write(run: Run, good: Path) -> None:
    shown = run("compile", good, "-D", "H=3", "-o", good.parent / "none" / "tiny.py")
    assert shown.code == 1
    assert "tiny.py" in shown.err


# -------------------------------------------------------------------------------------------------------------- train


def test_train_tells_an_unknown_task(run: Run) -> None:
    shown = run("train", "frist-element")
    assert shown.code == 1
    assert "first-element" in shown.err


def test_the_version_of_a_checkout_has_its_commit(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("recurrency.reproducing.machine.source", lambda: "0123456789ab with changes")
    assert run("--version").out == f"recurrency {VERSION} (commit 0123456789ab with changes)\n"
    monkeypatch.setattr("recurrency.reproducing.machine.source", lambda: f"recurrency {VERSION}")
    assert run("--version").out == f"recurrency {VERSION}\n"
