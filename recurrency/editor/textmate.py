"""The TextMate grammar of `.rnn` texts, for VS Code and other editors; written from the words of the language."""

from __future__ import annotations

import json
from typing import Any

from recurrency.editor.wordlists import CALLED, NAME, NOT_DEFINED, NUMBER, STEP, any_of, groups

SCOPE = "source.rnn"
ACCENTS = r"(?:[\u0300-\u036f]+[^\W²³¹⁰⁴-⁹]*)*"


def _rule(scope: str, match: str, captures: dict[str, str] | None = None) -> dict[str, Any]:
    """A rule; an empty scope names nothing but its captures."""
    rule: dict[str, Any] = {"match": match}
    if scope:
        rule["name"] = f"{scope}.rnn"
    if captures:
        rule["captures"] = {number: {"name": f"{name}.rnn"} for number, name in captures.items()}
    return rule


def grammar() -> dict[str, Any]:
    """The grammar; its rules are tried in this order."""
    words = groups()
    name = NAME + ACCENTS
    rules: list[dict[str, Any]] = [
        {"name": "comment.block.documentation.rnn", "begin": '"""', "end": '"""'},
        _rule("comment.line.number-sign", r"#.*$"),
        _rule("string.quoted.double", r'"[^"\n]+"'),
        _rule("", rf"\b(cell)\s+({name})", {"1": "keyword.declaration", "2": "entity.name.type.class"}),
        _rule("", rf"\b(fn)\s+({name})", {"1": "keyword.declaration", "2": "entity.name.function"}),
        _rule("", rf"(~)\s*({any_of(words['initialisers'])})", {"1": "keyword.operator", "2": "support.function"}),
        _rule("keyword.declaration", any_of(words["declarations"])),
        _rule("support.function", any_of(words["functions"]) + CALLED),
        _rule("keyword.control", any_of(words["keywords"]) + NOT_DEFINED),
        _rule("keyword.operator.logical", any_of(words["operators"])),
        _rule("variable.language.step", STEP),
        _rule("constant.language", any_of(words["constants"])),
        _rule("constant.numeric", rf"(?<!\w){NUMBER}"),
        _rule("keyword.operator", r"->|\.\.|\*\*|==|!=|<=|>=|[-+*/@<>=~⊙]"),
        _rule("entity.name.type.class", r"\b\p{Lu}\w*(?=\s*(?:\[[^\]\n]*\])?\()"),
        _rule("variable.other", name),
    ]
    return {"name": "Recurrency", "scopeName": SCOPE, "fileTypes": ["rnn"], "patterns": rules}


def text() -> str:
    """The grammar as the file of the extension has it."""
    return json.dumps(grammar(), indent=2, ensure_ascii=False) + "\n"
