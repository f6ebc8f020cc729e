"""Whatever text comes in is answered with a checked spec or with diagnostics, and soon."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import recurrency as rc
from recurrency.errors import SpecError, UsageError
from recurrency.graph.verify import verify
from recurrency.language.vocabulary.table import FUNCTIONS
from recurrency.language.words import lex
from tests.support.work import SECOND, at_most

SPECS = [p.read_text(encoding="utf-8") for p in sorted((Path(__file__).parents[2] / "specs").glob("*.rnn"))]
MALFORMED = [
    p.read_text(encoding="utf-8") for p in sorted((Path(__file__).parents[1] / "malformed").glob("0[2-5]*.rnn"))
]
TEXTS = [text for text in SPECS + MALFORMED if len(text) < 3000]
WORDS = [
    *("x h c N H L W t x[t-1] h[t+2] [H] [N, H] 0 1 3 0.5 -1 100000 1..3 for if else and not".split()),
    *("== ( ) [ ] , @ * + - / ** = ~ : @ . init(h) last(x) fwd.h LSTM[H](x) LSTM from loss state param const".split()),
    *FUNCTIONS,
    *("for i in 1..3 { a[i] = x }", "if 1 == 2 else", "fn f(a) = f(a)", "use LSTM from library", "σ", "a[i]"),
]
OPERATORS = {"PLUS", "MINUS", "STAR", "SLASH", "POWER", "AT"}
FAST = settings(
    max_examples=250, derandomize=True, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow]
)


def answered(text: str) -> None:
    """Check a text; nothing but a mistake of the user's may come out, told once, and within a second."""
    caught: SpecError | UsageError | None = None
    with at_most(SECOND):
        try:
            spec = rc.parse(text)
            spec.check()
            verify(spec.graph(**{d.name: 4 for d in spec.cell.dimensions if d.default is None}))
        except (SpecError, UsageError) as error:
            caught = error
    if isinstance(caught, SpecError):
        found = [(d.number, d.span, d.title) for d in caught.diagnostics]
        assert found
        assert len(set(found)) == len(found)
    assert caught is None or str(caught)


@st.composite
def mutated(draw: st.DrawFn) -> str:
    """A spec with some words deleted, doubled, renamed, or replaced by others, most often by some of their sort."""
    text = draw(st.sampled_from(TEXTS))
    for _ in range(draw(st.integers(1, 4))):
        words = [(w.start_pos or 0, w.end_pos or 0, w.type) for w in lex(text)]
        if not words:
            return text
        start, end, sort = draw(st.sampled_from(words))
        alike = [text[a:b] for a, b, s in words if s == sort or {s, sort} <= OPERATORS]
        new = draw(st.sampled_from(alike if draw(st.integers(0, 3)) else WORDS))
        kind = draw(st.sampled_from(["replace", "replace", "rename", "delete", "double"]))
        if kind == "rename":
            old = text[start:end]
            text = "".join(new if w == old else w for w in re.split(rf"({re.escape(old)})", text))
        else:
            put = {"delete": "", "double": f"{text[start:end]} {text[start:end]}"}.get(kind, new)
            text = text[:start] + put + text[end:]
    return text


LEAVES = [*"abxyhW", "a[t-1]", "b[t-1]", "h[t-1]", "y[t+1]", "1", "0.5", "N", "f[1]", "f[2]", "u.y", "g(x)"]
CALLS = [
    *("tanh({})", "sum({})", "last({})", "({} + {})", "W @ {}", "concat({}, {})", "-{}", "reverse({})", "Inner({})"),
    *(
        "max({}, {})",
        "where({}, {}, {})",
        "dot({}, {})",
        "outer({}, {})",
        "softmax({})",
        "g({})",
        "diag({})",
        "init({})",
    ),
    *("mean({} for i in 1..2)", "({} if N == {} else {})", "dropout({}, 0.5)", "slice({}, 1, {})", "({} * {})"),
]
LINES = ["loss sum(y)", "loss sum(last(h))", "state b : [N] ~ ones", "a = x", "const x : [N] = 2", "fn f(a) = a"]
TREES = st.recursive(
    st.sampled_from(LEAVES),
    lambda inner: st.builds(lambda call, v: call.format(*v), st.sampled_from(CALLS), st.tuples(inner, inner, inner)),
    max_leaves=6,
)


@st.composite
def composed(draw: st.DrawFn) -> str:
    """A cell of random equations over a few names."""
    lines = [f"{n} = {draw(TREES)}" for n in ("a", "b", "y", "f[1]", "f[2]", "h") if draw(st.integers(0, 30))]
    lines += ["param W : [N, N] ~ zeros", "state h : [N] = 0", "fn g(z) = z * x", "u = Inner(x)"]
    lines += draw(st.lists(st.sampled_from(LINES), unique=True, max_size=2))
    body = "\n    ".join(draw(st.permutations(lines)))
    inner = "cell Inner[N](x: [N]) -> (y: [N]) {\n    state s : [N] = 0\n    s = s[t-1] + x\n    y = s\n}\n"
    return f"{inner}cell Outer[N](x: [N]) -> (y: [N]) {{\n    {body}\n}}\n"


@pytest.mark.parametrize(
    "body",
    [
        "(x: [q]) -> (y: [N]) { y = x }",
        "(x: [N]) -> (y: [q]) { y = x }",
        "(x: [N]) -> (y: [N]) { param W : [q, N] ~ zeros\n y = x }",
        "(x: [N]) -> (y: [N]) { state h : [q] = 0\n h = h[t-1]\n y = x }",
        "(x: [N]) -> (y: [N]) { const A : [q] = 1\n y = x }",
        "(x: [N]) -> (y: [N]) { fn f(a) = q(a)\n y = f(x) }",
        "(x: [N]) -> (y: [N]) { y = q(x) }",
        "(x: [N]) -> (y: [N]) { y = x\n loss q(x) }",
        "(x: [N]) -> (y: [N]) { for i in 1..q { a[i] = x }\n y = x }",
        "(x: [N]) -> (y: [N]) { y = q[N](x) from (h = x) }",
    ],
)
def test_what_may_be_in_a_file_that_is_not_there_is_not_reported_but_refused(body: str) -> None:
    with pytest.raises(SpecError) as caught:
        rc.parse(f'use "absent.rnn"\ncell C[N]{body}').check()
    assert [d.number for d in caught.value.diagnostics] == [36]


@FAST
@given(mutated())
def test_a_mutated_spec_is_answered(text: str) -> None:
    answered(text)


@FAST
@given(composed())
def test_a_cell_of_random_equations_is_answered(text: str) -> None:
    answered(text)


@settings(FAST, max_examples=40)
@given(st.lists(st.sampled_from([*WORDS, "\n", "cell", "{", "}", "->", "\x00", '"', '"""', "²"]), max_size=60))
def test_a_heap_of_words_is_answered(words: list[str]) -> None:
    answered(" ".join(words))
