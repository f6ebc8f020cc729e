"""The corpus of malformed specs: each file provokes the diagnostics that stand beside it, word for word."""

from __future__ import annotations

import ast
import importlib
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import TypeGuard

import pytest

import recurrency
from docs import tables
from recurrency.errors import SpecError, render
from recurrency.language.diagnostics import LINTS, SYNTAX, TABLE
from recurrency.language.reading.parser import parse_file
from recurrency.language.sources import read_source

CORPUS = sorted((Path(__file__).parents[1] / "malformed").glob("*.rnn"))


def spec_module() -> ModuleType | None:
    try:
        return importlib.import_module("recurrency.model.spec")
    except ModuleNotFoundError as error:
        if error.name is None or not error.name.startswith("recurrency"):
            raise
        return None


def all_diagnostics(path: Path) -> str:
    """The messages about a file: of the parser, without errors those of the check, and then of the lints."""
    try:
        parse_file(read_source(path))
        spec = spec_module()
        if spec is None:
            pytest.skip(f"{path.name} passes the parser, and recurrency.model.spec cannot be imported")
        loaded = spec.load(path)
        loaded.check()
    except SpecError as error:
        return str(error).replace(str(path), path.name) + "\n"
    return "\n\n".join(render(w) for w in loaded.lint()).replace(str(path), path.name) + "\n"


@pytest.mark.parametrize("path", CORPUS, ids=lambda path: path.stem)
def test_a_malformed_spec_is_told_in_the_expected_words(path: Path, golden: Callable[[Path, str], None]) -> None:
    told = all_diagnostics(path)
    kind = "warning" if int(path.stem[:3]) in LINTS else "error"
    assert f"{kind}[RNN{path.stem[:3]}]" in told, f"{path.name} does not provoke its number"
    golden(path.with_suffix(".txt"), told)


@pytest.mark.parametrize("number", sorted(TABLE))
def test_every_number_has_a_file_that_provokes_it(number: int) -> None:
    assert any(path.stem.startswith(f"{number:03d}_") for path in CORPUS)


def test_every_number_has_one_name_a_heading_and_an_explanation() -> None:
    explained = list(tables.explained())
    assert [code.number for code, _ in explained] == sorted(TABLE)
    assert all(code.title and text.endswith(".") for code, text in explained)
    assert set(SYNTAX) <= set(TABLE)


def test_diagnostics_are_given_by_name() -> None:
    """A bare number would say nothing to a reader, and may stand in no table."""
    root = Path(recurrency.__file__).parent
    bare = [
        f"{path.relative_to(root)}:{node.lineno}"
        for path in root.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if is_bare(node)
    ]
    assert not bare, bare


def is_bare(node: ast.AST) -> TypeGuard[ast.expr]:
    """Whether a call passes a number as a diagnostic, or a comparison asks for one."""
    match node:
        case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name), args=[ast.Constant(value=int()), *_]):
            return name.lstrip("_") in {"say", "problem", "fail", "Diagnostic"}
        case ast.Compare(left=ast.Attribute(value=ast.Name(id="diagnostic" | "mistake" | "warning"), attr="number")):
            return any(isinstance(part, ast.Constant) for right in node.comparators for part in ast.walk(right))
    return False
