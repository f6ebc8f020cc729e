"""Each shipped study at the scale `tiny`: every run of it trains, and the report has a value for each row.

`make test` does this on small invented data in the published formats, and `make test-all` on the published data too.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from recurrency.reproducing.choice import choices
from recurrency.reproducing.command import Request, checked, reproduce
from recurrency.reproducing.starting import in_this_process
from recurrency.reproducing.studies import shipped
from tests.support import small_data


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_data.write(tmp_path_factory.mktemp("data"), small_data.ENOUGH)


def run_short_form(name: str, out: Path) -> None:
    """Run a study at the scale `tiny`; it is skipped by name where none of its data are there."""
    request = Request((name,), scale="tiny", out=str(out), start=in_this_process)
    ready, absent = checked(choices([name]), request, lambda words: None)
    if not ready:
        pytest.skip(f"{name}: {absent[name]}")
    said: list[str] = []
    reproduce(request, said.append)
    failed = [words for words in said if " failed" in words or "diverged" in words]
    assert not failed
    report = (out / "report.md").read_text(encoding="utf-8")
    assert "**missing**" not in report
    rows = [line for line in report.splitlines() if line.startswith("| ") and "](runs/" in line]
    assert len(rows) >= len(ready)


@pytest.mark.parametrize("name", shipped())
def test_the_short_form_of_a_study_runs(
    name: str, small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RECURRENCY_DATA", str(small))
    run_short_form(name, tmp_path)


@pytest.mark.long
@pytest.mark.parametrize("name", shipped())
def test_the_short_form_of_a_study_runs_on_the_published_data(name: str, tmp_path: Path) -> None:
    run_short_form(name, tmp_path)
