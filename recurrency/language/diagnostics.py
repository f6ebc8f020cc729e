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

MEANING: dict[int, Row] = {
    20: Row(
        "unknown name",
        "Neither this cell, its file, the files it uses nor the language defines the name.",
    ),
    21: Row(
        "product of shapes that do not fit",
        "In `A @ b` the last dimension of A and the first of b are the same unit. Two dimensions with "
        "different names differ, even where both are given the same number.",
    ),
    22: Row(
        "shapes differ element by element",
        "`+ - * /`, comparisons and functions of several values work element by element: both sides have one "
        "shape, or one of them is a scalar. Nothing else broadcasts.",
    ),
    23: Row(
        "equation does not fit its declaration",
        "A state, an output or a constant has the shape of its declaration; the equation gives another one.",
    ),
    24: Row(
        "value needs itself at the same step",
        "A cycle of equations must pass through a delay such as `h[t-1]`. The message prints the cycle, name by name.",
    ),
    25: Row(
        "defined twice",
        "Each name has one definition: a spec is a set of equations, so no later line replaces an earlier one.",
    ),
    26: Row(
        "declared but never defined",
        "A state needs an equation that says what it becomes, and an output one that says what it is.",
    ),
    27: Row(
        "wrong arguments",
        "A function got another number of arguments than it takes, an unknown keyword, or a value of a form "
        "that it cannot use.",
    ),
    28: Row(
        "clocks do not mix",
        "Streams that run over different clocks meet only through `last`, `first`, sums over time, `attend` and "
        "`window`.",
    ),
    29: Row(
        "not something that can be called",
        "Only functions, cells and instances of cells stand before round brackets.",
    ),
    30: Row(
        "no such member of a family",
        "A family such as `W[1..L]` has the members that its declarations and loops define. A name that is no "
        "family takes no index other than a step.",
    ),
    31: Row(
        "step out of bounds or malformed",
        "A time index is `t`, `t-k` or `t+k` with a whole number k that is known when the spec is compiled, "
        "on a stream that has a name. The left side of an equation has none: an equation holds at every step.",
    ),
    32: Row(
        "not known when the spec is compiled",
        "Loops, conditions, indices, dimensions and some arguments are fixed at compilation: they are made of "
        "dimensions, numbers and loop indices, not of streams.",
    ),
    33: Row(
        "shape of a feedback can't be found",
        "A stream that is read at an earlier step inside its own definition needs a shape that can be found "
        "without it: declare it as a state or an output.",
    ),
    34: Row(
        "unknown or misused initialiser",
        "After `~` stands one of the initialisers of the language, with the arguments that it takes.",
    ),
    35: Row(
        "initialiser does not fit the shape",
        "Some initialisers need a matrix, or a square one.",
    ),
    36: Row(
        "cell or file not found",
        "What `use` names does not exist.",
    ),
    37: Row(
        "files use one another in a circle",
        "`use` may not lead back to the file it started from.",
    ),
    38: Row(
        "path leaves the folder",
        "A spec may only use files in its own folder and below it.",
    ),
    39: Row(
        "spec expands to too much",
        "Loops, families and sub-cells are written out when a spec is compiled. The result is bounded, so "
        "that a spec cannot exhaust the machine.",
    ),
    40: Row(
        "cell contains itself",
        "A cell may not use itself, directly or through others: it would expand without end.",
    ),
    41: Row(
        "dimensions of a cell are wrong",
        "In square brackets stand the dimensions, functions and cells of a header, in order or by name. Those "
        "that appear in the shapes of the inputs follow from the arguments and may be left out.",
    ),
    42: Row(
        "argument does not fit the input of a cell",
        "What is handed to a cell has another shape than the header of the cell says.",
    ),
    43: Row(
        "wrong first state",
        "`from` hands first values to states of the cell, by their names and in their shapes.",
    ),
    44: Row(
        "loss is not a number",
        "A `loss` line gives one number for each step, for each sequence, or for the whole batch.",
    ),
    45: Row(
        "symbols and numbers mixed up",
        "An `index[V]` stream holds symbols: it can be delayed, embedded, turned into one-hot vectors or be "
        "the target of a loss, but there is no arithmetic on it.",
    ),
    46: Row(
        "malformed dimension",
        "A dimension is a whole number of at least 1, or an expression of dimensions. Parts such as `H / 2` are exact, "
        "and must be whole once the numbers are known.",
    ),
    47: Row(
        "not causal",
        "Within one recurrence a value depends on both an earlier and a later step of itself, so that no "
        "order of the steps computes it.",
    ),
    48: Row(
        "whole stream needed inside its own recurrence",
        "`last`, `reverse`, sums over time and the like need all steps; they can't feed back into what they "
        "are computed from.",
    ),
    49: Row(
        "input redefined",
        "An input is handed in at run time; no equation, parameter or state may have its name.",
    ),
    50: Row(
        "arithmetic that has no value",
        "A number that is computed at compilation would be infinite, undefined or beyond all bounds.",
    ),
    52: Row(
        "no such stream in a sub-cell",
        "After the point stands the name of a stream of the cell that is used.",
    ),
    53: Row(
        "no such cell",
        "The file holds no cell, or none of that name.",
    ),
    54: Row(
        "stream needed",
        "`last`, `first`, `reverse`, the sums over time and the like take a stream; a parameter or a constant "
        "has no steps.",
    ),
    55: Row(
        "not a value",
        "A cell, a function or a family stands where a value is needed. A cell is used by calling it.",
    ),
}

LINTS: dict[int, Row] = {
    101: Row(
        "parameter that nothing reads",
        "It leads to no output and no loss: its gradient is always zero. So it is with a constant that nothing reads.",
    ),
    102: Row(
        "input that nothing reads",
        "Whoever runs the cell has to hand in what makes no difference.",
    ),
    103: Row(
        "equation that nothing reads",
        "It leads to no output and no loss, and is left out when the spec is compiled, unless a caller asks for the "
        "stream. So it is with a function that nothing calls.",
    ),
    104: Row(
        "state that nothing reads",
        "It leads to no output and no loss. A state that only itself reads is one of these.",
    ),
    105: Row(
        "state whose past nothing reads",
        "It is declared as a state, but no `h[t-1]` reads it: nothing is recurrent. A stream needs no declaration.",
    ),
    106: Row(
        "output that no input reaches",
        "Its values do not depend on what is handed in.",
    ),
    107: Row(
        "one draw for all elements",
        "`noise(0, s)` is a number, whose one draw at each step counts for all elements of a vector. `noise(x, s)` "
        "draws for each element of x.",
    ),
    108: Row(
        "steps or batch in a shape",
        "A shape is that of one step of one sequence: time and batch are never written. The names of the dimensions of "
        "this input speak of them.",
    ),
    109: Row(
        "entry of the header that nothing reads",
        "A dimension, a function or a cell stands in the square brackets, and nothing in the cell mentions it.",
    ),
    110: Row(
        "cell that nothing uses",
        "A `use` line names a cell of the library, and nothing in the text mentions it.",
    ),
    111: Row(
        "comment that silences nothing",
        "What `# ok: RNN103` names is not, or no longer, told about this line.",
    ),
}
"""Warnings: what is allowed, but hardly meant."""

TABLE: dict[int, Row] = {**SYNTAX, **MEANING, **LINTS}


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
