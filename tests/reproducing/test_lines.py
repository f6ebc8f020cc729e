"""Lines of the report: what is missing and why, and claims that do not hold; and names of runs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from recurrency.reproducing import plan, starting
from recurrency.reproducing.plan import Job, cases
from recurrency.reproducing.starting import in_this_process
from recurrency.reproducing.store import Place
from recurrency.reproducing.studies import load
from tests.support.studying import STUDY, reproduced, write_study


def test_a_claim_that_does_not_hold_has_its_reason(tmp_path: Path) -> None:
    reason = 'otherwise = "It cannot be so *much* worse."\n'
    text = STUDY.replace('words = "Three units are f', f'{reason}words = "Three units are f')
    text = text.replace('words = "Three units are b', 'otherwise = "Never."\nwords = "Three units are b')
    _, report = reproduced(write_study(tmp_path, text), tmp_path / "out")
    lines = [line for line in report.splitlines() if line.startswith("- **") and "Three units" in line]
    holds, fails = sorted(lines, key=lambda line: "does not hold" in line)
    assert holds.endswith(")")
    assert fails.endswith(r") It cannot be so \*much\* worse.")


def test_missing_runs_are_told_together_by_their_reason(tmp_path: Path) -> None:
    text = STUDY.replace("seeds = [0, 1]", "seeds = [0, 1, 2]").replace("rates = [0.1, 0.001]", "")

    def only_the_first(job: Job, place: Place, trains: bool) -> starting.Ended:
        if job.seed:
            raise KeyboardInterrupt
        return in_this_process(job, place, trains)

    _, report = reproduced(write_study(tmp_path, text), tmp_path / "out", start=only_the_first)
    lines = [line for line in report.splitlines() if "**missing**" in line]
    assert len(lines) == 1
    assert re.search(r"it has not run \(.*\): three units, seeds 1, 2; two units, seeds 1, 2$", lines[0])


def test_a_run_has_one_name_on_machines_with_and_without_a_compiler(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def names(backend: str, **more: str) -> list[str]:
        monkeypatch.setattr(plan, "automatic", lambda: (backend, "why not"))
        found = load(write_study(tmp_path, STUDY.replace("epochs = 2", f"epochs = 2{more.get('named', '')}")))
        jobs = [case.job(seed, rate) for case in cases([found], "small") for seed in case.seeds for rate in case.rates]
        assert {job.experiment.options()["backend"] for job in jobs} == {more.get("there", backend)}
        return [job.name for job in jobs]

    assert names("numpy") == names("c")
    named = {"named": ', backend = "numpy"', "there": "numpy"}
    assert names("c", **named) == names("numpy", **named)
    assert set(names("c", **named)).isdisjoint(names("c")), "a study that names a backend means that one"
