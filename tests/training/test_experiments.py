"""Experiment files: what they may say, what is refused, and how the command line changes them."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest
import tomli_w

import recurrency as rc
from recurrency.disk.toml import MOST_BYTES
from recurrency.errors import UsageError
from recurrency.training.loop.optimisers import optimiser
from recurrency.training.loop.schedules import schedule
from recurrency.training.runs.command import Request
from recurrency.training.runs.experiments import OPTIONS, Experiment, checked, load, named, shipped
from recurrency.training.runs.finding import experiment_of
from recurrency.training.tasks import TASKS

GOOD = """
about = "what it shows"
task = "jsb"
spec = "Music"

[dimensions]
H = 12
Cell = "LSTM"

[training]
optimiser = "rmsprop"
rate = 0.002
schedule = "cosine"

[optimiser]
momentum = 0.9

[schedule]
warmup = 2
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "mine.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_file_says_what_is_trained_and_how(tmp_path: Path) -> None:
    found = load(write(tmp_path, GOOD))
    assert (found.name, found.task, found.spec, found.folder) == ("mine", "jsb", "Music", tmp_path)
    assert found.options()["rate"] == 0.002
    assert found.options()["epochs"] == OPTIONS["epochs"].default
    assert found.optimiser == {"momentum": 0.9}
    assert found.schedule == {"warmup": 2}


@pytest.mark.parametrize("name", shipped())
def test_every_shipped_experiment_can_be_read_and_names_what_there_is(name: str) -> None:
    found = named(name)
    assert found.about
    spec = rc.library.spec(found.spec)
    assert {d.name for d in spec.cell.dimensions} >= set(found.dimensions)
    options = found.options()
    optimiser(options["optimiser"], **found.optimiser)
    schedule(options["schedule"], **found.schedule)
    assert found.task in TASKS


def test_what_is_written_is_read_back() -> None:
    found = load(shipped()["readme-sample"])
    again = checked(tomllib.loads(tomli_w.dumps(found.tables())), shipped()["readme-sample"])
    assert again.options() == found.options()
    assert again.tables() == found.tables()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("spce = 'Music'", "no key spce; there are about, task, spec, data, .*; did you mean spec"),
        ("spec = 'Music'\n[traning]", "no key traning; .*did you mean training"),
        ("spec = 'Music'\n[training]\nepoch = 3", r"no key epoch in \[training\]; .*did you mean epochs"),
        ("spec = 'Music'\n[training]\nepochs = 'many'", "epochs must be a whole number, not 'many'"),
        ("spec = 'Music'\n[training]\nepochs = true", "epochs must be a whole number, not True"),
        ("spec = 'Music'\n[training]\nepochs = 0", "epochs must be at least 1, not 0"),
        ("spec = 'Music'\n[training]\nrate = 0", "rate must be more than 0, not 0"),
        ("spec = 'Music'\n[training]\nrate = nan", "rate must be more than 0, not nan"),
        ("spec = 'Music'\n[training]\ndtype = 'float23'", "dtype must be float32 or float64, .*did you mean float"),
        ("spec = 'Music'\n[optimiser]\nmomentum = 'x'", r"momentum in \[optimiser\] must be a number"),
        ("spec = 3", "spec must be a text, not 3"),
        (r'spec = "my\u0000.rnn"', r"spec is 'my\\x00.rnn'; no name and no path holds the character 0"),
        ("spec = 'Music'\n" + r'data = "my\u0000.csv"', "data is .*; no name and no path holds the character 0"),
        ("task = 'jsb'", "there is no spec; say which cell is trained"),
        ("spec = ", "is no TOML file"),
        ("#" * (MOST_BYTES + 1), "is larger than 200,000 bytes"),
    ],
)
def test_what_a_file_can_not_say_is_told_with_the_nearest_that_it_can(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(UsageError, match=rf"mine\.toml.*{message}"):
        load(write(tmp_path, text))


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"cannot read .*nothing\.toml"):
        experiment_of(str(tmp_path / "nothing.toml"))


def changed(path: Path, **given: Any) -> Experiment:
    return Request(str(path), **given).experiment()


def test_the_command_line_changes_single_options(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD)
    found = changed(path, dimensions={"H": 99}, options={"epochs": 7}, settings={"decay": 0.8})
    assert found.dimensions == {"H": 99, "Cell": "LSTM"}
    assert (found.options()["epochs"], found.options()["rate"]) == (7, 0.002)
    assert found.optimiser == {"momentum": 0.9, "decay": 0.8}


def test_another_optimiser_or_schedule_brings_its_own_settings(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD)
    other = changed(path, options={"optimiser": "adam", "schedule": "step"})
    assert other.options()["rate"] is None
    assert not other.optimiser
    assert not other.schedule
    same = changed(path, options={"optimiser": "rmsprop"})
    assert same.options()["rate"] == 0.002


def test_values_from_the_command_line_are_checked_like_those_of_a_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"^batch must be at least 1, not -3"):
        changed(write(tmp_path, GOOD), options={"batch": -3})


def test_a_mistyped_target_is_answered_with_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no experiment, cell or file notingham; .*did you mean nottingham"):
        experiment_of("notingham")
    with pytest.raises(UsageError, match=r"no task notingham; .*did you mean nottingham"):
        experiment_of("Music", "notingham")
    with pytest.raises(UsageError, match="a folder without a run"):
        experiment_of(str(tmp_path))


def test_hessian_free_leaves_out_what_an_experiment_says_of_gradients_and_rates() -> None:
    found = Request("addition", options={"optimiser": "hessian-free", "epochs": 3}).experiment()
    assert found.training == {"optimiser": "hessian-free", "epochs": 3, "batch": 32, "patience": 80}
    given = Request("addition", options={"optimiser": "hessian-free", "clip": 2.0}).experiment()
    assert given.training["clip"] == 2.0  # said by the user: it is refused where training begins
    assert Request("addition", options={"optimiser": "sgd"}).experiment().training["clip"] == 1.0
