"""Files of studies are read strictly, and their layers apply in order."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from recurrency.disk.toml import MOST_BYTES
from recurrency.errors import UsageError
from recurrency.reproducing.command import seconds_of
from recurrency.reproducing.plan import cases, digest
from recurrency.reproducing.studies import SCALES, find, load, shipped
from tests.support.studying import STUDY, write_study

WRONG = [
    ('paper = "Nobody 2020: Small things"', "", "the key paper is missing"),
    ('about = "', 'abuot = "', "there is no key abuot; there are paper, about, .*; did you mean about?"),
    ("[base]", "[basis]", "there is no key basis"),
    ("[scales.tiny]", "[scales.tinny]", "scales: there is no key tinny; .* did you mean tiny?"),
    ("seeds = [0, 1]", "seeds = [0, 0]", "seeds has a number twice"),
    ("seeds = [0, 1]", "seeds = [-1]", "seeds must be whole numbers of at least 0"),
    ("seeds = [0, 1]\n", "", "small has no seeds"),
    ('value = "test"', 'value = "tset"', "there is no value tset; .*; did you mean test?"),
    ('value = "test"', "", "table losses: the key value is missing"),
    ('curve = "valid"', 'curve = "train"', 'curve must be "valid"'),
    ('curve = "valid"', "with = { beam = 2 }", "the value test has no option beam; it has none"),
    ("published = 0.1", "published = [1]", "run three units: published must be a number"),
    ("published = 0.1", "published = nan", "published must be a number"),
    ("minutes = 0.1", "minutes = 0", "minutes must be more than 0"),
    ("minutes = 0.1", "limit = true", "limit must be a number"),
    ("minutes = 0.1", "processes = 0", "processes must be a whole number from 1 to 64"),
    ("minutes = 0.1", "skip = 1", "skip must be true or false"),
    ("rates = [0.1, 0.001]", "rates = [0]", "each of rates must be more than 0"),
    ("dimensions = { H = 2 }", "dimensions = { H = [2] }", "run two units: H in \\[dimensions\\] must be"),
    (
        "dimensions = { H = 2 }",
        "training = { ratte = 2 }",
        "there is no key ratte in \\[training\\].*did you mean rate?",
    ),
    ("dimensions = { H = 2 }", "training = { seed = 2 }", "seed is not an option here"),
    ("small = { training = { epochs = 1 } }", "small = { training = { epochs = 0 } }", "epochs must be at least 1"),
    ('name = "two units"', 'name = "three units"', "two of \\[\\[run\\]\\] are called three units"),
    ('name = "losses"', 'name = "../losses"', "a table's name has small letters"),
    ('less = ["three units", 100]', 'less = ["tree units", 100]', "there is no run tree units .*mean three units?"),
    ('less = ["three units", 100]', 'less = ["three units"]', "less needs two or more"),
    ('less = ["three units", 100]', "less = [1, 2]", "at least one of them a run"),
    ('less = ["three units", 100]', "", "one of less and more"),
    ("margin = 50", "margin = -1", "margin must be at least 0"),
    ("[[table.run]]", "[[tabel.run]]", "there is no key tabel"),
]


@pytest.mark.parametrize(("good", "bad", "message"), WRONG, ids=[bad or f"no {good}" for good, bad, _ in WRONG])
def test_what_is_wrong_is_named_with_its_place(tmp_path: Path, good: str, bad: str, message: str) -> None:
    assert good in STUDY
    with pytest.raises(UsageError, match=message) as caught:
        load(write_study(tmp_path, STUDY.replace(good, bad)))
    assert "nobody-2020.toml" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("paper = ", "is no TOML file"),
        ("a = 1\n" + "#" * MOST_BYTES, "is larger than"),
        ("x = " + "[" * 5000, "is no TOML file"),
        (STUDY + '[[picture]]\nkind = "films"\ntable = "losses"\ncaption = "a"', "there is no kind of picture films"),
        (STUDY + '[[picture]]\nkind = "curves"\ntable = "loses"\ncaption = "a"', "no table loses.*mean losses?"),
        (STUDY + '[[picture]]\nkind = "curves"\ntable = "losses"\ncaption = "a"\nlog = 1', "log must be like False"),
    ],
    ids=["no TOML", "large", "deep", "kind", "table", "option"],
)
def test_a_file_that_is_no_study_is_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        load(write_study(tmp_path, text))


def test_an_unknown_study_and_a_missing_file_are_named() -> None:
    with pytest.raises(UsageError, match=r"there is no study readme-smaple; .*; did you mean readme-sample\?"):
        find("readme-smaple")
    with pytest.raises(UsageError, match=r"cannot read nothing\.toml"):
        find("nothing.toml")


def test_later_layers_win(tmp_path: Path) -> None:
    study = load(write_study(tmp_path))
    three, two = cases([study], "small")
    assert (three.experiment.dimensions["H"], two.experiment.dimensions["H"]) == (3, 2)
    assert (three.experiment.options()["epochs"], two.experiment.options()["epochs"]) == (2, 1)
    assert [case.experiment.options()["epochs"] for case in cases([study], "tiny")] == [1, 1]
    assert (three.seeds, three.rates, two.rates) == ((0, 1), (None,), (0.1, 0.001))
    assert cases([study], "paper") == []
    job = two.job(1, 0.001)
    assert (job.experiment.options()["seed"], job.experiment.options()["rate"]) == (1, 0.001)


def test_a_row_can_be_left_out_at_a_scale(tmp_path: Path) -> None:
    text = STUDY.replace("small = { training = { epochs = 1 } }", "small = { skip = true }")
    study = load(write_study(tmp_path, text))
    assert [len(cases([study], scale)) for scale in ("small", "tiny")] == [1, 2]


def test_another_task_has_none_of_the_options_of_the_one_before(tmp_path: Path) -> None:
    text = STUDY.replace(
        "dimensions = { H = 2 }", 'task = "first-element"\nspec = "FirstElement"\ndimensions = { H = 2 }'
    )
    study = load(write_study(tmp_path, text))
    assert cases([study], "small")[1].experiment.task_options == {}


def test_options_of_a_scale_are_those_of_the_task_that_a_table_names(tmp_path: Path) -> None:
    text = STUDY.replace('task = "addition"\n', "").replace('name = "losses"', 'name = "losses"\ntask = "addition"')
    study = load(write_study(tmp_path, text))
    assert cases([study], "small")[0].experiment.task_options["steps"] == 3


def test_the_name_of_a_run_depends_on_all_that_changes_its_numbers_and_on_nothing_else(tmp_path: Path) -> None:
    experiment = cases([load(write_study(tmp_path))], "small")[0].experiment
    names = {
        digest(experiment, 1),
        digest(experiment, 2),
        *(digest(experiment.changed(change), 1) for change in ({"seed": 1}, {"rate": 0.02}, {"batch": 5})),
        digest(experiment.changed({}, dimensions={"H": 4}), 1),
        digest(experiment.changed({}, task_options={"steps": 4}), 1),
        digest(experiment.changed({}, init={"*": "zeros"}), 1),
        *(digest(replace(experiment, **{head: "other"}), 1) for head in ("spec", "task", "data")),
    }
    assert len(names) == 11
    assert digest(experiment.changed({"log-every": 7, "shrink": 1.0}), 1) == digest(experiment, 1)


@pytest.mark.parametrize("name", shipped())
def test_every_shipped_study_has_a_short_form_and_rows_at_all_scales(name: str) -> None:
    study = find(name)
    assert {"small", "tiny"} <= set(study.scales)
    for scale in study.scales:
        for case in cases([study], scale):
            assert case.job(case.seeds[0], case.rates[0]).experiment.spec
    assert set(study.scales) <= set(SCALES)


@pytest.mark.parametrize(
    ("text", "seconds"), [("60m", 3600), ("2h", 7200), ("90s", 90), ("1h30m", 5400), ("1.5h", 5400)]
)
def test_budgets_are_times(text: str, seconds: float) -> None:
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["", "60", "m", "60 minutes", "0m", "-5m", "m60", "1h1h", "nan", "1e9h", "60m!"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="a budget is a time such as 60m"):
        seconds_of(text)
