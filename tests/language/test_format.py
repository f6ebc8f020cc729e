"""The formatter: its layout, that it keeps every word and comment, and that its work is done after one pass."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings

from recurrency.errors import Source, SpecError
from recurrency.language.reading.parser import parse_file
from recurrency.language.words import lex
from recurrency.language.writing.format import format_file
from tests.support.language_page import PAGE, plain, relaid_specs, spoilt_specs

UNTIDY = '''\
# top
use   LSTM,GRU   from library
fn f( x,y )=x*- y+(x- 1) ** 2   # tail


cell   X[N,H=3,squash=σ] ( x:[N],  w:index[V] over s,a,b:[2*N] )->( h:[H] )
{   # note
  """ Two "rows"
  of text.
     indented
  """
  param W:[H,N]~normal( 0,0.01 )   # one
  param Vxx, U[1..L-1,2] : [H,2*N] ~zeros # two

  state h[1..L]:[H]=0
  # a comment
  for j in 1..L-1 { g[j]=x if j==1 else h[j-1][t-1] }
  for j in 1..2*L - 1 {

     g[j]=x⊙y



     below[j] = x

  }
  zz=foo(a,
     b,  # why
       c) + tanh(
     x,
     -y
  )
  +3
  y = Linear[2 * H](x) + concat(h[2*j - 1] for j in 1..L if not j==2)
  p = enc[1].h[t-1]    # what
  quite_long_name_here = 3 # that
}
cell Y(x:[])->(y:[]){ y = x }
'''

TIDY = '''\
# top
use LSTM, GRU from library
fn f(x, y) = x * -y + (x - 1) ** 2  # tail

cell X[N, H = 3, squash = σ](x: [N], w: index[V] over s, a, b: [2 * N]) -> (h: [H]) {  # note
    """Two "rows"
    of text.
       indented
    """
    param W                 : [H, N]     ~ normal(0, 0.01)  # one
    param Vxx, U[1..L-1, 2] : [H, 2 * N] ~ zeros            # two

    state h[1..L] : [H] = 0
    # a comment
    for j in 1..L-1 { g[j] = x if j == 1 else h[j-1][t-1] }
    for j in 1..2*L-1 {
        g[j] = x ⊙ y

        below[j] = x
    }
    zz = foo(a,
             b,  # why
             c) + tanh(
                 x,
                 -y
             )
         + 3
    y = Linear[2 * H](x) + concat(h[2*j-1] for j in 1..L if not j == 2)
    p = enc[1].h[t-1]         # what
    quite_long_name_here = 3  # that
}

cell Y(x: []) -> (y: []) { y = x }
'''


def parse(text: str) -> object:
    return parse_file(Source("test.rnn", text))


def body(*lines: str) -> list[str]:
    """The formatted lines between the declarations and the last equation of a small cell."""
    return [line[4:] for line in format_file(plain("", *lines, ""), "test.rnn").split("\n")[4:-4]]


def keeps_its_promises(text: str) -> str:
    """The meaning and the words stay, and a second pass changes nothing. Returns the layout."""
    tidy = format_file(text, "test.rnn")
    assert parse(tidy) == parse(text)
    assert format_file(tidy, "test.rnn") == tidy
    words, tidied = ([w for w in lex(t) if w.type != "DOC"] for t in (text, tidy))
    assert [w.rstrip() for w in words] == [w.rstrip() for w in tidied]
    assert all(row == row.rstrip() for row in tidy.split("\n"))
    return tidy


def test_an_untidy_spec_is_laid_out() -> None:
    assert format_file(UNTIDY, "test.rnn") == TIDY
    keeps_its_promises(UNTIDY)


@pytest.mark.parametrize("name", PAGE)
def test_the_specs_of_the_page_keep_their_meaning(name: str) -> None:
    keeps_its_promises(PAGE[name])


@pytest.mark.parametrize("name", ["Translate", "FirstElement"])
def test_the_layout_is_that_of_the_page(name: str) -> None:
    assert format_file(PAGE[name], "test.rnn") == PAGE[name]


def test_the_shipped_specs_keep_their_meaning_and_are_laid_out() -> None:
    for path in sorted((Path(__file__).parents[2] / "specs").glob("*.rnn")):
        text = path.read_text(encoding="utf-8")
        assert keeps_its_promises(text) == text, path.name


def test_neighbouring_declarations_and_equations_are_aligned() -> None:
    lines = ["param A, B:[H,N]~zeros", "state c:[H]=0", "", "gate=x", "y=gate"]
    assert body(*lines) == [
        "param A, B : [H, N] ~ zeros",
        "state c    : [H]    = 0",
        "",
        "gate = x",
        "y    = gate",
    ]


def test_equations_of_very_different_widths_are_left_alone() -> None:
    lines = ["y = x", "a_name_of_many_words = x"]
    assert body(*lines) == lines


def test_an_equation_goes_on_below_its_right_hand_side_or_its_bracket() -> None:
    lines = ["dec = LSTM[H](x)", "from (h = last(enc.h),", "c = last(enc.c))"]
    assert body(*lines) == [
        "dec = LSTM[H](x)",
        "      from (h = last(enc.h),",
        "            c = last(enc.c))",
    ]


def test_signs_stay_as_they_are_spelt() -> None:
    assert body("a = σ(x) ⊙ x", "b = sigmoid(x) * x") == ["a = σ(x) ⊙ x", "b = sigmoid(x) * x"]


def test_a_docstring_that_ends_with_a_quotation_mark_stays_one() -> None:
    keeps_its_promises('cell A(x: []) -> (y: []) {\n"""Say "yes" """\ny = x }\n')
    keeps_its_promises('cell A(x: []) -> (y: []) {\n""""""\ny = x }\n')


@pytest.mark.parametrize("text", ["", "\n\n", "# only a comment"])
def test_a_text_without_cells_is_laid_out(text: str) -> None:
    keeps_its_promises(text)


def test_a_text_that_cannot_be_parsed_is_refused() -> None:
    with pytest.raises(SpecError, match=r"mine\.rnn"):
        format_file("cell", "mine.rnn")


@settings(max_examples=150, deadline=None)
@given(relaid_specs())
def test_any_layout_becomes_canonical_and_keeps_its_meaning(text: str) -> None:
    keeps_its_promises(text)


@settings(max_examples=100, deadline=None)
@given(spoilt_specs())
def test_whatever_can_be_parsed_can_be_laid_out(text: str) -> None:
    try:
        parse(text)
    except SpecError:
        return
    keeps_its_promises(text)
