"""Highlighters colour every word of the language, from one list, and every shipped cell without a leftover."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from pygments.lexers import get_lexer_by_name, get_lexer_for_filename
from pygments.token import Error, Keyword, Name, String

from docs import tables
from recurrency.editor import textmate, wordlists
from recurrency.editor.lexer import RnnLexer
from recurrency.language.words import CLAUSES, reserved, spellings

ROOT = Path(__file__).resolve().parents[2]
EXTENSION = ROOT / "docs" / "editors" / "vscode"


def test_every_word_of_the_grammar_has_a_group() -> None:
    groups = wordlists.groups()
    words = {word for name in ("declarations", "keywords", "operators") for word in groups[name]}
    assert words == {spellings()[name] for name in reserved()} | set(CLAUSES)
    assert {"where", "einsum", "matrix", "init", "σ"} <= set(groups["functions"])


def test_the_extension_has_the_grammar_of_the_language(golden: Callable[[Path, str], None]) -> None:
    for path, text in tables.FILES.items():
        golden(path, text())
    package = json.loads((EXTENSION / "package.json").read_text(encoding="utf-8"))
    (grammar,) = package["contributes"]["grammars"]
    assert json.loads((EXTENSION / grammar["path"]).read_text(encoding="utf-8"))["scopeName"] == grammar["scopeName"]
    assert grammar["scopeName"] == textmate.SCOPE


@pytest.mark.parametrize("path", sorted((ROOT / "specs").glob("*.rnn"))[::5], ids=lambda p: p.stem)
def test_the_lexer_reads_shipped_cells_whole(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    found = list(RnnLexer(stripnl=False).get_tokens(text))
    assert "".join(part for _, part in found) == text
    assert [part for kind, part in found if kind is Error] == []


def test_the_lexer_knows_what_a_word_is_where_it_stands() -> None:
    text = 'cell C(x: []) -> (y: []) {\n    """doc"""\n    reset = where(x > 0, 1, 0)\n    y = C(x) reset reset\n}\n'
    found = [(kind, part) for kind, part in RnnLexer().get_tokens(text) if part in ("C", "reset", "where", '"""doc"""')]
    wanted = [(Name.Class, "C"), (String.Doc, '"""doc"""'), (Name, "reset"), (Name.Builtin, "where"), (Name, "C")]
    assert found == [*wanted, (Keyword, "reset"), (Keyword, "reset")]


def test_the_lexer_is_installed() -> None:
    assert isinstance(get_lexer_by_name("rnn"), RnnLexer)
    assert isinstance(get_lexer_for_filename("lstm.rnn"), RnnLexer)
