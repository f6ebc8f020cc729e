"""Characters and comments that are not part of the language: what they mean elsewhere, and how to write it here."""

from __future__ import annotations

import unicodedata
from bisect import bisect_left
from collections.abc import Callable, Sequence
from typing import TypeAlias

from lark import Token

from recurrency.errors import Diagnostic, Source
from recurrency.language.diagnostics import UNCLOSED_QUOTES, UNEXPECTED_CHARACTER, UNEXPECTED_WORD, say
from recurrency.language.words import open_brackets, opens_line, where

LOOKALIKES = {
    **dict.fromkeys("·×∙∘•⊛∗⋆⋅", "write * for an element-wise product, @ for a product of matrices"),
    **dict.fromkeys("−–—", "write - for a minus"),
    **dict.fromkeys("“”„'’‘`", 'a docstring is written between """ and """'),
    **dict.fromkeys("²³¹⁰⁴⁵⁶⁷⁸⁹", "write ** for a power: x ** 2"),
    **dict.fromkeys("₋₊", "a step is written with an index: h[t-1]"),
    **dict.fromkeys("∑Σ", "write sum(x[i] for i in 1..L)"),
    **dict.fromkeys("←≔⟵", "an equation is written with ="),
    **dict.fromkeys("∼～", "write ~ before an initialiser"),
    **dict.fromkeys("‖∥", "write norm(x)"),
    **dict.fromkeys("∂∇", "leave it out: gradients are derived from the equations"),
    **dict.fromkeys("⊤⊺†‡", "write transpose(A)"),
    "∏": "write exp(sum(log(x)))",
    **dict.fromkeys("∧", "write and"),
    **dict.fromkeys("∨", "write or"),
    **dict.fromkeys("⟨⟩", "write dot(a, b)"),
    "^": "write ** for a power",
    "÷": "write / for a quotient",
    "→": "write ->",
    "≤": "write <=",
    "≥": "write >=",
    "≠": "write !=",
    "≈": "write abs(a - b) < 0.001",
    "∈": "write in",
    "…": "write .. for a range",
    "⊗": "write outer(a, b)",
    "⊕": "write a + b, or concat(a, b)",
    "∞": "write a large number, such as 1e9; a spec has no infinity",
    "&": "write and",
    "|": "write or; |x| is written abs(x)",
    "!": "write != or not",
    "?": "write a if condition else b; for a condition on streams where(c, a, b)",
    "$": "leave it out: equations need no $",
    ";": "leave it out: a statement ends with its line",
    "\\": "leave it out: a statement may continue on the next line",
    "%": "a comment starts with #; there is no remainder",
    "√": "write sqrt(...)",
    "\ufeff": "save the file as UTF-8 without a byte order mark",
}
COMMENT = "a comment starts with #"


def unclosed_quotes(source: Source, word: Token) -> bool:
    """Whether a stray word opens a docstring that never ends."""
    return word.type == "STRAY" and source.text.startswith('"""', word.start_pos or 0)


def explain_stray(source: Source, words: Sequence[Token], at: int) -> Diagnostic:
    """The diagnostic of a character that is not part of the language."""
    word = words[at]
    place = where(source, word)
    if unclosed_quotes(source, word):
        return say(UNCLOSED_QUOTES, "this docstring never ends", place, 'no """ follows', help='close it with """')
    if word == '"':
        what = "path" if at and words[at - 1].type in {"USE", "FROM"} else "text"
        return say(
            UNCLOSED_QUOTES, f"this {what} never ends", place, 'no " follows on this line', help='close it with "'
        )
    shown = str(word) if word.isprintable() else f"U+{ord(word):04X}"
    name = unicodedata.name(str(word), "")
    label = f"{name.lower()} means nothing here" if name and not word.isascii() else "it means nothing in a spec"
    special = CONTEXTS.get(str(word))
    help = special(words, at) if special else None
    title = f"unexpected character {shown}"
    return say(UNEXPECTED_CHARACTER, title, place, label, help=help or LOOKALIKES.get(str(word)))


# ---------------------------------------------------------------------------------------- what depends on the context

Context: TypeAlias = Callable[[Sequence[Token], int], str | None]


def touching(words: Sequence[Token], at: int) -> bool:
    """Whether the word at `at` follows the one before it without a space."""
    return at > 0 and words[at - 1].end_pos == words[at].start_pos


def _after(words: Sequence[Token], at: int) -> Token | None:
    return words[at + 1] if at + 1 < len(words) and touching(words, at + 1) else None


def _command(words: Sequence[Token], at: int) -> str | None:
    """`\\sigma`: a command of LaTeX; `\\\\` at the end of a row."""
    after = _after(words, at)
    if after is None:
        return "leave it out: each equation has its own line" if at and words[at - 1] == "\\" else None
    if after == "\\":
        return "leave it out: each equation has its own line"
    from recurrency.language.foreign_names import LATEX

    return LATEX.get(str(after), f"a name stands without the backslash: write {after}")


def _raised(words: Sequence[Token], at: int) -> str | None:
    """`x^2`, `U^T`, `h^{(1)}`, `R^{H}`."""
    after = words[at + 1] if at + 1 < len(words) else None
    before = words[at - 1] if at else None
    base = str(before) if before is not None and before.type in {"NAME", "NUMBER"} else "x"
    base = "(...)" if before is not None and before.type in {"RPAR", "RSQB"} else base
    if after is None:
        return None
    inner = after
    if after in {"{", "\\"} and at + 2 < len(words):
        inner = words[at + 2]
        inner = words[at + 3] if inner == "\\" and at + 3 < len(words) else inner
    if str(inner) in {"T", "top", "intercal", "⊤", "t"}:
        return f"write transpose({base})"
    if base in {"R", "ℝ"}:
        return "a shape goes in square brackets: [H, N]"
    if base == "e":
        return "write exp(x)"
    if str(inner) == "(":
        return f"a member of a family is written {base}[1]"
    if str(inner) == "-":
        return f"write 1 / {base}; there is no inverse of a matrix"
    return f"write ** for a power: {base} ** {inner}" if inner.type in {"NAME", "NUMBER"} else None


def _primed(words: Sequence[Token], at: int) -> str | None:
    """`f'`, `W'`: a prime, or a transposed matrix."""
    before = words[at - 1] if touching(words, at) else None
    if before is None or before.type not in {"NAME", "RSQB", "RPAR"}:
        return None
    if before.type != "NAME":
        return "write transpose(A) for a transposed matrix"
    name = str(before)
    return f"names consist of letters, digits and _: write {name}_new, or transpose({name}) for a transposed matrix"


def _separated(words: Sequence[Token], at: int) -> str | None:
    """`[x; h]`."""
    opened = [word for word in open_brackets(words[:at]) if word.type != "LBRACE"]
    return "vectors are joined by concat(x, h)" if opened and opened[-1] == "[" else None


def _percent(words: Sequence[Token], at: int) -> str | None:
    return COMMENT if opens_line(words, at) else None


def _ampersand(words: Sequence[Token], at: int) -> str | None:
    return "write = alone" if str(_after(words, at)) == "=" else None


def _bars(words: Sequence[Token], at: int) -> str | None:
    return "write or; ||x|| is written norm(x)" if str(_after(words, at)) == "|" else None


def _negation(words: Sequence[Token], at: int) -> str | None:
    return "write not" if str(_after(words, at)) != "=" else None


CONTEXTS: dict[str, Context] = {
    "\\": _command,
    "^": _raised,
    **dict.fromkeys("'’′″`", _primed),
    ";": _separated,
    "%": _percent,
    "&": _ampersand,
    "!": _negation,
    "|": _bars,
}

# ------------------------------------------------------------------------------------------ comments of other languages


def without_comments(source: Source, words: Sequence[Token], tell: Callable[[Diagnostic], None]) -> list[Token]:
    """The words without the comments of other languages: after `//`, between `/*` and `*/`, and on a line after `%`."""
    if not any(sign in source.text for sign in ("//", "/*", "%")):
        return list(words)
    ends = [at + 1 for at, word in enumerate(words) if word == "/" and touching(words, at) and words[at - 1] == "*"]
    kept: list[Token] = []
    at = 0
    while at < len(words):
        sign = _sign_of_comment(words, at)
        if not sign:
            kept.append(words[at])
            at += 1
            continue
        first = opens_line(words, at)
        end = _end_of_comment(words, at, sign, ends)
        quotient = "; a quotient is written with one /" if sign == "//" and not first else ""
        place = where(source, words[at], words[at + (sign != "%")])
        tell(say(UNEXPECTED_WORD, f"{sign} does not start a comment", place, help=COMMENT + quotient))
        if end == at + 2 and not first:
            kept.append(words[at])
        at = end
    return kept


def _sign_of_comment(words: Sequence[Token], at: int) -> str:
    """`//`, `/*` or, at the start of a line, `%`."""
    if words[at] == "%":
        return "%" if opens_line(words, at) else ""
    if words[at] != "/" or not touching(words, at + 1) if at + 1 < len(words) else True:
        return ""
    return f"/{words[at + 1]}" if words[at + 1] in {"/", "*", "**"} else ""


def _end_of_comment(words: Sequence[Token], at: int, sign: str, ends: Sequence[int]) -> int:
    """Where a comment ends; in `tanh(a // 2)`, whose line continues, after the sign."""
    closed = bisect_left(ends, at + 3)
    if sign.startswith("/*") and closed < len(ends):
        return ends[closed]
    end, depth = at, 0
    while end < len(words) and words[end].line == words[at].line:
        depth += {"LPAR": 1, "LSQB": 1, "RPAR": -1, "RSQB": -1}.get(words[end].type, 0)
        end += 1
    return at + 2 if sign == "//" and depth < 0 else end
