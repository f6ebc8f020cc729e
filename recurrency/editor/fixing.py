"""Changes of the text that a message suggests. Each is tried out: one is offered only if the mistake is gone then."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from recurrency.editor.analysis import Analysis, Found
from recurrency.editor.pieces import pieces
from recurrency.editor.places import Range
from recurrency.language.diagnostics import SYNTAX, USELESS_COMMENT
from recurrency.language.words import lex

MEANT = re.compile(r"did you mean (?:the dimension )?(.+?)\?")
WRITE = re.compile(
    r"(?:with an index|is an index|no subscript|no index|called t|at this step|its operator): (?:write )?(\S[^,;]*)$"
    r"|(?:the state \w+ is|draws from .*; write|^write) ((?:init|between|normal)\(.*\))$"
)
"""Help that ends with what the place should say, and not with an example."""
USE = re.compile(r"add a line: (use \w+ from library)", re.IGNORECASE)
NAME = re.compile(r"[^\W\d]\w*")
PATH = re.compile(r'"([^"\n]*)"')


@dataclass(frozen=True)
class Edit:
    """A text in place of a range."""

    range: Range
    text: str


@dataclass(frozen=True)
class Fix:
    """A change that an editor offers for a diagnostic; the first one that mends a mistake is `preferred`."""

    title: str
    edits: tuple[Edit, ...]
    preferred: bool = False


def fixes(analysis: Analysis, found: Found, analyse: Callable[[str], Analysis]) -> list[Fix]:
    """The fixes for a diagnostic that mend it."""
    if found.diagnostic.warning:
        return list(_for_warning(analysis, found))
    out: list[Fix] = []
    for title, edits in _candidates(analysis, found):
        renames = bool(NAME.fullmatch(edits[0].text))
        after = analyse(applied(analysis.lines, edits))
        if all(edits != fix.edits for fix in out) and mends(analysis, found, after, renames):
            out.append(Fix(title, edits, preferred=not out))
    return out


def mends(before: Analysis, found: Found, after: Analysis, renames: bool) -> bool:
    """Whether a change mends a mistake: there are fewer then, of syntax if it is one.

    Where only a name is changed (`renames`), another mistake may have been behind it: it is enough that this one is
    gone.
    """
    written = [sum(f.diagnostic.number in SYNTAX for f in a.mistakes) for a in (before, after)]
    if found.diagnostic.number in SYNTAX:
        return written[1] < written[0]
    left = [f for f in after.mistakes if f.range.line == found.range.line and f.range.column == found.range.column]
    fewer = len(after.mistakes) - len(before.mistakes)
    return written[1] <= written[0] and (fewer < 0 or (fewer == 0 and renames and not left))


def applied(lines: list[str], edits: tuple[Edit, ...]) -> str:
    """The text after edits, which do not overlap."""
    lines = list(lines)
    for edit in sorted(edits, key=lambda e: e.range, reverse=True):
        place = edit.range
        changed = lines[place.line][: place.column] + edit.text + lines[place.end_line][place.end_column :]
        lines[place.line : place.end_line + 1] = changed.split("\n")
    return "\n".join(lines)


def _candidates(analysis: Analysis, found: Found) -> Iterator[tuple[str, tuple[Edit, ...]]]:
    """What the help of a message might mean, as edits."""
    help, place = found.diagnostic.help or "", found.range
    line = USE.search(help)
    inserted = (use_edit(analysis.text, line[1]),) if line else ()
    for pattern, verb in ((MEANT, "Change to"), (WRITE, "Write")):
        for match in pattern.finditer(help):
            for wanted in next(group for group in match.groups() if group).strip("'").split(" or "):
                for edit in _replacing(analysis.lines, place, wanted):
                    yield f"{verb} {wanted}", (edit, *inserted)
    if line:
        yield f"Add `{line[1]}`", inserted


def _replacing(lines: list[str], place: Range, wanted: str) -> Iterator[Edit]:
    """The whole place as `wanted`; if that is a name or a file, also the names or the path in it."""
    yield Edit(place, wanted)
    if place.line == place.end_line:
        text = lines[place.line][place.column : place.end_column]
        pattern = NAME if NAME.fullmatch(wanted) else PATH
        for match in reversed(list(pattern.finditer(text))):
            start, end = (place.column + at for at in match.span(pattern.groups))
            yield Edit(Range(place.line, start, place.line, end), wanted)


def use_edit(text: str, line: str) -> Edit:
    """A new `use` line of a text: behind the last one, or before all else."""
    after = 0
    for piece in pieces(text):
        words = [word for word in lex(piece.text) if word.type != "COMMENT"] if "use" in piece.text else []
        if words and words[0].type == "USE":
            after = piece.line + (words[-1].end_line or 1)
    lines = text.split("\n")
    if after < len(lines):
        return Edit(Range(after, 0, after, 0), f"{line}\n" if after else f"{line}\n\n")
    last, end = len(lines) - 1, len(lines[-1])
    return Edit(Range(last, end, last, end), f"\n{line}")


def _for_warning(analysis: Analysis, found: Found) -> Iterator[Fix]:
    """A comment that silences a warning; no comment where it silences nothing."""
    place, code = found.range, found.diagnostic.code
    text = analysis.lines[place.line]
    if found.diagnostic.number == USELESS_COMMENT.number:
        start = len(text[: place.column].rstrip())
        yield Fix("Delete the comment", (Edit(Range(place.line, start, place.line, place.end_column), ""),), True)
    elif "#" not in text and '"""' not in text:
        end = len(text.rstrip())
        yield Fix(f"Silence {code} here", (Edit(Range(place.line, end, place.line, len(text)), f"  # ok: {code}"),))
