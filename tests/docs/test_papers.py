"""The page of reproduced papers says what the kept runs say, and nothing else."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from recurrency.reproducing.command import kept_report, kept_text
from recurrency.reproducing.store import Store

DOCS = Path(__file__).resolve().parents[2] / "docs"
KEPT = DOCS / "papers"
PAGE = DOCS / "papers.md"

pytestmark = pytest.mark.skipif(not PAGE.exists(), reason="nothing is kept")


def test_the_page_is_what_the_kept_runs_say(golden: Callable[[Path, str], None]) -> None:
    """`recurrency reproduce --all --report --keep docs/papers` writes it with its pictures."""
    report = kept_report(Store(KEPT))
    report.draws = False
    golden(PAGE, kept_text(report, {}))


def test_each_run_of_the_page_is_there_with_its_metrics_and_record() -> None:
    targets = set(re.findall(r"\]\((papers/runs/[^)]+)\)", PAGE.read_text(encoding="utf-8")))
    assert targets
    for target in targets:
        folder = DOCS / target
        record = json.loads(folder.with_name(f"{folder.name}.json").read_text(encoding="utf-8"))
        assert record["source"], target
        assert "with changes" not in record["source"], f"{target} was measured with changed files: commit them first"
        assert (folder / "run.toml").is_file()
        assert (folder / "metrics.jsonl").is_file()


def test_what_is_kept_is_small() -> None:
    sizes = {path: path.stat().st_size for path in KEPT.rglob("*") if path.is_file()}
    assert {path.suffix for path in sizes} <= {".toml", ".jsonl", ".json", ".png"}
    assert max(sizes.values()) < 400_000
