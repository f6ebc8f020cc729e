"""Each shipped study at the scale `tiny`: every run of it trains, and the report has a value for each row."""

from __future__ import annotations

from pathlib import Path

import pytest

from recurrency.reproducing.command import Request, checked, reproduce
from recurrency.reproducing.starting import in_this_process
from recurrency.reproducing.studies import find, shipped


@pytest.mark.parametrize("name", shipped())
def test_the_short_form_of_a_study_runs(name: str, tmp_path: Path) -> None:
    request = Request((name,), scale="tiny", out=str(tmp_path), start=in_this_process)
    ready, absent = checked([find(name)], request, lambda words: None)
    if not ready:
        pytest.skip(absent[name])
    said: list[str] = []
    reproduce(request, said.append)
    failed = [words for words in said if " failed" in words or "diverged" in words]
    assert not failed
    report = (tmp_path / "report.md").read_text(encoding="utf-8")
    assert "**missing**" not in report
    if not absent:
        rows = sum(1 for line in report.splitlines() if line.startswith("| ") and "](runs/" in line)
        assert rows >= len(ready)
