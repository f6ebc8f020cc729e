"""`recurrency reproduce`: jobs in one process, their records, the report, and what is kept."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from recurrency.errors import UsageError
from recurrency.reproducing import starting, values
from recurrency.reproducing.command import Request, reproduce
from recurrency.reproducing.plan import Job, cases
from recurrency.reproducing.readings import Reading, Run, Value
from recurrency.reproducing.records import read
from recurrency.reproducing.running import Runner
from recurrency.reproducing.starting import in_this_process
from recurrency.reproducing.store import Place, Store
from recurrency.reproducing.studies import load
from tests.support.calling import Run as Call
from tests.support.studying import STUDY, reproduced, write_study

MUSIC = STUDY.replace("Adding", "Music").replace('"addition"', '"jsb"')
MUSIC = MUSIC.replace('task-options = { length = 4, layout = "le", steps = 3, held = 40 }', "")


def records(out: Path) -> list[Path]:
    return sorted((out / "runs" / "nobody-2020").glob("*.json"))


def test_the_report_has_measured_and_published_numbers_each_with_its_runs(tmp_path: Path) -> None:
    said, text = reproduced(write_study(tmp_path), tmp_path / "out")
    assert "4 runs to do" in said[0]
    assert len(records(tmp_path / "out")) == 5, "two seeds of one, two rates and a second seed of the other"
    row = next(line for line in text.splitlines() if line.startswith("| three units |"))
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    found = [Run.at(path.with_suffix("")).end["test"] for path in records(tmp_path / "out") if "three" in path.name]
    assert float(cells[1]) == pytest.approx(sum(found) / 2, rel=1e-3)
    assert cells[2] == " to ".join(f"{test:.4g}" for test in sorted(found))
    assert cells[3] == "0.1"
    assert "miss" in cells[4]
    assert "% worse)" in cells[4]
    for target in re.findall(r"\]\((.*?)\)", text):
        assert (tmp_path / "out" / target).exists(), target
    assert "two units: of 2 rates 2 were tried; 0." in text
    assert "is the best by validation at seed 0" in text
    assert "- **holds**: Three units are better than nothing." in text
    assert "- **does not hold**: Three units are far worse." in text
    assert "below chance" in text
    assert "Everything is smaller." in text


def test_the_page_holds_its_pictures_and_no_markup_of_a_study(tmp_path: Path) -> None:
    text = STUDY.replace("Small networks", "<script>alert(1)</script> [x](javascript:alert) networks")
    reproduced(write_study(tmp_path, text), tmp_path / "out", scale="tiny")
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert 'src="data:image/png;base64,' in page
    assert "<script" not in page
    assert 'href="javascript' not in page
    assert page.count("<table>") >= 3


def test_what_is_done_is_not_run_again(tmp_path: Path) -> None:
    path = write_study(tmp_path)
    _, first = reproduced(path, tmp_path / "out")
    before = {record: record.stat().st_mtime_ns for record in records(tmp_path / "out")}

    def refuse(job: Job, place: Place, trains: bool) -> starting.Ended:
        raise AssertionError(job.name)

    said, second = reproduced(path, tmp_path / "out", start=refuse)
    assert said[0].startswith("0 runs to do")
    assert second == first
    assert before == {record: record.stat().st_mtime_ns for record in records(tmp_path / "out")}


def test_a_changed_recipe_is_another_run(tmp_path: Path) -> None:
    reproduced(write_study(tmp_path), tmp_path / "out")
    changed = STUDY.replace("H = 3, Cell", "H = 4, Cell")
    said, _ = reproduced(write_study(tmp_path, changed), tmp_path / "out")
    assert said[0].startswith("2 runs to do")
    assert len(records(tmp_path / "out")) == 7


def test_a_run_whose_options_are_others_than_its_name_says_is_refused(tmp_path: Path) -> None:
    path = write_study(tmp_path)
    reproduced(path, tmp_path / "out", scale="tiny")
    record = next(record for record in records(tmp_path / "out") if "three" in record.name)
    run = record.with_suffix("") / "run.toml"
    run.write_text(run.read_text().replace("patience = 10", "patience = 11"))
    record.unlink()
    said, text = reproduced(path, tmp_path / "out", scale="tiny")
    assert any("holds a run with other options (patience: 11 there, 10 now)" in words for words in said)
    assert "**missing**" in text


def test_a_run_that_diverges_is_a_row_with_its_reason_and_the_others_go_on(tmp_path: Path) -> None:
    text = STUDY.replace("minutes = 0.1", 'training = { optimiser = "sgd", rate = 1e30 }')
    said, report = reproduced(write_study(tmp_path, text), tmp_path / "out", scale="tiny")
    assert any("three-units" in words and "diverged, the loss is" in words for words in said)
    assert re.search(r"\*\*missing\*\*, diverged: the loss is .*: three units, seed 0", report)
    assert re.search(r"^\| two units \| \d", report, re.MULTILINE)
    assert "the scale tiny decides nothing" in report
    said, _ = reproduced(write_study(tmp_path, text), tmp_path / "out", scale="tiny")
    assert said[0].startswith("0 runs to do"), "it would diverge again"


def test_a_run_that_fails_is_tried_again_by_the_next_command(tmp_path: Path) -> None:
    text = STUDY.replace("dimensions = { H = 2 }", "dimensions = { J = 2 }")
    path = write_study(tmp_path, text)
    said, report = reproduced(path, tmp_path / "out", scale="tiny")
    assert any("two-units" in words and "failed" in words for words in said)
    assert re.search(r"\*\*missing\*\*, failed: .*J.*: two units, seed 0", report)
    said, _ = reproduced(path, tmp_path / "out", scale="tiny")
    assert said[0].startswith("2 runs to do")


def test_a_missing_data_set_is_named_before_anything_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECURRENCY_DATA", str(tmp_path))
    with pytest.raises(UsageError, match=r"nothing can run\nmusic: .*JSB_Chorales.npz is not at .*can be had from"):
        reproduced(write_study(tmp_path, MUSIC, "music"), tmp_path / "out")
    assert not (tmp_path / "out" / "runs").exists()
    said: list[str] = []
    names = (str(write_study(tmp_path, MUSIC, "music")), str(write_study(tmp_path)))
    reproduce(Request(names, scale="tiny", out=str(tmp_path / "out"), start=in_this_process), said.append)
    assert "JSB_Chorales.npz is not at" in said[0]
    report = (tmp_path / "out" / "report.md").read_text()
    assert re.search(r"## Not run\n\n- \*\*music\*\*: .*JSB", report)
    assert "three units" in report


def test_data_of_the_wrong_format_are_named_before_anything_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RECURRENCY_DATA", str(tmp_path))
    (tmp_path / "JSB_Chorales.npz").write_bytes(b"no archive")
    with pytest.raises(UsageError, match=r"nothing can run\n.*JSB_Chorales.npz"):
        reproduced(write_study(tmp_path, MUSIC), tmp_path / "out")


def test_tables_of_the_same_recipe_share_a_run(tmp_path: Path) -> None:
    again = STUDY[STUDY.index("[[table]]") : STUDY.index("[[table.claim]]")].replace('"losses"', '"again"')
    again = again.replace('value = "test"', 'value = "measured"')
    said, text = reproduced(write_study(tmp_path, STUDY + again), tmp_path / "out")
    assert "4 runs to do" in said[0]
    assert text.count("| three units |") == 2


def test_the_first_seed_of_all_rows_runs_first_and_short_ones_before_long_ones(tmp_path: Path) -> None:
    text = STUDY.replace("minutes = 0.1", "minutes = 3")
    runner = Runner(cases([load(write_study(tmp_path, text))], "small"), Store(tmp_path / "out"), print)
    assert [(job.seed, job.minutes) for job in runner.waiting()] == [(0, 1), (0, 1), (0, 3), (1, 3)]


def test_later_seeds_have_the_best_rate_of_the_first(tmp_path: Path) -> None:
    reproduced(write_study(tmp_path), tmp_path / "out")
    found = [record for path in records(tmp_path / "out") if (record := read(path)) and record.rate is not None]
    first = {
        record.rate: Run.at(tmp_path / "out/runs/nobody-2020" / record.name).score
        for record in found
        if not record.seed
    }
    assert [record.rate for record in found if record.seed == 1] == [min(first, key=first.__getitem__)]


def test_a_damaged_record_counts_for_nothing(tmp_path: Path) -> None:
    path = write_study(tmp_path)
    reproduced(path, tmp_path / "out", scale="tiny")
    kept = records(tmp_path / "out")[0]
    whole = kept.read_text()
    for text in ("", "[]", whole[:-20], whole.replace('"seed": 0', '"seed": "0"'), whole.replace("finished", "ended")):
        kept.write_text(text)
        assert read(kept) is None
    said, _ = reproduced(path, tmp_path / "out", scale="tiny")
    assert said[0].startswith("1 runs to do")
    assert read(kept) is not None, "the run itself is finished, and only its record was made again"


# --------------------------------------------------------------------------------------- values that need the model


def test_a_value_that_needs_the_model_is_computed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []

    def count(run: Run, times: int) -> Reading:
        calls.append(times)
        return Reading(float(times), "counted", {"all": [times]})

    row = Value("counted", "a test", count, options={"times": 2}, quick=False)
    monkeypatch.setitem(values.VALUES, "counted", row)
    path = write_study(tmp_path, STUDY.replace('value = "test"', 'value = "counted"\nwith = { times = 7 }'))
    _, text = reproduced(path, tmp_path / "out", scale="tiny")
    assert calls == [7, 7, 7]
    assert re.search(r"^\| three units \| 7 \|", text, re.MULTILINE)
    assert "counted" in text
    reproduced(path, tmp_path / "out", scale="tiny")
    assert len(calls) == 3
    found = json.loads(next((tmp_path / "out").rglob("values.json")).read_text())
    assert found["counted(times=7)"]["detail"] == {"all": [7]}
    reproduced(
        write_study(tmp_path, path.read_text().replace("times = 7", "times = 8")), tmp_path / "out", scale="tiny"
    )
    assert calls[3:] == [8, 8, 8], "of the runs that are there"


# ----------------------------------------------------------------------------------------------------------- keeping


def test_what_is_kept_counts_as_done_and_makes_a_page_of_its_own(tmp_path: Path) -> None:
    path = write_study(tmp_path)
    said, _ = reproduced(path, tmp_path / "one", keep=str(tmp_path / "kept"))
    assert any("kept 5 new runs" in words for words in said)
    names = {file.name for file in (tmp_path / "kept").rglob("*") if file.is_file()}
    assert names == {
        "run.toml",
        "metrics.jsonl",
        "nobody-2020-losses-curves.png",
        *(p.name for p in records(tmp_path / "one")),
    }
    said, text = reproduced(path, tmp_path / "two", keep=str(tmp_path / "kept"))
    assert said[0].startswith("0 runs to do")
    assert any("kept 0 new runs" in words for words in said)
    page = (tmp_path / "kept.md").read_text()
    for report, folder in ((text, tmp_path / "two"), (page, tmp_path)):
        assert re.search(r"^\| three units \| \d", report, re.MULTILINE)
        targets = re.findall(r"\]\((.*?)\)", report)
        assert targets
        assert all((folder / target).exists() for target in targets)


# ------------------------------------------------------------------------------------------------------------ command


def test_the_command_lists_studies_and_refuses_what_is_not_meant(run: Call, tmp_path: Path) -> None:
    assert "readme-sample" in run("reproduce", "--list").out
    for words, message in (
        (("reproduce",), "name studies, or --all"),
        (("reproduce", "readme-sample", "--all"), "name studies, or --all"),
        (("reproduce", "readme-smaple"), "did you mean readme-sample?"),
        (("reproduce", "readme-sample", "--budget", "60"), "a budget is a time such as 60m"),
        (("reproduce", "readme-sample", "--out", str(write_study(tmp_path))), "can't be a folder"),
        (("reproduce", "readme-sample", "--keep", str(write_study(tmp_path))), "can't be a folder"),
    ):
        outcome = run(*words)
        assert (outcome.code, message in outcome.err) == (1, True), outcome
    assert run("reproduce", "readme-sample", "--scale", "huge").code == 2


def test_a_study_without_the_scale_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nobody-2020 has no scale paper"):
        reproduced(write_study(tmp_path), tmp_path / "out", scale="paper")
