"""The tables of the parser that are shipped."""

import json
from collections.abc import Callable
from pathlib import Path

import lark
import pytest

from recurrency.language import words
from recurrency.language.tables import tables_of, tables_text
from tests.support.processes import ROOT

SHIPPED = words.grammar_text(words.TABLES)


def test_they_are_those_of_the_grammar(golden: Callable[[Path, str], None], request: pytest.FixtureRequest) -> None:
    version = json.loads(SHIPPED)["lark"]
    if version != lark.__version__ and not request.config.getoption("--update-golden"):
        pytest.skip(f"the shipped tables are for Lark {version}: with {lark.__version__} they are made and remembered")
    text = tables_text(words._tables(), words.grammar_text(), lark.__version__)
    golden(ROOT / "grammars" / words.TABLES, text)


@pytest.mark.parametrize(
    ("grammar", "version"),
    [("file: NAME", lark.__version__), (words.grammar_text(), "another")],
    ids=["grammar", "lark"],
)
def test_those_of_another_grammar_or_version_are_not_used(grammar: str, version: str) -> None:
    assert tables_of(SHIPPED, grammar, version) is None
