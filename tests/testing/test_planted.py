"""Planted mistakes are found, and what is wrong is named; without them the very same check finds nothing."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

import recurrency as rc
from recurrency import backend
from recurrency.cli import cli
from recurrency.disk.files import write_whole
from recurrency.testing import differences, guilty, slopes, wrong_rule
from tests.planted import Plant, drivers, entries, fusions, kernels, passes, planted, programs, rules, writers

TABLES = (passes, programs, rules, writers, fusions, kernels, drivers, entries)
ROWS = {f"{table.__name__.rpartition('.')[2]}: {row.name}": row for table in TABLES for row in table.ROWS}
BY_SLOPES = ("gradient rule", "no rule")
"""What is found by differences alone, for the interpreter has it as well, is named so."""


def named(row: Plant) -> str:
    """What is said to be wrong with a new spec ("" where nothing is)."""
    spec = rc.parse(row.text, "planted.rnn")
    if row.said.startswith(BY_SLOPES):
        return wrong_rule(spec, row.case) if slopes(spec, row.case) else ""
    found = differences(spec, row.case, row.backend, [row.kind])
    return guilty(spec, row.case, row.backend, found[0]) if found else ""


@pytest.mark.parametrize("name", ROWS)
def test_a_planted_mistake_is_found_and_named(name: str) -> None:
    row = ROWS[name]
    reason = backend.describe(emulated=True)[row.backend]
    if reason is not None:
        pytest.skip(reason)
    assert named(row) == ""
    with planted(row):
        assert re.match(row.said, named(row))


def test_there_are_many_of_every_sort() -> None:
    assert len(ROWS) == sum(len(table.ROWS) for table in TABLES) >= 25
    assert all(len(table.ROWS) >= 5 for table in TABLES)


@pytest.mark.parametrize("name", ["passes: cse without delays", "writers: another function", "rules: a sign in a rule"])
def test_the_command_line_finds_and_names_it(name: str, tmp_path: Path) -> None:
    row = ROWS[name]
    write_whole(tmp_path / "planted.rnn", row.text)
    command = f"verify {tmp_path / 'planted.rnn'} --backends numpy --examples 6 --folder {tmp_path}".split()
    result = CliRunner().invoke(cli, command)
    assert (result.exit_code, "no difference" in result.output) == (0, True)
    with planted(row):
        result = CliRunner().invoke(cli, command)
    assert result.exit_code == 1
    assert row.said in result.output


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("a difference that is fused as a sum", "op subtract (y), line 2"),
        ("a number that fits any pattern", "op multiply (y), line 2"),
    ],
)
def test_what_is_computed_at_once_is_named_where_that_can_not_be_switched_off(
    name: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("torch")
    row = ROWS[f"fusions: {name}"]
    monkeypatch.setattr(type(backend.find(row.backend)), "switches", frozenset())
    with planted(row):
        assert named(row).startswith(said)
