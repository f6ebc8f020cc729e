"""Initialisers that an experiment or the command line chooses: used in every way to run, and kept with the run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from safetensors.numpy import load_file

from recurrency.cli.train import train as command
from recurrency.errors import UsageError
from recurrency.training.loop.processes import Processes
from recurrency.training.runs.command import Request, run
from recurrency.training.runs.experiments import load
from recurrency.training.runs.folders import BEST, RUN
from recurrency.training.runs.session import Session

STILL = {
    "epochs": 1,
    "length": 4,
    "batch": 2,
    "log-form": "quiet",
    "optimiser": "sgd",
    "rate": 1e-30,
    "backend": "numpy",
}
"""Options of a run that leaves the parameters where they are."""
FILE = """
spec = "FirstElement"
task = "first-element"
[dimensions]
H = 3
[init]
"*.b*" = "constant(4)"
"*.U" = "identity(0.5)"
"""


def once(said: list[str], **more: Any) -> None:
    more.setdefault("init", {"*.U": "constant(7)"})
    run(Request("first-element", None, {"H": 3}, STILL, task_options={"steps": 2, "held": 4}, **more), said.append)


def cell(file: Path) -> dict[str, Any]:
    return {name.rpartition(".")[2]: values for name, values in load_file(file).items() if ".U" in name or ".W" in name}


def test_a_run_begins_with_the_values_that_were_chosen(tmp_path: Path) -> None:
    once([], output=str(tmp_path / "w.safetensors"))
    assert (cell(tmp_path / "w.safetensors")["U"] == 7).all()
    assert not (cell(tmp_path / "w.safetensors")["W"] == 7).any()


def test_a_run_folder_keeps_them(tmp_path: Path) -> None:
    folder, said = tmp_path / "one", list[str]()
    once(said, folder=str(folder))
    assert (cell(folder / BEST)["U"] == 7).all()
    assert load(folder / RUN).init == {"*.U": "constant(7)"}
    run(Request(str(folder)), said.append)
    assert said[-1] == "every loss is the same as before, to the last bit"
    with pytest.raises(UsageError, match=r"init\.\*\.U: constant\(7\) in the run, zeros now"):
        once(said, folder=str(folder), init={"*.U": "zeros"})


def test_a_parameter_that_is_not_there_leaves_no_folder(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="FirstElement has no parameter"):
        once([], folder=str(tmp_path / "one"), init={"*.Q": "zeros"})
    assert not (tmp_path / "one").exists()


def test_an_experiment_may_choose_and_the_command_line_has_the_last_word(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(FILE, encoding="utf-8")
    experiment = Request(str(file), init={"*.b*": "ones"}).experiment()
    assert list(experiment.init.items()) == [("*.U", "identity(0.5)"), ("*.b*", "ones")]
    session = Session.of(experiment, print, Processes())
    views = session.model.views(session.initial(5))
    np.testing.assert_array_equal(next(v for name, v in views.items() if name.endswith("U")), np.eye(3) * 0.5)
    file.write_text(FILE.replace('"constant(4)"', "4"), encoding="utf-8")
    with pytest.raises(UsageError, match=r"mine\.toml: \*\.b\* in \[init\] must be a text, not 4"):
        load(file)


def test_the_command_reads_names_and_initialisers() -> None:
    result = CliRunner().invoke(command, ["first-element", "--init", "U"])
    assert result.exit_code == 2
    assert "'U' is not of the form NAME=INITIALISER" in result.output
    result = CliRunner().invoke(command, ["first-element", "-D", "H=3", "--init", "*.U=orthogonl"])
    assert isinstance(result.exception, UsageError)
    assert "did you mean orthogonal?" in str(result.exception)
