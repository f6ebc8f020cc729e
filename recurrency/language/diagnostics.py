"""Every diagnostic of the language: a number that never changes its meaning, what it is about, and why."""

from __future__ import annotations

from dataclasses import dataclass

from recurrency.errors import Diagnostic, Span


@dataclass(frozen=True)
class Row:
    """One kind of mistake: the heading and the sentence or two that the documentation prints about it."""

    title: str
    explanation: str


SYNTAX: dict[int, Row] = {
    1: Row(
        "unexpected character",
        "A character that means nothing in a spec, such as `;` or a superscript. Names consist of letters of any "
        "alphabet, digits and underscores; `σ` is read as `sigmoid` and `⊙` as `*`.",
    ),
    2: Row(
        "unexpected word or sign",
        "At this place the grammar allows something else. The message lists what could have stood there.",
    ),
    3: Row(
        "bracket never closed",
        "The text, the cell or the equation ends before a bracket that it opened is closed.",
    ),
    4: Row(
        "no operator between two values",
        "There is no product by juxtaposition: write `W @ x` for a product of matrices and vectors, `w * x` for one "
        "element by element. A sign that was forgotten looks the same.",
    ),
    5: Row(
        "two statements on one line",
        "Each statement starts on a line of its own, because a second one on the same line is, more often than not, "
        "the second half of an equation that lost an operator.",
    ),
    6: Row(
        "closing bracket without its opening one",
        "A bracket is closed that was never opened, or that was opened with another sign.",
    ),
    7: Row(
        "quotation marks never closed",
        'A docstring ends with `"""`, and the path after `use` with `"` on the same line.',
    ),
    8: Row(
        "malformed header of a cell",
        "A cell starts with `cell Name[N, H](x: [N]) -> (h: [H]) {`: what is fixed when the spec is compiled in square "
        "brackets (they may be missing), inputs and outputs with their shapes in round ones.",
    ),
    9: Row(
        "= and == confused",
        "`=` defines a stream, hands over a keyword or gives a default; `==` asks whether two numbers are equal.",
    ),
    10: Row(
        "text is not UTF-8",
        "Specs are read as UTF-8. Save the file in this encoding.",
    ),
    11: Row(
        "nested too deeply",
        "Expressions and loops may be nested 100 deep; a chain such as `a + b + c` counts one for each sign. Give a "
        "part of the expression a name of its own.",
    ),
    12: Row(
        "text too long",
        "A spec is a page or two. The length of a file, and of a single name, is bounded so that whatever is handed "
        "in is answered at once.",
    ),
    13: Row(
        "number out of range",
        "Whole numbers may have 15 digits; others must be finite in double precision.",
    ),
    14: Row(
        "reserved word used as a name",
        "Some words cannot be the name of a stream, parameter, dimension or cell, because they mean something else in "
        "a spec: those of the grammar, the time `t`, and `init`, `σ`, `index` and `library`.",
    ),
    15: Row(
        "given twice",
        "The same keyword or name stands twice between one pair of brackets or in one declaration.",
    ),
    16: Row(
        "incomplete declaration",
        "A parameter needs a shape and `~` with a draw of its first value; a state a shape and `= value` or `~ draw`; "
        "a constant a shape and `= value`.",
    ),
    17: Row(
        "position after keyword",
        "Arguments that are told by their place come before those that are told by name.",
    ),
    18: Row(
        "malformed range or loop",
        "A loop is written `for j in 1..L`: a range has two dots and both ends, and both are included.",
    ),
    19: Row(
        "comparisons do not chain",
        "`a < b < c` would compare the outcome of `a < b`, which is 0 or 1, with `c`. Write `a < b and b < c`.",
    ),
}

TABLE: dict[int, Row] = {**SYNTAX}


def say(
    number: int,
    title: str,
    span: Span | None,
    label: str = "",
    notes: tuple[str, ...] = (),
    help: str | None = None,
) -> Diagnostic:
    """A diagnostic whose number stands in the table; an unknown number is a mistake of the caller (`KeyError`)."""
    if number not in TABLE:
        raise KeyError(f"diagnostic {number} is not in the table")
    return Diagnostic(number, title, span, label, notes, help)
