"""The parser: what texts become, where things stand, and that no text whatsoever breaks it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from recurrency.errors import Source, SpecError, UsageError
from recurrency.language import syntax
from recurrency.language.reading.parser import MAX_MISTAKES, MAX_TEXT, parse_file
from recurrency.language.sources import read_source
from recurrency.language.words import MAX_WORDS, grammar
from tests.support.language_page import PAGE, PIECES, plain, spoilt_specs
from tests.support.work import SECOND, at_most


def parse(text: str) -> syntax.File:
    return parse_file(Source("test.rnn", text))


def expression(text: str) -> syntax.Expression:
    """The syntax of one expression."""
    statement = parse(plain(f"a = {text}")).cells[0].body[2]
    assert isinstance(statement, syntax.Equation)
    return statement.value


def numbers(text: str) -> list[int]:
    """The numbers of the diagnostics of a text."""
    with pytest.raises(SpecError) as caught:
        parse(text)
    return [d.number for d in caught.value.diagnostics]


def shape_of(text: str) -> str:
    """An expression with brackets around every operation."""

    def show(e: object) -> str:
        match e:
            case syntax.Number(value=value):
                return repr(value)
            case syntax.Name(name=name):
                return name
            case syntax.Unary(op=op, operand=operand):
                return f"({op} {show(operand)})"
            case syntax.Binary(op=op, left=left, right=right):
                return f"({show(left)} {op} {show(right)})"
            case syntax.Conditional(then=then, condition=condition, otherwise=otherwise):
                return f"({show(then)} if {show(condition)} else {show(otherwise)})"
        return type(e).__name__

    return show(expression(text))


# ------------------------------------------------------------------------------------------------------------ syntax


@pytest.mark.parametrize("name", PAGE)
def test_the_specs_of_the_page_are_read(name: str) -> None:
    file = parse(PAGE[name])
    assert [cell.name for cell in file.cells] == [name]
    assert file.cells[0].doc


def test_the_shipped_specs_are_read() -> None:
    specs = sorted((Path(__file__).parents[2] / "specs").glob("*.rnn"))
    assert specs
    for path in specs:
        assert parse_file(read_source(path)).cells, path


def test_a_header_tells_dimensions_ports_clocks_and_defaults() -> None:
    cell = parse(PAGE["Translate"]).cells[0]
    assert [(d.name, getattr(d.default, "value", None)) for d in cell.dimensions] == [
        ("V", None),
        ("K", None),
        ("N", 256),
        ("H", 512),
        ("L", 2),
    ]
    assert [(p.name, type(p.type).__name__, p.clock) for p in cell.inputs] == [
        ("src", "IndexType", "s"),
        ("tgt", "IndexType", None),
    ]


def test_ports_share_a_type() -> None:
    cell = parse("cell A[N](a, b: [N], c: [2 * N] over s) -> (y: []) {}").cells[0]
    assert [(p.name, p.clock) for p in cell.inputs] == [("a", None), ("b", None), ("c", "s")]
    assert cell.inputs[0].type == cell.inputs[1].type


@pytest.mark.parametrize(
    ("text", "names", "path"),
    [
        ('use "lstm.rnn"', [], "lstm.rnn"),
        ('use LSTM, GRU from "cells.rnn"', ["LSTM", "GRU"], "cells.rnn"),
        ("use LSTM from library", ["LSTM"], None),
        ("use library", [], None),
    ],
)
def test_use_names_cells_and_their_file(text: str, names: list[str], path: str | None) -> None:
    (use,) = parse(text).uses
    assert ([n.name for n in use.names], use.path) == (names, path)


def test_a_state_has_either_a_value_or_a_draw() -> None:
    body = parse(plain("state c : [H] ~ zeros", "state d[1..2], e : [] = 0.5")).cells[0].body
    drawn, given_ = body[2], body[3]
    assert isinstance(drawn, syntax.State)
    assert isinstance(given_, syntax.State)
    assert (drawn.first, drawn.initialiser is None) == (None, False)
    assert (given_.first is None, given_.initialiser) == (False, None)
    assert isinstance(given_.targets[0].indices[0], syntax.Range)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a + b * c", "(a + (b * c))"),
        ("a - b - c", "((a - b) - c)"),
        ("a @ b * c / d", "(((a @ b) * c) / d)"),
        ("-a ** b ** c", "(- (a ** (b ** c)))"),
        ("a ** -b", "(a ** (- b))"),
        ("-a * b", "((- a) * b)"),
        ("a if b else c if d else e", "(a if b else (c if d else e))"),
        ("not a == b and c or d", "(((not (a == b)) and c) or d)"),
        ("a < b + 1", "(a < (b + 1))"),
        ("a ⊙ σ", "(a * sigmoid)"),
        ("1e-4 * 2.5 + 3 - .5 + 1.", "((((0.0001 * 2.5) + 3) - 0.5) + 1.0)"),
    ],
)
def test_precedences_are_those_of_python(text: str, expected: str) -> None:
    assert shape_of(text) == expected


def test_postfix_signs_follow_one_another() -> None:
    step = expression("enc[l].h[t-1]")
    assert isinstance(step, syntax.Subscript)
    assert isinstance(step.value, syntax.Attribute)
    handed = expression("LSTM[H, squash = relu](x, per = sequence) from (h = last(a), c = b)")
    assert isinstance(handed, syntax.From)
    assert isinstance(handed.call, syntax.Call)
    assert [k.name for k in handed.first] == ["h", "c"]
    assert [k.name for k in handed.call.keywords] == ["per"]
    assert isinstance(handed.call.callee, syntax.Subscript)
    assert [k.name for k in handed.call.callee.keywords] == ["squash"]


def test_a_comprehension_may_have_several_clauses() -> None:
    call = expression("sum(a[i, j] for i in 1..L for j in 1..i-1 if i != j)")
    assert isinstance(call, syntax.Call)
    (inner,) = call.arguments
    assert isinstance(inner, syntax.Comprehension)
    assert [(c.index, c.condition is None) for c in inner.clauses] == [("i", True), ("j", False)]


def test_new_lines_carry_no_meaning_inside_a_statement() -> None:
    assert parse(plain("a = x +", "  x")) == parse(plain("a = x", "  + x")) == parse(plain("a =", "x + x"))


def test_names_in_compatible_spellings_are_one() -> None:
    assert expression("h₁ + ĥ") == expression("h1 + h\u0302")


def test_a_docstring_loses_its_indentation() -> None:
    text = 'cell A(x: []) -> (y: []) {\n    """One.\n\n    Two.  \n      Three.\n    """\n}\n'
    assert parse(text).cells[0].doc == "One.\n\nTwo.\n  Three."


def test_an_empty_text_has_no_cells() -> None:
    assert parse("") == parse("# nothing\n") == syntax.File(Source("", ""), (), (), ())


# ------------------------------------------------------------------------------------------------------------- spans


def test_spans_lie_under_the_exact_piece() -> None:
    value = expression("f(x)  * (a + W[1][t-1]) + sum(b for j in 1..L)")
    assert isinstance(value, syntax.Binary)
    assert isinstance(value.left, syntax.Binary)
    assert value.span.text == "f(x)  * (a + W[1][t-1]) + sum(b for j in 1..L)"
    assert value.left.span.text == "f(x)  * (a + W[1][t-1])"
    assert value.left.left.span.text == "f(x)"
    assert value.left.right.span.text == "a + W[1][t-1]"
    assert (value.left.right.span.line, value.left.right.span.column) == (4, 18)


def test_each_name_of_a_declaration_has_its_own_span() -> None:
    param = parse(PAGE["LSTM"]).cells[0].body[0]
    assert isinstance(param, syntax.Param)
    assert [t.span.text for t in param.targets] == ["W_i", "W_f", "W_g", "W_o"]
    assert param.shape.span.text == "[H, N]"
    assert param.initialiser.span.text == "glorot_uniform"


def test_spans_do_not_matter_to_equality() -> None:
    assert parse(PAGE["LSTM"]) == parse("\n\n" + PAGE["LSTM"].replace(" + ", "  +  "))


# ---------------------------------------------------------------------------------------------------------- mistakes


def test_independent_mistakes_are_told_together() -> None:
    text = plain("a = W x", "b = x +", "c = (x))", "d = x", "for j in N { e[j] = x }") + plain("f = x; y = x")
    assert numbers(text) == [4, 2, 6, 18, 1]


def test_mistakes_of_reading_and_of_writing_are_told_together_in_order() -> None:
    assert numbers(plain("t = x", "a = W x", "b = f(k = 1, k = 2)")) == [14, 4, 15]


def test_a_mistake_in_a_header_leaves_the_body_to_be_read() -> None:
    assert numbers(plain("a = W x").replace("->", "")) == [8, 4]


def test_not_more_than_a_page_of_mistakes_is_told() -> None:
    assert len(numbers(plain(*["a = x b = x"] * 100))) == MAX_MISTAKES


def test_a_file_is_read_as_utf_8_with_any_line_ends(tmp_path: Path) -> None:
    path = tmp_path / "a.rnn"
    path.write_bytes(b"\xef\xbb\xbf" + plain("ω = x").replace("\n", "\r\n").encode())
    assert parse_file(read_source(path)) == parse(plain("ω = x"))
    assert read_source(path).name == str(path)


def test_a_file_that_cannot_be_read_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot read"):
        read_source(tmp_path / "missing.rnn")


def test_the_grammar_is_read_once() -> None:
    assert grammar() is grammar()


# ----------------------------------------------------------------------------------------------------- hostile texts


def survives(text: str) -> None:
    """Parsing gives a file or a `SpecError` that can be printed, within about a second."""
    told, shown = None, ""
    with at_most(SECOND):
        try:
            parse(text)
        except SpecError as error:
            told, shown = error, str(error)
    assert told is None or (told.diagnostics and shown)


FUZZ = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@FUZZ
@given(spoilt_specs())
def test_a_spoilt_spec_gives_nothing_but_diagnostics(text: str) -> None:
    survives(text)


@FUZZ
@given(st.lists(st.sampled_from(PIECES), max_size=60))
def test_shuffled_words_give_nothing_but_diagnostics(pieces: list[str]) -> None:
    survives(" ".join(pieces))


@FUZZ
@given(st.text(max_size=100))
def test_random_text_gives_nothing_but_diagnostics(text: str) -> None:
    survives(text)


HEAD = "cell A(x: []) -> (y: []) {\n"


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("(" * 15_000, id="brackets"),
        pytest.param(HEAD + "y = " + "(" * 9_000 + "x" + ")" * 9_000 + "}", id="bracketed"),
        pytest.param(HEAD + "y = " + "x + " * 9_000 + "x}", id="sum"),
        pytest.param(HEAD + "y = " + "-" * 15_000 + "x}", id="signs"),
        pytest.param(HEAD + "for j in 1..2 {\n" * 2_000 + "}\n" * 2_001, id="loops"),
        pytest.param(HEAD + "a = x x\n" * 4_000 + "}", id="mistakes"),
        pytest.param("a = x +\n" * 4_000, id="half lines"),
        pytest.param("cell\n" * 15_000, id="cells"),
        pytest.param("{" * 15_000, id="braces"),
        pytest.param(("a" + "[" * 70 + "\n") * 250, id="subscripts"),
        pytest.param(";\n" * 15_000, id="strays"),
        pytest.param('"' * 900_000, id="quotes"),
        pytest.param("a" * 900_000, id="name"),
        pytest.param("1" * 900_000, id="number"),
        pytest.param("a" + "\u0301" * 500_000, id="accents"),
        pytest.param("\n" * MAX_TEXT, id="lines"),
        pytest.param(" " * (MAX_TEXT + 1), id="too long"),
        pytest.param("".join(PAGE.values()) * 30, id="many cells"),
        pytest.param("# a\n" * 25_000 + HEAD + "}", id="comments"),
    ],
)
def test_a_huge_or_hostile_text_is_answered_in_time(text: str) -> None:
    survives(text)


def test_what_follows_many_comments_is_not_passed_over() -> None:
    with pytest.raises(SpecError, match="the text is too long"):
        parse_file(Source("a.rnn", "# a\n" * MAX_WORDS + "cell"))
