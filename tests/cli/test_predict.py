"""`recurrency predict` and `recurrency evaluate` on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

import recurrency as rc
from recurrency.cli import cli
from recurrency.errors import UsageError
from tests.support.predicting import labelled, trained


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("classes")
    return trained(path, "Classifier", labelled(path / "my.csv", each=False), N=2, K=3, H=3)


def called(*words: str | Path) -> Result:
    return CliRunner().invoke(cli, [str(word) for word in words])


def test_a_table_is_printed_or_written(tmp_path: Path, folder: Path) -> None:
    data = labelled(tmp_path / "new.csv", 3, label=False)
    printed = called("predict", folder, "--data", data)
    assert printed.exit_code == 0, printed.output
    lines = printed.output.splitlines()
    assert lines[0] == "sequence,step,p.0,p.1,p.2,p.class"
    assert len(lines) == 1 + 2 + 3 + 4
    assert called("predict", folder, "--data", data, "-o", tmp_path / "out.csv").output == ""
    assert (tmp_path / "out.csv").read_text(encoding="utf-8") == printed.output
    last = called("predict", folder, "--data", data, "--last", "--stream", "logits").output.splitlines()
    assert last[0] == "sequence,p.0,p.1,p.2,p.class,logits.0,logits.1,logits.2"
    ends = [lines[2], lines[5], lines[9]]
    assert [line.split(",")[1:5] for line in last[1:]] == [line.split(",")[2:6] for line in ends]


def test_evaluation_prints_figures_and_confusion(folder: Path) -> None:
    printed = called("evaluate", folder)
    assert printed.exit_code == 0, printed.output
    found = rc.load_run(folder).evaluate()
    assert f"loss {found.loss:.6g} (2 sequences)" in printed.output
    assert found["p"].told() in printed.output
    assert "p: how often each label (row) got each class (column)" in printed.output
    figures = json.loads(called("evaluate", folder, "--json").output)
    assert figures["scores"]["p"]["confusion"] == np.asarray(found["p"].confusion).tolist()
    assert (
        "the run was trained on sequences of" in called("evaluate", folder, "--data", folder.parent / "my.csv").stderr
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["predict", "--feed", "y=x"], "--feed is for --ahead STEPS"),
        (["predict", "--ahead", "2", "--last"], "--last is not for --ahead"),
        (["predict", "--ahead", "2", "--feed", "y"], "'y' is not of the form OUTPUT=INPUT, such as y=x"),
        (["evaluate", "--bleu", "--data", "new.csv"], "leave --data out"),
    ],
)
def test_options_that_exclude_one_another_are_refused(folder: Path, words: list[str], said: str) -> None:
    result = called(words[0], folder, *words[1:])
    assert (result.exit_code, said in result.output) == (2, True), result.output


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["predict", "-o", "out.txt"], r"predictions are written as .csv, .parquet, .npz, .npy; out.txt ends in none"),
        (["predict", "-o", "no/out.csv"], "there is no folder no"),
        (["predict", "--ahead", "2"], "Classifier can't forecast: its outputs p are no numbers but symbols or scores"),
        (["evaluate", "--bleu"], "BLEU is for runs of the task translation"),
        (["predict", "--data", "new.dat"], "new.dat is not of a known kind"),
        (["predict", "--data", "new.csv"], "cannot read new.csv: No such file"),
        (["predict", "--data", "new.txt"], "new.txt is a text, but this run was not trained on texts"),
    ],
)
def test_what_cannot_be_done_is_said(folder: Path, words: list[str], said: str) -> None:
    result = called(words[0], folder, *words[1:])
    assert isinstance(result.exception, UsageError), result.output
    assert said in str(result.exception)
