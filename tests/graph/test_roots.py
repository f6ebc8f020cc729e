"""The names of roots are built and read by their groups, in one module."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from recurrency.graph import roots
from recurrency.graph.roots import ADJOINT, FINAL, GRADIENT, OUTPUT, START, Group, in_any

ROOT = Path(__file__).resolve().parents[2]
GROUPS = [group.prefix for group in vars(roots).values() if isinstance(group, Group)]
NAME = re.compile(rf"(?:{'|'.join(sorted(set(GROUPS) - {'input:', 'param:', 'loss:'}))})\S*")
HOLDS_ROOT = re.compile(r"root|seed|r|key")
PARTS = ("split", "partition", "rpartition")

EXCEPTIONS = {
    "recurrency/graph/roots.py": "the groups",
    "recurrency/pictures/": "nodes of a drawing, which are no roots of a graph",
    "backends/torch/runtime/": "its text becomes part of generated modules, which need nothing of this package",
    "backends/cupy/runtime/": "its text becomes part of generated modules, which need nothing of this package",
}
"""Where names of roots may be written out, and why. What generated modules say (texts of several lines) is not read."""


def written(module: ast.AST) -> Iterator[int]:
    """The lines that write the prefix of a group, or cut it off by its length or at its colon."""
    docs = {id(node.value) for node in ast.walk(module) if isinstance(node, ast.Expr)}
    for node in ast.walk(module):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs:
            if NAME.fullmatch(node.value):
                yield node.lineno
        elif isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Slice):
            known = isinstance(node.value, ast.Name) and HOLDS_ROOT.fullmatch(node.value.id)
            if known and isinstance(node.slice.lower, ast.Constant):
                yield node.lineno
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in PARTS:
            colon = node.args and isinstance(node.args[0], ast.Constant) and node.args[0].value == ":"
            if colon and (isinstance(node.func.value, ast.Name) or ast.unparse(node.func.value).endswith(".result")):
                yield node.lineno


def test_names_of_roots_are_written_in_one_place() -> None:
    found = []
    for path in sorted(path for top in ("recurrency", "backends") for path in (ROOT / top).rglob("*.py")):
        name = path.relative_to(ROOT).as_posix()
        if not name.startswith(tuple(EXCEPTIONS)):
            found += [f"{name}:{line}" for line in written(ast.parse(path.read_text(encoding="utf-8")))]
    assert not found, "use the groups of recurrency/graph/roots.py: " + " ".join(found)


def test_groups_nest() -> None:
    assert GRADIENT.of(START.of("h")) == GRADIENT.nested(START).of("h") == "gradient:start:h"
    assert FINAL.name(ADJOINT.name("d:final:h")) == "h"
    assert ADJOINT.nested(OUTPUT).has("d:output:y")
    assert not ADJOINT.nested(OUTPUT).has("d:final:y")


def test_a_group_knows_its_names() -> None:
    assert FINAL.within({"final:h": 1, "final:c": 2, "output:h": 3}) == {"h": 1, "c": 2}
    assert in_any("final:h", OUTPUT, FINAL)
    assert not in_any("loss", OUTPUT, FINAL)
