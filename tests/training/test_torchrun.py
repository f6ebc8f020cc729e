"""`recurrency train` in several processes, started by torchrun."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from tests.support import small_data
from tests.support.processes import CLOSE, EXAMPLE, PATIENCE, RAGGED, ROOT, both, environment, torchrun

# ---------------------------------------------------------------------------------------------- recurrency train


def prepared(folder: Path) -> list[str]:
    """A task with sequences of unequal length, and the words of the command but for batch and output."""
    rng = np.random.default_rng(0)
    (folder / "ragged.rnn").write_text(RAGGED, encoding="utf-8")
    np.savez(folder / "ragged.npz", x=rng.normal(size=(17, 6, 2)), lengths=rng.integers(1, 7, 17))
    words = "train ragged.rnn --data ragged.npz -D N=2 -D H=3 --dtype float64 --epochs 2 --optimiser sgd --rate 0.1"
    return [*words.split(), "--clip", "0.5", "--log-form", "lines"]


def test_two_processes_end_with_the_parameters_of_one_with_twice_the_batch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from click.testing import CliRunner

    from recurrency.cli.train import train as command

    words = prepared(tmp_path)
    monkeypatch.chdir(tmp_path)
    alone = CliRunner().invoke(command, [*words[1:], "--batch", "6", "--output", "one.safetensors"])
    assert alone.exit_code == 0, alone.output
    said = torchrun(
        "-m", "recurrency", *words, "--backend", "torch", "--batch", "3", "--output", "two.safetensors", folder=tmp_path
    )
    one, two = load_file("one.safetensors"), load_file("two.safetensors")
    assert set(one) == {"W", "U"}
    for name in one:
        np.testing.assert_allclose(two[name], one[name], rtol=0, atol=CLOSE)
    assert [line.split("|g|")[0] for line in said.splitlines()[:2]] == [
        line.split("|g|")[0] for line in alone.output.splitlines()[:2]
    ], "only the first process reports, and the losses are those of the whole batch"


def documented() -> list[str]:
    """The lines of the pages and of the help that train under `torchrun`."""
    texts = [path.read_text(encoding="utf-8") for path in (ROOT / "docs").rglob("*.md")]
    return sorted({line.strip() for text in texts for line in text.splitlines() if "torchrun --nproc" in line})


def test_torchrun_takes_no_option_of_the_command_for_its_own() -> None:
    """But for one, which has a second name."""
    from torch.distributed.run import get_args_parser

    from recurrency.cli.train import train as command

    def kept(name: str) -> bool:
        words = ["train", "jsb", name, "value"]
        try:
            return bool(get_args_parser().parse_args(["-m", "recurrency", *words]).training_script_args == words)
        except SystemExit:
            return False

    named = [option for option in command.params if option.param_type_name == "option"]
    lost = {name for option in named for name in option.opts if not kept(name)}
    assert lost == {"--run"}
    assert all(any(name not in lost for name in option.opts) for option in named)
    lines = documented()
    assert any("-m recurrency train" in line for line in lines)
    for words in (line.split() for line in lines):
        found = get_args_parser().parse_args(words[1:])
        assert words[words.index(found.training_script) + 1 :] == found.training_script_args


def test_the_documented_line_trains_in_two_processes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (line,) = (line for line in documented() if "train jsb" in line)
    words = line.split()[1:]
    monkeypatch.setenv("RECURRENCY_DATA", str(small_data.write(tmp_path)))
    runner = [sys.executable, "-m", "torch.distributed.run", "--standalone", *words, "--epochs", "1", "-D", "H=3"]
    done = subprocess.run(
        runner, cwd=tmp_path, env=environment(), capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert done.returncode == 0, done.stderr[-4000:]
    assert "test " in done.stdout
    assert (tmp_path / "runs" / "jsb" / "best.safetensors").exists()


@pytest.mark.long
def test_two_processes_measure_as_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from click.testing import CliRunner

    from recurrency.cli.train import train as command

    words = "first-element -D Cell=Elman -D H=3 --length 4 --epochs 2 --dtype float64 -T steps=3 -T held=50".split()
    monkeypatch.chdir(tmp_path)
    alone = CliRunner().invoke(command, [*words, "--batch", "6", "--log-form", "lines"])
    assert alone.exit_code == 0, alone.output
    both = torchrun("-m", "recurrency", "train", *words, "--batch", "3", "--log-form", "lines", folder=tmp_path)
    said = [text.strip().splitlines()[-1].partition(" (all epochs")[0] for text in (alone.output, both)]
    assert said[0] == said[1]
    assert "wrong" in said[0]
    assert said[0].endswith("of 1000 sequences or more; these are 50)")


FAILING = """
import os
from recurrency import errors
from recurrency.model import model
from recurrency.cli import main

if os.environ["RANK"] == "1":
    calls, whole = iter(range(1)), model.Model.losses_and_gradients

    def failing(self, *args, **rest):
        if next(calls, None) is None:
            raise errors.UsageError("the disk is full")
        return whole(self, *args, **rest)

    model.Model.losses_and_gradients = failing
main()
"""


def test_a_process_that_fails_ends_all_with_a_message(tmp_path: Path) -> None:
    words = prepared(tmp_path)
    (tmp_path / "failing.py").write_text(FAILING, encoding="utf-8")
    ends = both("failing.py", *words, "--output", "w.safetensors", folder=tmp_path)
    assert [code for code, _, _ in ends] == [1, 1]
    assert "error: process 0 of 2: another process has ended or can't be reached" in ends[0][2]
    assert "error: process 1 of 2: the disk is full" in ends[1][2]
    assert not any("Traceback" in said for _, _, said in ends)
    assert not (tmp_path / "w.safetensors").exists()


# ------------------------------------------------------------------------------------------------- the example


@pytest.mark.long
def test_the_example_replaces_an_lstm_and_trains_on_in_two_processes(tmp_path: Path) -> None:
    said = torchrun(str(EXAMPLE), "--steps", "5", "--units", "4", folder=tmp_path)
    assert "the same outputs" in said
    assert "2 processes have the same weights" in said


@pytest.mark.long
@pytest.mark.skipif(not shutil.which("g++"), reason="torch.compile needs a C++ compiler (g++)")
def test_the_example_trains_on_under_torch_compile(tmp_path: Path) -> None:
    words = [sys.executable, str(EXAMPLE), "--steps", "5", "--units", "4", "--compile"]
    done = subprocess.run(
        words, cwd=tmp_path, env=environment(), capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert "the equations:" in done.stdout
