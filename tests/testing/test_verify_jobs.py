"""Specs dealt out to several processes: the same rows in the same order, and a report of what stops one."""

from __future__ import annotations

import json
from typing import Any

import pytest
from click.testing import CliRunner

from recurrency.cli import cli
from recurrency.cli.common import find_spec
from recurrency.errors import UsageError
from recurrency.testing.verification import jobs

WORDS = ["verify", "Linear", "IRNN", "Elman", "--backends", "numpy", "--examples", "4", "--seed", "3", "--json", "-"]


def result(*words: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(CliRunner().invoke(cli, [*WORDS, *words]).output)
    return {**found, "seconds": None}


def test_two_processes_find_what_one_finds_in_the_same_order() -> None:
    assert result("--jobs", "2") == result("--jobs", "1")
    assert [row["spec"] for row in result("--jobs", "2")["rows"]] == [
        n for n in ("Linear", "IRNN", "Elman") for _ in "ab"
    ]


def test_what_keeps_a_process_from_its_work_is_told() -> None:
    with pytest.raises(UsageError, match=r"neither a .rnn file nor a shipped cell"):
        jobs.verify_together(find_spec, ["Elman", "Nothing"], 2, ["numpy"], examples=1, seed=0, folder=".")


def test_there_is_at_least_one_processor() -> None:
    assert jobs.processors() >= 1
