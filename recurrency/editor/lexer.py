"""A lexer of `.rnn` texts for Pygments: `pygmentize`, Sphinx, mkdocs, rich and Jupyter colour specs with it."""

from __future__ import annotations

from typing import ClassVar

from pygments.lexer import RegexLexer, bygroups
from pygments.token import Comment, Keyword, Name, Number, Operator, Punctuation, String, Text

from recurrency.editor.wordlists import CALLED, NAME, NOT_DEFINED, NUMBER, STEP, any_of, groups

WORDS = groups()


class RnnLexer(RegexLexer):
    """Specs of recurrent networks."""

    name = "Recurrency"
    aliases: ClassVar[list[str]] = ["rnn", "recurrency"]
    filenames: ClassVar[list[str]] = ["*.rnn"]
    tokens: ClassVar[dict[str, list[object]]] = {
        "root": [
            (r"\s+", Text),
            (r'"""[\s\S]*?(?:"""|\Z)', String.Doc),
            (r"#[^\n]*", Comment.Single),
            (r'"[^"\n]+"', String),
            (rf"\b(cell)(\s+)({NAME})", bygroups(Keyword.Declaration, Text, Name.Class)),
            (rf"\b(fn)(\s+)({NAME})", bygroups(Keyword.Declaration, Text, Name.Function)),
            (rf"(~)(\s*)({any_of(WORDS['initialisers'])})", bygroups(Operator, Text, Name.Builtin)),
            (any_of(WORDS["declarations"]), Keyword.Declaration),
            (any_of(WORDS["functions"]) + CALLED, Name.Builtin),
            (any_of(WORDS["keywords"]) + NOT_DEFINED, Keyword),
            (any_of(WORDS["operators"]), Operator.Word),
            (STEP, Name.Variable.Magic),
            (any_of(WORDS["constants"]), Name.Constant),
            (rf"(?<!\w){NUMBER}", Number),
            (r"->|\.\.|\*\*|==|!=|<=|>=|[-+*/@<>=~⊙]", Operator),
            (r"[\[\](){},:.]", Punctuation),
            (NAME, Name),
            (r"[\u0300-\u036f]\w*", Name),
        ]
    }


__all__ = ["RnnLexer"]
