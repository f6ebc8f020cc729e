"""The corpus of malformed specs: each file provokes the diagnostics that stand beside it, word for word."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from recurrency.errors import SpecError, render
from recurrency.language.diagnostics import LINTS, TABLE, say
from recurrency.language.reading.parser import parse_file
from recurrency.language.sources import read_source

CORPUS = sorted((Path(__file__).parents[1] / "malformed").glob("*.rnn"))
SYNTAX_ENDS = 20


def spec_module() -> ModuleType | None:
    try:
        return importlib.import_module("recurrency.model.spec")
    except ModuleNotFoundError as error:
        if error.name is None or not error.name.startswith("recurrency"):
            raise
        return None


def all_diagnostics(path: Path) -> str:
    """What a user is told about a file: by the parser, if that is content by the check, and then by the lints."""
    try:
        parse_file(read_source(path))
        spec = spec_module()
        if spec is None:
            pytest.skip(f"{path.name} passes the parser, and recurrency.model.spec cannot be imported")
        loaded = spec.load(path)
        loaded.check()
    except SpecError as error:
        return str(error).replace(str(path), path.name) + "\n"
    return "\n\n".join(render(w) for w in loaded.lint()).replace(str(path), path.name) + "\n"


@pytest.mark.parametrize("path", CORPUS, ids=lambda path: path.stem)
def test_a_malformed_spec_is_told_in_the_expected_words(path: Path, golden: Callable[[Path, str], None]) -> None:
    told = all_diagnostics(path)
    kind = "warning" if int(path.stem[:3]) in LINTS else "error"
    assert f"{kind}[RNN{path.stem[:3]}]" in told, f"{path.name} does not provoke its number"
    golden(path.with_suffix(".txt"), told)


@pytest.mark.parametrize("number", sorted(TABLE))
def test_every_number_has_a_file_that_provokes_it(number: int) -> None:
    assert any(path.stem.startswith(f"{number:03d}_") for path in CORPUS)


def test_the_table_explains_every_number() -> None:
    assert all(row.title and row.explanation.endswith(".") for row in TABLE.values())
    assert set(range(1, SYNTAX_ENDS)) <= set(TABLE)


def test_a_number_outside_the_table_is_refused() -> None:
    with pytest.raises(KeyError):
        say(999, "no such thing", None)
