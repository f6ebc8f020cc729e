"""The words of a source text: the one grammar, read once, and its lexer."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from importlib.resources import files
from itertools import islice
from operator import itemgetter
from pathlib import Path
from typing import Any

import lark
from lark import Lark, Token
from lark.grammar import Rule
from lark.lexer import PatternStr, TerminalDef

from recurrency.disk import records
from recurrency.errors import Source, Span
from recurrency.language.tables import tables_of

MAX_WORDS = 20_000
STARTERS = frozenset({"PARAM", "STATE", "CONST", "FN", "FOR", "LOSS", "CELL", "USE"})
TOP_LEVEL = frozenset({"CELL", "USE", "FN"})
OPENERS = {"LPAR": "RPAR", "LSQB": "RSQB", "LBRACE": "RBRACE"}
CLAUSES = {"reset": "RESET", "when": "WHEN", "derivative": "DERIVATIVE", "where": "_WHERE", "with": "_WITH"}
"""Names that begin a clause between two values, and the terminals that they then are."""
BEGIN_VALUE = frozenset({"NAME", "NUMBER", "LPAR"})
BEGIN_CLAUSE = {
    "RESET": BEGIN_VALUE,
    "WHEN": BEGIN_VALUE,
    "_WHERE": BEGIN_VALUE,
    "DERIVATIVE": BEGIN_VALUE | {"MINUS"},
    "_WITH": frozenset({"LPAR"}),
}
"""The words that may follow the terminal of a clause."""
GREEK = {"σ": "sigmoid"}
"""Letters that are read as a name of the language."""
CLOSERS = {closer: opener for opener, closer in OPENERS.items()}


GRAMMAR, TABLES = "rnn.lark", "rnn.tables.json"


def grammar_text(name: str = GRAMMAR) -> str:
    """The text of the grammar or of its tables: from the package, or from the folder beside it in a checkout."""
    try:
        return files("recurrency.grammars").joinpath(name).read_text(encoding="utf-8")
    except ModuleNotFoundError:
        beside = Path(__file__).resolve().parents[2] / "grammars" / name
        return beside.read_text(encoding="utf-8")


@cache
def grammar() -> Lark:
    """The parser, built at the first use from the tables that are shipped.

    If these are of another grammar or version of Lark, tables are made, and remembered.
    """
    tables = tables_of(grammar_text(TABLES), grammar_text(), lark.__version__)
    tables = tables or records.remembered(dict[str, Any], _tables, "grammar", lark.__version__)
    found: Lark = Lark._load_from_dict(**tables)
    _pass_on(found.parser.parser_conf.callbacks)
    return found


def _pass_on(callbacks: dict[Any, Callable[[list[Any]], Any]]) -> None:
    """Have a rule hand its only part on as it is where it makes no branch of it.

    Most reductions are of these: from a name to an expression there are twelve. What Lark does at each of them finds
    once more the place that the part has already.
    """
    for rule in callbacks:
        if isinstance(rule, Rule) and rule.options.expand1 and not rule.alias and len(rule.expansion) == 1:
            callbacks[rule] = itemgetter(0)


def _tables() -> dict[str, Any]:
    """The parser as plain data, as in Lark's stand-alone parsers."""
    data, memo = _built().memo_serialize([TerminalDef, Rule])
    return {"data": data, "memo": memo}


def _built() -> Lark:
    return Lark(
        grammar_text(),
        parser="lalr",
        lexer="basic",
        start=["file", "trivia"],
        propagate_positions=True,
        maybe_placeholders=True,
    )


@cache
def spellings() -> dict[str, str]:
    """The terminals that are spelt in one way only: `{"LBRACE": "{", "PARAM": "param", ...}`."""
    fixed = {t.name: t.pattern.value for t in grammar().terminals if isinstance(t.pattern, PatternStr)}
    return {**fixed, "STAR": "*"}


@cache
def reserved() -> frozenset[str]:
    """The reserved words of the grammar, as terminals."""
    return frozenset(name for name, spelling in spellings().items() if spelling.isalpha())


def lex(text: str) -> Iterator[Token]:
    """All words of a text, with comments and stray characters; never fails."""
    reader = grammar().parse_interactive(text, start="file")
    words: Iterator[Token] = reader.lexer_thread.lex(reader.parser_state)
    return _with_clauses(words)


def _with_clauses(words: Iterator[Token]) -> Iterator[Token]:
    """The same words, with the type of a clause for names between two values: `h = LSTM(x) reset start`."""
    waiting: list[Token] = []  # a word that may be one, and the comments after it
    before: Token | None = None
    for word in words:
        if word.type == "COMMENT":
            yield from () if waiting else (word,)
            waiting += [word] if waiting else []
            continue
        if waiting:
            first, *comments = waiting
            clause = word.type in BEGIN_CLAUSE[CLAUSES[first]]
            before = Token.new_borrow_pos(CLAUSES[first], first, first) if clause else first
            yield from (before, *comments)
            waiting = []
        if word.type == "NAME" and word in CLAUSES and ends_value(before):
            waiting = [word]
            continue
        before = word
        yield word
    yield from waiting


def words_of(text: str) -> list[Token]:
    """The words of a text, comments and stray characters included, but not more than `MAX_WORDS + 1`."""
    return list(islice(lex(text), MAX_WORDS + 1))


def is_name(word: Token) -> bool:
    """Whether a word is a name or a reserved word."""
    return word.type == "NAME" or word.type in reserved()


def ends_value(word: Token | None) -> bool:
    """Whether a value may end with this word."""
    return word is not None and word.type in {"NAME", "NUMBER", "RPAR", "RSQB"}


def read_name(token: Token) -> str:
    """The name that a token spells: compatibility forms are one (NFKC, as in Python), `σ` is `sigmoid`."""
    name = str(token)
    if not name.isascii():
        name = unicodedata.normalize("NFKC", name)
    return GREEK.get(name, name)


def where(source: Source, first: Token, last: Token | None = None) -> Span:
    """The stretch from the word `first` to the end of the word `last` (itself, if not given)."""
    last = last or first
    return Span(
        source,
        first.start_pos or 0,
        last.end_pos or 0,
        first.line or 1,
        first.column or 1,
        last.end_line or 1,
        last.end_column or 1,
    )


def opens_line(words: Sequence[Token], at: int) -> bool:
    """Whether the word at `at` is the first of its line."""
    return at == 0 or words[at - 1].end_line != words[at].line


def open_brackets(words: Sequence[Token]) -> list[Token]:
    """The brackets that are open after the words; unmatched closing brackets are ignored."""
    stack: list[Token] = []
    for word in words:
        if word.type in OPENERS:
            stack.append(word)
        elif word.type in CLOSERS and stack and stack[-1].type == CLOSERS[word.type]:
            stack.pop()
    return stack
