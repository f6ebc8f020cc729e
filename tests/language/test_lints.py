"""Warnings of `check`: none is false, each can be silenced, and nothing but `check` pays for them."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import recurrency as rc
from recurrency.errors import Diagnostic
from recurrency.language.diagnostics import LINTS, TABLE
from recurrency.language.elaboration.elaborate import Elaborated, check
from recurrency.language.writing.format import format_file
from recurrency.testing.specs.sources import Dice
from recurrency.testing.specs.strategy import written

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = sorted((ROOT / "specs").glob("*.rnn"))
UNREAD = """cell Unread[N](x: [N], z: [N]) -> (y: [N]) {{{}
    param b : [N] ~ zeros{}
    y = x
}}
"""


def numbers(text: str) -> list[int]:
    return [w.number for w in rc.parse(text).lint()]


def reached(found: Elaborated, name: str) -> bool:
    """Whether a stream or parameter of the graph leads to an output or the loss."""
    roots = [id for root, id in found.graph.roots.items() if root == "loss" or root.startswith("output:")]
    needed = found.graph.needed(roots)
    return any(
        found.graph[id].attrs.get("name") == name for id in needed if found.graph[id].op.name in {"param", "input"}
    )


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_no_shipped_spec_is_warned_of(path: Path) -> None:
    assert rc.load(path).lint() == ()


def test_no_spec_of_the_documentation_is_warned_of() -> None:
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
    texts = [text for page in pages for text in re.findall(r"```rnn \S+\n(.*?)```", page.read_text(), re.DOTALL)]
    assert len(texts) > 10
    for text in texts:
        if 'use "' not in text:
            assert rc.parse(text).lint() == (), text


def test_what_is_said_to_be_unread_reaches_no_output_and_no_loss() -> None:
    """On random specs: a name is warned of only if the graph agrees, and a parameter that the graph leaves out is."""
    said = missing = 0
    for seed in range(60):
        spec = rc.parse(written(Dice(seed)).text)
        for definition in spec.definition.module.own.values():
            found = check(definition)
            warned = {
                (w.number, w.span.text.split(":")[0].strip())
                for w in spec.lint()
                if w.span and _within(w, definition.cell)
            }
            for number, name in warned:
                if number in (101, 102) and name.isidentifier():
                    assert not reached(found, name), (seed, name, spec.source.text)
                    said += 1
            words = set(re.findall(r"\w+", definition.cell.span.text))
            others = {*definition.module.cells, *definition.module.functions} - {definition.cell.name}
            family = re.search(r"\w\[\d", definition.cell.span.text)
            partly = family or words & {"if", "for", "fn", *others}  # a part of such a definition may be left out
            if definition.cell is not spec.cell and re.search(r"[^\W\d]\.[^\W\d]", spec.source.text):
                continue  # another cell may read any of its streams
            for name in found.parameters:
                if not partly and "[" not in name and not reached(found, name):
                    assert (101, name) in warned, (seed, name, spec.source.text)
                    missing += 1
    assert min(said, missing) >= 5


def _within(warning: Diagnostic, cell: object) -> bool:
    span = getattr(cell, "span", None)
    return warning.span is not None and span is not None and span.start <= warning.span.start < span.end


@pytest.mark.parametrize(
    ("header", "statement", "told"),
    [
        ("", "", [102, 101]),
        ("  # ok: RNN102", "", [101]),
        ("  # ok: RNN102", "  # ok: RNN101", []),
        ("  # ok: RNN102\n    # ok: RNN101 - for later", "", []),
        ("  # ok: RNN102, RNN101", "  # ok: RNN101", [111]),
        ("", "  # ok: RNN103", [102, 101, 111]),
        ("", "  # RNN101 is ok", [102, 101]),
        ("  # ok: rnn102", "  #ok:RNN101", []),
    ],
)
def test_a_comment_silences_a_warning_where_it_stands(header: str, statement: str, told: list[int]) -> None:
    text = UNREAD.format(header, statement)
    assert numbers(text) == told
    assert numbers(format_file(text, "unread.rnn")) == told


def test_a_use_of_a_cell_with_a_loss_is_read() -> None:
    text = """cell Cost[N](x: [N]) -> (y: [N]) {
    y = x
    loss l2(y)
}
cell User[N](x: [N]) -> (z: [N]) {
    part = Cost(x)
    z = x
}
"""
    assert numbers(text) == []
    assert numbers(text.replace("    loss l2(y)\n", "")) == [103]


@pytest.mark.parametrize(
    ("reader", "told"),
    [("u.h[t-1]", []), ("u[t-1]", []), ("last(Still(x) from (h = first(x)))", []), ("u", [105])],
)
def test_a_past_that_another_cell_reads_is_read(reader: str, told: list[int]) -> None:
    text = f"""cell Still[N](x: [N]) -> (h: [N]) {{
    state h : [N] = 1
    h = tanh(x)
}}
cell Outer[N](x: [N]) -> (y: [N]) {{
    u = Still(x)
    y = u + {reader}
}}
"""
    assert numbers(text) == told


def test_strict_takes_warnings_for_mistakes(tmp_path: Path) -> None:
    path = tmp_path / "unread.rnn"
    path.write_text(UNREAD.format("", ""))

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([sys.executable, "-m", "recurrency", "check", *arguments], capture_output=True, text=True)

    plain, strict = run(str(path)), run("--strict", str(path))
    assert (plain.returncode, strict.returncode) == (0, 1)
    assert plain.stderr.count("warning[RNN1") == strict.stderr.count("error[RNN1") == 2
    assert "2 warnings" in plain.stderr
    assert "2 mistakes" in strict.stderr
    assert "well-formed" in plain.stdout
    assert "well-formed" not in strict.stdout


def test_only_lint_pays_for_warnings() -> None:
    lints = "recurrency.language.linting.lints"
    code = f"import sys, recurrency as rc; rc.library.LSTM.check(); print({lints!r} in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_numbers_of_warnings_stand_apart() -> None:
    assert [number for number in TABLE if number > 100] == list(LINTS)


@pytest.mark.parametrize(("read", "told"), [("u.half", []), ("u", [103])])
def test_a_stream_that_another_cell_reads_is_read(read: str, told: list[int]) -> None:
    text = f"""cell Inner[N](x: [N]) -> (h: [N]) {{
    half = x / 2
    h = tanh(x)
}}
cell Outer[N](x: [N]) -> (y: [N]) {{
    u = Inner(x)
    y = {read}
}}
"""
    assert numbers(text) == told
