"""Every diagnostic of the language: its name here, its number (which never changes its meaning), and what it is about.

The sentences under a name are what docs/diagnostics.md prints about it.
"""

from __future__ import annotations

from dataclasses import dataclass

from recurrency.errors import Diagnostic, Span


@dataclass(frozen=True)
class Code:
    """The code of a mistake or of a warning; `title` is its heading in the documentation."""

    number: int
    title: str


# ------------------------------------------------------------------------------------------------------------- syntax

UNEXPECTED_CHARACTER = Code(1, "unexpected character")
"""A character that the language does not use, such as `;` or a superscript. Names consist of letters of any alphabet,
digits and underscores; `σ` is read as `sigmoid` and `⊙` as `*`."""
UNEXPECTED_WORD = Code(2, "unexpected word or sign")
"""The grammar does not allow this word or sign here. The message lists what it does allow."""
UNCLOSED_BRACKET = Code(3, "bracket never closed")
"""The text, the cell or the equation ends before a bracket that it opened is closed."""
MISSING_OPERATOR = Code(4, "no operator between two values")
"""Values side by side are not multiplied: write `W @ x` for a product of matrices and vectors, `w * x` for an
element-wise one. A forgotten sign gives the same message."""
TWO_STATEMENTS = Code(5, "two statements on one line")
"""Each statement starts on its own line. A second one on the same line is usually the second half of an equation that
lacks an operator."""
STRAY_BRACKET = Code(6, "closing bracket without its opening one")
"""A closing bracket has no opening one, or one of another sort."""
UNCLOSED_QUOTES = Code(7, "quotation marks never closed")
'''A docstring ends with `"""`, and the path after `use` ends with `"` on the same line.'''
MALFORMED_HEADER = Code(8, "malformed header of a cell")
"""A cell starts with `cell Name[N, H](x: [N]) -> (h: [H]) {`. Square brackets, which may be left out,
hold what is fixed at compilation; round brackets hold the inputs and the outputs, each with its shape."""
CONFUSED_EQUALS = Code(9, "= and == confused")
"""`=` defines a stream, passes a keyword argument or gives a default; `==` compares two numbers."""
NOT_UTF8 = Code(10, "text is not UTF-8")
"""Specs are read as UTF-8. Save the file in this encoding."""
NESTED_TOO_DEEPLY = Code(11, "nested too deeply")
"""Expressions and loops may be nested 100 deep; in a chain such as `a + b + c` each sign counts as one level. Give a
name to a part of the expression."""
TEXT_TOO_LONG = Code(12, "text too long")
"""A spec is a page or two. The length of a file and of a name is bounded, so that any input is answered quickly."""
NUMBER_OUT_OF_RANGE = Code(13, "number out of range")
"""A whole number may have 15 digits; any other number must be finite in double precision."""
RESERVED_WORD = Code(14, "reserved word used as a name")
"""Words that have a meaning in a spec cannot name a stream, parameter, dimension or cell: the words of the grammar,
the time `t`, and `init`, `σ`, `index` and `library`."""
GIVEN_TWICE = Code(15, "given twice")
"""One pair of brackets, or one declaration, holds the same keyword or name twice."""
INCOMPLETE_DECLARATION = Code(16, "incomplete declaration")
"""A parameter needs a shape and `~` with an initialiser; a state and a constant need a shape and `= value` or
`~ initialiser`."""
POSITION_AFTER_KEYWORD = Code(17, "position after keyword")
"""Positional arguments come before keyword arguments."""
MALFORMED_LOOP = Code(18, "malformed range or loop")
"""A loop is written `for j in 1..L`. A range has two dots and both ends, which are included. The indices of a formula,
as in `matrix(i, j: i + j)`, are names."""
CHAINED_COMPARISON = Code(19, "comparisons do not chain")
"""`a < b < c` would compare the outcome of `a < b`, which is 0 or 1, with `c`. Write `a < b and b < c`."""

# ------------------------------------------------------------------------------------------------------------ meaning

UNKNOWN_NAME = Code(20, "unknown name")
"""Neither the cell, its file, the files that it uses nor the language defines this name."""
PRODUCT_MISMATCH = Code(21, "product of shapes that do not fit")
"""In `A @ b` the last dimension of A must be the first dimension of b. Dimensions with different names are different,
even if both get the same number."""
SHAPE_MISMATCH = Code(22, "shapes differ element by element")
"""`+ - * /`, comparisons and functions of several values work element by element: both sides have the same shape, or
one of them is a scalar. There is no other broadcasting."""
DECLARATION_MISMATCH = Code(23, "equation does not fit its declaration")
"""The equation of a state, an output or a constant gives another shape than its declaration."""
INSTANT_CYCLE = Code(24, "value needs itself at the same step")
"""A cycle of equations must pass through a delay such as `h[t-1]`. The message prints the cycle, name by name."""
DEFINED_TWICE = Code(25, "defined twice")
"""Each name has one definition: a spec is a set of equations, and no line replaces an earlier one."""
NEVER_DEFINED = Code(26, "declared but never defined")
"""Each state and each output needs an equation that gives its value."""
WRONG_ARGUMENTS = Code(27, "wrong arguments")
"""A function gets too many or too few arguments, an unknown keyword, or a value that it cannot use."""
CLOCK_MISMATCH = Code(28, "clocks do not mix")
"""Streams over different clocks can be combined only through `last`, `first`, sums over time, `attend` and
`window`."""
NOT_CALLABLE = Code(29, "not something that can be called")
"""Only functions, cells and instances of cells can be called."""
NO_SUCH_MEMBER = Code(30, "no such member of a family")
"""A family such as `W[1..L]` has the members that its declarations and loops define. A name that is not a family takes
no index other than a step."""
MALFORMED_STEP = Code(31, "step out of bounds or malformed")
"""A time index is `t`, `t-k` or `t+k`, where k is a whole number that is known at compilation, and it follows the name
of a stream. The left side of an equation has no time index: an equation holds at every step."""
NOT_STATIC = Code(32, "not known when the spec is compiled")
"""Loops, conditions, indices, dimensions and some arguments are fixed at compilation: they are computed from
dimensions, numbers and loop indices, not from streams."""
UNKNOWN_SHAPE = Code(33, "shape of a feedback can't be found")
"""A stream reads an earlier step of itself, and its shape depends on that step. Declare it as a state or an output."""
WRONG_INITIALISER = Code(34, "unknown or misused initialiser")
"""After `~` stands one of the initialisers of the language, with the arguments that it takes."""
INITIALISER_MISMATCH = Code(35, "initialiser does not fit the shape")
"""Some initialisers need a matrix, or a square one."""
NOT_FOUND = Code(36, "cell or file not found")
"""The cell or the file that `use` names does not exist."""
CIRCULAR_FILES = Code(37, "files use one another in a circle")
"""A file must not use itself, directly or through other files."""
PATH_OUTSIDE = Code(38, "path leaves the folder")
"""A spec may use only files in its folder and in the folders below it."""
TOO_LARGE = Code(39, "spec expands to too much")
"""Compilation writes out loops, families and sub-cells. The result is bounded, so that no spec exhausts the machine."""
RECURSION = Code(40, "cell contains itself")
"""A cell must not use itself, directly or through other cells: it would expand without end."""
WRONG_DIMENSIONS = Code(41, "dimensions of a cell are wrong")
"""Square brackets hold the dimensions, functions and cells of a header, in order or by name. Dimensions that appear in
the shapes of the inputs follow from the arguments and may be left out."""
INPUT_MISMATCH = Code(42, "argument does not fit the input of a cell")
"""The argument of a cell has another shape than its header declares for the input."""
WRONG_INITIAL_STATE = Code(43, "wrong initial state")
"""`from` gives initial values to states of the cell, by name and in the shapes of the states."""
WRONG_LOSS = Code(44, "loss is not a number")
"""A `loss` line gives one number for each step, for each sequence, or for the whole batch."""
SYMBOLS_AS_NUMBERS = Code(45, "symbols and numbers mixed up")
"""An `index[V]` stream holds symbols: it can be delayed, embedded, converted to one-hot vectors or be the target of a
loss, but there is no arithmetic on it."""
MALFORMED_DIMENSION = Code(46, "malformed dimension")
"""A dimension is a whole number of at least 1, or an expression of dimensions. Fractions such as `H / 2` are exact, and
must be whole once the numbers are known."""
NOT_CAUSAL = Code(47, "not causal")
"""A value depends on both an earlier and a later step of itself, so that no order of the steps computes it."""
WHOLE_STREAM_CYCLE = Code(48, "whole stream needed inside its own recurrence")
"""`last`, `reverse`, sums over time and the like need all steps of a stream, so that the stream cannot depend on their
result."""
INPUT_REDEFINED = Code(49, "input redefined")
"""The caller gives the value of an input; no equation, parameter or state may have its name."""
NO_FINITE_VALUE = Code(50, "arithmetic that has no value")
"""A number that is computed at compilation would be infinite, undefined or too large."""
NO_SUCH_STREAM = Code(52, "no such stream in a sub-cell")
"""After the point stands the name of a stream of the sub-cell."""
NO_SUCH_CELL = Code(53, "no such cell")
"""The file defines no cell, or none of this name."""
STREAM_NEEDED = Code(54, "stream needed")
"""`last`, `first`, `reverse`, the sums over time and the like take a stream; a parameter or a constant has no steps."""
NOT_A_VALUE = Code(55, "not a value")
"""A cell, a function or a family stands where a value is needed. Call the cell or the function; choose a member of the
family."""
WRONG_CLAUSE = Code(56, "wrong clause behind a use")
"""`reset` and `when` follow the use of a cell. Behind them stands one number for each step, over the clock of the
cell."""
ACROSS_CLAUSES = Code(57, "value across resets or gaps")
"""A cell that is used with `reset` begins again within a sequence, and one with `when` stands still at some steps. A
value of the whole sequence, or of a later step, would read across them."""
AXIS_MISMATCH = Code(58, "axes that do not fit")
"""`axis = k` names an axis, from 1 on. In the text of `einsum` each operand has a letter for each of its axes, and a
letter is the same dimension everywhere. `reshape` keeps the number of elements."""
SINGULAR_MATRIX = Code(59, "singular matrix")
"""`inverse` and `solve` need a matrix that has an inverse, with a condition number of at most 1e15."""
WRONG_DERIVATIVE = Code(60, "derivative that does not fit its function")
"""After `derivative` stands one expression for each parameter of the function, in the same order, in the shape of the
value or as a number. Such a function depends on its arguments alone: not on other names of the cell, nor on other
steps."""
WRONG_PAST = Code(61, "wrong past of a use")
"""Behind the use of a cell, `with (h = below)` names states of the cell, each with a value of the same shape, which its
equations read as `h[t-1]`. No equation of the cell may read the state at another step."""

# ----------------------------------------------------------------------------------------------------------- warnings

UNREAD_PARAMETER = Code(101, "parameter that nothing reads")
"""No output and no loss depends on it: its gradient is always zero. The same holds for a constant."""
UNREAD_INPUT = Code(102, "input that nothing reads")
"""No output and no loss depends on it, yet every caller must pass it."""
UNREAD_EQUATION = Code(103, "equation that nothing reads")
"""No output and no loss depends on it. Compilation leaves it out, unless a caller asks for the stream. The same holds
for a function that nothing calls."""
UNREAD_STATE = Code(104, "state that nothing reads")
"""No output and no loss depends on it. A state that only itself reads is one of these."""
UNREAD_PAST = Code(105, "state whose past nothing reads")
"""It is declared as a state, but no `h[t-1]` reads it: it is not recurrent. A stream needs no declaration."""
UNREACHED_OUTPUT = Code(106, "output that no input reaches")
"""Its values do not depend on any input."""
SINGLE_DRAW = Code(107, "one draw for all elements")
"""`noise(0, s)` is one number for each step, which all elements of a vector share. `noise(x, s)` draws one for each
element of x."""
BATCH_IN_SHAPE = Code(108, "steps or batch in a shape")
"""A shape is that of one step of one sequence: time and batch are never written. This input has dimensions that are
named like them."""
UNREAD_ENTRY = Code(109, "entry of the header that nothing reads")
"""The square brackets declare a dimension, a function or a cell, and nothing in the cell mentions it."""
UNUSED_CELL = Code(110, "cell that nothing uses")
"""A `use` line names a cell of the library, and nothing in the text mentions it."""
USELESS_COMMENT = Code(111, "comment that silences nothing")
"""A comment such as `# ok: RNN103` names a warning that this line does not cause, or no longer causes."""

TABLE = {code.number: code for code in list(globals().values()) if isinstance(code, Code)}
SYNTAX, MEANING, LINTS = range(1, 20), range(20, 62), range(101, 112)
"""The numbers of mistakes of writing, of mistakes of meaning, and of warnings: what is allowed, but hardly meant."""


def say(
    code: Code, title: str, span: Span | None, label: str = "", notes: tuple[str, ...] = (), help: str | None = None
) -> Diagnostic:
    """A diagnostic with this code; see `Diagnostic` for what the texts say."""
    return Diagnostic(code.number, title, span, label, notes, help)


def brief(text: str) -> str:
    """A piece of source as a message quotes it: on one line, 40 characters at most."""
    text = " ".join(text.split())
    return text if len(text) <= 40 else text[:37] + "..."
