"""Random specs are valid by construction, reach everything that the language has, and shrink to short texts."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from functools import cache
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, find, given, settings

import recurrency as rc
from recurrency.graph.ops import OPS
from recurrency.graph.roots import FINAL, OUTPUT, STREAM, in_any
from recurrency.graph.verify import verify
from recurrency.language.vocabulary.initialisers import INITIALISERS
from recurrency.language.vocabulary.table import FUNCTIONS
from recurrency.language.writing.format import format_file
from recurrency.passes import PASSES, derivatives
from recurrency.testing.fuzz.checks import nodes
from recurrency.testing.specs.sources import Dice
from recurrency.testing.specs.strategy import Program, programs, written
from tests.support.usual import some

COUNT = 200
QUIET = settings(database=None, deadline=None, suppress_health_check=list(HealthCheck))
UNREACHED = {"if_length", "log1p", "opening", "pad", "place", "slide", "unframes", "unhistory", "unless_given"}
UNREACHED |= {"unopening", "valid"}
"""Operations that only gradients, or passes, are made of (the others have to stand in the graphs of the specs)."""

FEATURES = {
    "state with a number": r"state \w+ : \S.* = -?\d",
    "trained first value": r"state \w+ : .*~",
    "computed first value": r"state \w+ : \[.*\] = .*[a-zA-Z]",
    "scalar state": r"state \w+ : \[\]",
    "vector state": r"state \w+ : \[[^,\]]+\]",
    "matrix state": r"state \w+ : \[[^,\]]+,",
    "state with heads": r"state \w+ : \[[^,\]]+,[^,\]]+,",
    "input of three axes": r"x\d?: \[[^,\]]+,[^,\]]+,",
    "einsum of three": r'einsum\("\w+,\w+,\w+->',
    "einsum of one": r'einsum\("\w+->',
    "along an axis": r"(sum|max|softmax)\(.*, axis = \d\)",
    "pieces along an axis": r"(concat|split|slice)\(.*, axis = \d\)",
    "new shape": r"reshape\(.*, \[",
    "two axes exchanged": r"transpose\(.*, \d, \d\)",
    "row": r"\)\[1\]",
    "first value read": r"init\(",
    "first value read in its own equation": r"(?m)^    (h\d?) = .*init\(\1\)",
    "covariance": r"0\.5 \* \((m\d?) \+ transpose\(\1\)\)",
    "transpose of a product": r"transpose\([^()]* @ [^()]*\)",
    "transpose of a state": r"transpose\(C\d?\[t-1\]\)",
    "constant of matrices": r"const k\d? : \[.*\] = (transpose\()?outer\(concat",
    "identity of a state": r"state C\d? : .* = identity",
    "products put together": r"concat\((?:transpose\()?[^,]* @ [^,]*, ",
    "views of views": r"(slice\(slice|split\(split)\(",
    "static output": r"-> .*\b[qbk]\d?: ",
    "delay": r"\[t-1\]",
    "long delay": r"\[t-3\]",
    "delay longer than most sequences": r"\[t-(11|17)\]",
    "later step": r"\[t\+2\]",
    "step far ahead": r"\[t\+13\]",
    "backward recurrence": r"h = .*h\[t\+1\]",
    "undeclared feedback": r"f = -0.7 \* f\[t-1\]",
    "family": r"\w\[1\]",
    "loop": r"for j in 1\.\.",
    "loop over a dimension": r"for j in 1\.\.L",
    "comprehension": r"for i in 1\.\.",
    "nested comprehension": r"for i in 1\.\.\w for j in",
    "conditional": r" if .* else ",
    "use of a cell": r"= Part",
    "use inside an expression": r"\(Part",
    "use from the library": r"use \w+ from library",
    "use with first states": r"from \(",
    "use with another past": r" with \(\w+ = tanh",
    "use whose past is changed": r" with \(\w+ = 0\.9 \* \w+\.\w+\[t-1\]",
    "arguments by name": r"\(x = ",
    "dimensions by name": r"\[N = ",
    "stream inside of a use": r"\bu\d?\.\w",
    "instance": r"\br = (Part|Layer|GRU|LSTM|Elman|Linear)",
    "function in square brackets": r"squash = tanh",
    "number in square brackets": r"rate = 0.5",
    "cell in square brackets": r"Layer = ",
    "function of the file": r"^fn ",
    "function of a cell": r"^    fn ",
    "function that takes a function": r"twice\((tanh|sin|sigmoid|relu)",
    "function that reads other steps": r"change\(",
    "constant": r"const ",
    "another clock": r" over s",
    "symbols": r": index\[",
    "delayed symbols": r"\bw\d?\[t-",
    "output of symbols": r"-> .*index\[",
    "several outputs": r"-> \(\w+: [^)]*\w+: ",
    "sum of sizes": r"\[H \+ N|\[K \+ N",
    "per sequence": r"per = sequence",
    "loss": r"loss ",
    "loss of a sub-cell": r"(?s)loss .*cell Main",
    "@": "@",
    "**": r"\*\*",
    "⊙": "⊙",
    "σ": "σ",
    "==": "==",
    "!=": "!=",
    "<=": "<=",
    ">=": ">=",
    "and": " and ",
    "or": " or ",
    "not": "not ",
}
"""What a text has to match, some of the many."""


@cache
def drawn() -> tuple[Program, ...]:
    """Many programs, always the same ones."""
    return tuple(written(Dice(seed)) for seed in range(COUNT))


@cache
def specs() -> tuple[rc.Spec, ...]:
    """The spec of each of them."""
    return tuple(program.spec() for program in drawn())


@cache
def graphs() -> tuple[Any, ...]:
    """The graph of each of them."""
    return tuple(spec.graph(**program.dimensions) for spec, program in zip(specs(), drawn(), strict=True))


def test_each_is_valid_with_units_and_with_numbers() -> None:
    for spec, graph in zip(specs(), graphs(), strict=True):
        spec.check()
        verify(graph)


@settings(QUIET, max_examples=20)
@given(programs())
def test_each_that_hypothesis_draws_is_valid_as_well(program: Program) -> None:
    program.spec().check()
    verify(program.spec().graph(**program.dimensions))


def in_another_order(text: str, dice: Random) -> str:
    """The statements of each cell in another order; losses, which are counted, stay the last ones in theirs."""
    out: list[str] = []
    statements: list[str] = []
    for line in text.splitlines():
        if line == "}":
            losses = [own for own in statements if own.startswith("    loss ")]
            others = [own for own in statements if own not in losses]
            dice.shuffle(others)
            out += [*others, *losses]
            statements = []
        if not line.startswith("    "):
            out.append(line)
        elif statements and any(statements[-1].count(a) > statements[-1].count(b) for a, b in ("{}", "()", "[]")):
            statements[-1] += f"\n{line}"
        else:
            statements.append(line)
    return "\n".join(out)


def types(graph: Any) -> dict[str, Any]:
    """The types of outputs, streams and final states."""
    return {root: graph[id].type for root, id in graph.roots.items() if in_any(root, OUTPUT, STREAM, FINAL)}


@pytest.mark.parametrize(
    "seeds", [[186, 342, 1347], range(COUNT, COUNT + 20), pytest.param(range(500), marks=pytest.mark.long)]
)
def test_the_order_of_statements_changes_no_type(seeds: Sequence[int]) -> None:
    """The first seeds once gave an output with steps, or a mistake, in one order, and one value in another."""
    for seed in seeds:
        program = written(Dice(seed))
        other = rc.parse(in_another_order(program.text, Random(seed)))
        assert types(other.graph(**program.dimensions)) == types(program.spec().graph(**program.dimensions))


def test_each_is_formatted_once_and_for_all() -> None:
    for program, graph in list(zip(drawn(), graphs(), strict=True))[::2]:
        once = format_file(program.text, "random.rnn")
        assert format_file(once, "random.rnn") == once
        assert nodes(rc.parse(once).graph(**program.dimensions)) == nodes(graph)


@pytest.mark.parametrize("start", range(5))
def test_each_survives_all_passes_and_differentiation(start: int) -> None:
    for graph in graphs()[start::5][:12]:
        for step in PASSES.values():
            graph = step(graph)
            verify(graph)
        verify(derivatives.backward(graph.select([r for r in graph.roots if r.startswith(("output:", "final:"))])))


def test_each_compiles() -> None:
    for spec, program in list(zip(specs(), drawn(), strict=True))[::10]:
        model = spec.compile(**program.dimensions)
        assert model.programs.runner("forward", ())


def test_dimensions_are_small_and_mostly_different() -> None:
    sizes = [[n for n in program.dimensions.values() if isinstance(n, int)] for program in drawn()]
    assert {n for each in sizes for n in each} == {2, 3, 4, 5}
    assert sum(len(set(each)) == len(each) for each in sizes) > 0.8 * len(sizes)


# ----------------------------------------------------------------------------------------------------------- coverage


@pytest.mark.parametrize("feature", FEATURES)
def test_each_feature_of_the_language_appears(feature: str) -> None:
    pattern = re.compile(FEATURES[feature], re.MULTILINE)
    assert sum(bool(pattern.search(program.text)) for program in drawn()) >= 1


@pytest.mark.parametrize("name", FUNCTIONS)
def test_each_function_of_the_language_appears(name: str) -> None:
    assert any(f"{name}(" in program.text for program in drawn())


@pytest.mark.parametrize("name", sorted(set(OPS) - UNREACHED))
def test_each_operation_appears(name: str) -> None:
    assert any(graph[id].op.name == name for graph in graphs() for id in graph)


@pytest.mark.parametrize("name", INITIALISERS)
def test_each_initialiser_appears(name: str) -> None:
    assert any(re.search(rf"~ {name}\b", program.text) for program in drawn())


def test_most_have_states_and_many_can_be_stepped() -> None:
    counts: Counter[str] = Counter()
    for program, graph in zip(drawn(), graphs(), strict=True):
        counts["recurrent"] += any(graph[id].op.name == "shift" for id in graph)
        counts["loss"] += "loss" in graph.roots
        counts["one clock"] += " over " not in program.text
    assert counts["recurrent"] > 0.5 * len(drawn())
    assert counts["loss"] > 0.3 * len(drawn())
    assert counts["one clock"] > 0.4 * len(drawn())


# ---------------------------------------------------------------------------------------------------------- shrinking


def smallest(holds: Callable[[Program], bool]) -> str:
    """The text of the smallest program for which something holds."""
    return str(find(programs(), holds, settings=settings(QUIET, max_examples=300), random=Random(1)).text)


def test_the_simplest_choices_lead_to_one_equation() -> None:
    class Simplest(Dice):
        def number(self, below: int) -> int:
            return 0

    assert written(Simplest(0)).text == "cell Main[N](x: [N]) -> (y: [N]) {\n    y = x\n}\n"


@pytest.mark.parametrize("part", some(["state", "@", "dropout("], 3))
def test_a_feature_shrinks_to_a_few_lines(part: str) -> None:
    text = smallest(lambda program: part in program.text)
    assert part in text
    assert text.count("\n") <= 12, text
