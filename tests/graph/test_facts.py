"""Nothing but the tables knows operations by name: passes and backends ask for traits."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from recurrency.graph.op import Op, Trait
from recurrency.graph.ops import OPS

ROOT = Path(__file__).resolve().parents[2]

NAMES = {
    "recurrency/passes/rewriting.py": "`made_by` is the one place where passes compare names, for those of EQUATIONS",
    "backends/python/labels.py": "a printer: the names of variables in generated code",
    "backends/numpy/memory.py": "the helpers of this backend that need an array of their own",
    "backends/torch/fusions.py": "a backend's table of patterns, which name the operations that PyTorch has fused",
}
"""Modules that may compare the name of an operation, and why."""

EQUATIONS = {
    "recurrency/passes/rules/": "each rule is an equation between operations, which its docstring states",
    "recurrency/passes/reassociate.py": "(U h + W x) + b = (b + W x) + U h",
    "recurrency/passes/pack.py": "W x and V x are the halves of [W; V] x",
    "recurrency/passes/loss_lines.py": "a mean is a sum / max(count, 1), as the language writes it",
    "recurrency/passes/convexity.py": "-a and b - a are concave where a is convex; a^n is convex where n is even",
    "recurrency/passes/chunks.py": "the sum of a mean stands below its division",
    "recurrency/training/tasks/comparisons.py": "cross entropies and squared errors, as the language writes them",
}
"""Modules that look for an operation with `made_by`, and the equation that they apply."""


TRAITS = {name: trait for name, trait in vars(Trait).items() if name.isupper()}


@cache
def modules() -> tuple[tuple[str, ast.AST], ...]:
    """Each module by its path, with its syntax tree."""
    paths = sorted(path for top in ("recurrency", "backends") for path in (ROOT / top).rglob("*.py"))
    return tuple((path.relative_to(ROOT).as_posix(), ast.parse(path.read_text(encoding="utf-8"))) for path in paths)


def is_name_of_op(node: ast.AST) -> bool:
    """Whether an expression is `node.op.name` or `op.name`."""
    if not isinstance(node, ast.Attribute) or node.attr != "name":
        return False
    owner = node.value
    return (isinstance(owner, ast.Attribute) and owner.attr == "op") or (
        isinstance(owner, ast.Name) and owner.id == "op"
    )


def comparisons(module: ast.AST) -> Iterator[int]:
    """The lines in which the name of an operation, or a variable that holds one, is compared."""
    for function in ast.walk(module):
        if isinstance(function, ast.FunctionDef | ast.Lambda | ast.Module):
            assigned = (n for n in ast.walk(function) if isinstance(n, ast.Assign) and is_name_of_op(n.value))
            known = {target.id for n in assigned for target in n.targets if isinstance(target, ast.Name)}
            for node in ast.walk(function):
                if isinstance(node, ast.Compare):
                    sides = (node.left, *node.comparators)
                    if any(is_name_of_op(s) or (isinstance(s, ast.Name) and s.id in known) for s in sides):
                        yield node.lineno


def searches(module: ast.AST) -> Iterator[int]:
    """The lines in which an operation is looked for with `made_by`."""
    for node in ast.walk(module):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "made_by":
            yield node.lineno


def test_no_operation_is_asked_for_by_name() -> None:
    found = [f"{path}:{line}" for path, module in modules() if path not in NAMES for line in set(comparisons(module))]
    assert not found, "ask for a trait (recurrency/graph/op.py): " + " ".join(found)


def test_only_equations_look_for_operations() -> None:
    allowed = tuple(EQUATIONS)
    found = [f"{path}:{n}" for path, module in modules() if not path.startswith(allowed) for n in searches(module)]
    assert not found, "ask for a trait (recurrency/graph/op.py): " + " ".join(found)


def test_each_exception_is_needed() -> None:
    compare = {path for path, module in modules() if any(comparisons(module))}
    search = {path for path, module in modules() if any(searches(module))}
    assert not set(NAMES) - compare
    assert all(any(path.startswith(start) for path in search) for start in EQUATIONS)


def test_each_trait_is_asked_for_and_true_of_an_operation() -> None:
    text = "".join(
        path.read_text(encoding="utf-8")
        for top in ("recurrency", "backends")
        for path in (ROOT / top).rglob("*.py")
        if "graph/ops" not in path.as_posix()
    )
    for name, trait in TRAITS.items():
        assert any(trait in op.traits for op in OPS.values()), trait
        assert f"Trait.{name}" in text, trait


@pytest.mark.parametrize("op", OPS.values(), ids=str)
def test_traits_fit_together(op: Op) -> None:
    has = op.traits.__contains__
    assert not has(Trait.SAME) or has(Trait.VIEW)
    assert not has(Trait.DELAYS) or (has(Trait.VIEW) and has(Trait.LOOPS))
    assert not has(Trait.TILES) or has(Trait.JOINS)
    assert not has(Trait.CLIPS) or has(Trait.SILENT)
    assert not has(Trait.MASK) or has(Trait.BOUNDED)
    assert has(Trait.NAMED) == any(map(has, (Trait.INPUT, Trait.PARAMETER, Trait.FIRST)))
    assert not has(Trait.COMMUTATIVE) or op.arity == 2
    assert all(position < (op.arity or 0) for position in (*op.linear_in, *op.in_place))
