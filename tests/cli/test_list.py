"""`recurrency list`: the shipped cells by family, with what one is chosen by."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest

from recurrency import library, parse
from recurrency.cli.listing import laid_out
from recurrency.inspection import catalogue, summary
from recurrency.language.elaboration.elaborate import check
from recurrency.passes.recurrence import recurrences
from tests.support.calling import Run
from tests.transcriptions import CASES, Case

COUPLED = """\
cell Coupled[N, H, S = 2](x: [N]) -> (y: [H + S]) {
    param W : [2 * H, N] ~ zeros
    param U : [H, H]     ~ zeros
    param V : [S, N]     ~ zeros
    param b : []         ~ zeros

    state h[1..2] : [H] = 0
    state s       : [S] = 0

    h[1] = tanh(U @ h[1][t-1] + split(W @ x, 2, 1) + b)
    h[2] = h[1] * h[2][t-1]
    s    = 0.5 * s[t-1] + V @ x
    y    = concat(h[2], s)
}
"""


@pytest.fixture(scope="module")
def found() -> list[catalogue.Family]:
    return catalogue.families()


def kind_of(text: str) -> str:
    return summary.kinds_text(recurrences(check(parse(text).definition).graph))


# -------------------------------------------------------------------------------------------------------------- facts


def test_a_formula_has_high_powers_first_then_the_order_of_the_header() -> None:
    found = check(parse(COUPLED).definition)
    assert summary.formula(summary.parameters(found), ["N", "H", "S"]) == "2 H N + N S + H^2 + 1"
    assert summary.formula(summary.parameters(found), ["H", "N", "S"]) == "H^2 + 2 H N + N S + 1"
    assert summary.formula(12) == "12"


def test_a_formula_may_subtract() -> None:
    found = check(parse("cell A[H](x: [H]) -> (y: [H]) { param U : [H - 1] ~ zeros\n y = sum(U) * x }").definition)
    assert summary.formula(summary.parameters(found)) == "H - 1"


def test_several_kinds_of_recurrence_are_told_with_their_states() -> None:
    assert kind_of(COUPLED) == "diagonal affine: s, h; full: h"


def test_a_cell_without_states_has_no_recurrence() -> None:
    assert kind_of("cell A[H](x: [H]) -> (y: [H]) { y = tanh(x) }") == "none"


@pytest.mark.parametrize("case", [case for case in CASES if case.cell in library.names()], ids=str)
def test_a_formula_counts_the_parameters(case: Case, found: list[catalogue.Family]) -> None:
    cell = next(cell for family in found for cell in family.cells if cell.name == case.cell)
    fixed = {name: value for name, value in cell.dimensions.items() if value and not value.isidentifier()}
    given = {name: value for name, value in case.dimensions.items() if name not in {*fixed, *cell.numbers}}
    model = library.spec(case.cell).elaborate(**given, **cell.numbers)
    numbers = {name: size for name, size in model.dimensions.items() if isinstance(size, int)}
    terms = cell.parameters.replace(" + ", "+").replace(" ", "*").replace("^", "**")
    assert eval(terms, {}, numbers) == summary.parameters(model)


# --------------------------------------------------------------------------------------------------------------- list


def test_list_has_every_shipped_cell_once(run: Run) -> None:
    shown = run("list")
    first_words = [line.split()[0] for line in shown.out.splitlines() if line.startswith("  ") and line[2] != " "]
    assert sorted(first_words) == sorted(["Cell", *library.names()])


def test_list_tells_dimensions_parameters_recurrence_and_source(run: Run) -> None:
    lines = run("list", "lstm.rnn").out.splitlines()
    at = next(number for number, line in enumerate(lines) if line.startswith("  LSTM "))
    assert [part.strip() for part in lines[at].split("  ") if part.strip()] == [
        "LSTM",
        "[N, H]",
        "4 H N + 4 H^2 + 7 H",
        "full",
    ]
    assert lines[at + 1].strip() == library.spec("LSTM").doc


@pytest.mark.parametrize("width", [60, 80, 100, 120])
def test_no_line_is_wider_than_the_terminal(width: int, found: list[catalogue.Family]) -> None:
    import click

    assert all(len(click.unstyle(line)) <= width for line in laid_out(found, width))


def test_list_fits_a_hundred_columns_where_there_is_no_terminal(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    assert max(map(len, run("list").out.splitlines())) <= 100


def test_folding_breaks_a_formula_between_its_terms_only() -> None:
    entry = catalogue.Entry("A", "", {"N": None, "bias": "0.0", "rate": "0.95"}, "28 H N + 24 H^2 + 33 H", (), {})
    lines = laid_out([catalogue.Family("a.rnn", "", (replace(entry, name="B" * 26), entry))], 60)
    at = next(number for number, line in enumerate(lines) if line.startswith("  A "))
    terms = [re.split(r" {2,}", line)[-2 if number == at else -1].strip() for number, line in enumerate(lines[at:], at)]
    assert terms == ["28 H N", "+ 24 H^2", "+ 33 H"]


def test_list_shows_a_family_with_all_of_its_prose(run: Run) -> None:
    text = " ".join(run("list", "lstm.rnn").out.split())
    (family,) = catalogue.families(["lstm.rnn"])
    assert family.prose in text
    assert family.prose not in " ".join(run("list").out.split())


def test_a_word_chooses_by_name_source_and_kind(run: Run) -> None:
    names = {cell.name for family in catalogue.families(["LSTM"]) for cell in family.cells}
    assert {"LSTM", "CIFG", "LSTMP", "Tagger"} <= names
    assert "GRU" not in names
    affine = {cell.name for family in catalogue.families(["affine"]) for cell in family.cells}
    assert {"QRNN", "LRU"} <= affine
    assert not affine & {"SRU", "LSTM"}
    assert "Cho et al. 2014" in run("list", "cho et al.").out


def test_of_several_words_a_cell_has_all(run: Run) -> None:
    both = {cell.name for family in catalogue.families(["gru", "affine"]) for cell in family.cells}
    assert both == {"GRUD", "MinGRU"}
    shown = run("list", "gru", "affine", "reset", "jordan")
    assert shown.code == 1
    assert "'gru', 'affine', 'reset', 'jordan'" in shown.err


@pytest.mark.parametrize(("word", "near"), [("lsmt", "lstm"), ("PlainLTSM", "plainlstm"), ("zoneuot", "zoneout")])
def test_a_misspelt_word_is_met_with_the_nearest(run: Run, word: str, near: str) -> None:
    shown = run("list", "gru", word)
    assert (shown.code, shown.out) == (1, "")
    assert f"did you mean {near}?" in shown.err


def test_list_as_json_has_everything(run: Run) -> None:
    families = json.loads(run("list", "--json").out)
    cells = {cell["name"]: (family, cell) for family in families for cell in family["cells"]}
    assert list(cells) == library.names()
    family, cell = cells["Elman"]
    assert (family["family"], family["file"]) == ("simple", "simple.rnn")
    assert cell["dimensions"] == {"N": None, "H": None, "squash": "tanh"}
    assert cell["parameters"] == "H N + H^2 + H"
    assert cell["recurrences"] == [{"kind": "full", "states": ["h"], "clock": "t", "direction": 1}]
    assert cells["Linear"][1]["recurrences"] == []


def test_a_dimension_that_decides_how_much_there_is_is_named_with_its_number() -> None:
    text = "cell A[H, L](x: [H]) -> (y: [H]) { param b[1..L] : [H] ~ zeros\n y = x + sum(b[l] for l in 1..L) }"
    entry = catalogue.entry(parse(text).definition)
    assert (entry.parameters, entry.numbers) == ("3 H", {"L": 3})
    (row,) = [line for line in laid_out([catalogue.Family("a.rnn", "", (entry,))], 100) if line.startswith("  A ")]
    assert "3 H with L=3" in row
