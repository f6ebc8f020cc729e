"""Imports only go down, no modules import one another in a circle, and nothing imports a concrete backend by name."""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import networkx as nx

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = {
    "recurrency": ROOT / "recurrency",
    "recurrency.backends": ROOT / "backends",
    "recurrency.grammars": ROOT / "grammars",
    "recurrency.specs": ROOT / "specs",
}

LAYERS = """
recurrency.grammars recurrency.specs recurrency.errors recurrency.extras recurrency.version
recurrency.graph recurrency.disk
recurrency.passes recurrency.language
recurrency.program recurrency.pictures
recurrency.backend recurrency.equations
recurrency.model
recurrency.library recurrency.convert recurrency.testing recurrency.backends
recurrency.inspection recurrency.training
recurrency.comparing recurrency.editor recurrency.generating recurrency.notebook recurrency.optim
recurrency.predicting
recurrency recurrency.reproducing
recurrency.cli recurrency.sklearn
recurrency.__main__
"""
"""The lowest first. Packages of one layer don't import one another; `recurrency` alone is the package's `__init__`."""
LEVEL = {package: level for level, line in enumerate(LAYERS.strip().split("\n")) for package in line.split()}


@cache
def modules() -> dict[str, Path]:
    """Every module of the project by its installed name."""
    found: dict[str, Path] = {}
    for package, folder in FOLDERS.items():
        for path in sorted(folder.rglob("*.py")):
            name = ".".join((package, *path.relative_to(folder).with_suffix("").parts))
            found[name.removesuffix(".__init__")] = path
    return found


def package_of(module: str) -> str:
    """The entry of the table that a module belongs to."""
    while module not in LEVEL and "." in module:
        module = module.rpartition(".")[0]
    return module


def absolute(node: ast.ImportFrom, module: str, path: Path) -> str:
    """The module that an import names, where it is relative as well."""
    if not node.level:
        return str(node.module)
    above = module.split(".") if path.name == "__init__.py" else module.split(".")[:-1]
    return ".".join([*above[: len(above) - node.level + 1], *([node.module] if node.module else [])])


@cache
def imports() -> list[tuple[str, int, str]]:
    """All imports between modules of the project: who, in which line, whom; relative, late, type-only ones as well."""
    found = []
    for name, path in modules().items():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            for target in _targets(node, name, path):
                module = target if target in modules() else target.rpartition(".")[0]
                if module in modules() and module != name:
                    found.append((name, int(getattr(node, "lineno", 0)), module))
    return found


def _targets(node: ast.AST, name: str, path: Path) -> Iterator[str]:
    if isinstance(node, ast.ImportFrom):
        module = absolute(node, name, path)
        yield from (f"{module}.{alias.name}" for alias in node.names)
    elif isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)


def test_every_module_has_a_layer() -> None:
    strangers = [name for name in modules() if package_of(name) == "recurrency" and name != "recurrency"]
    assert not strangers, f"say in LAYERS where these belong: {strangers}"
    assert len(LAYERS.strip().split("\n")) <= 14


def test_imports_only_go_down() -> None:
    wrong = [
        f"{name}:{line} imports {target}"
        for name, line, target in imports()
        if package_of(name) != package_of(target) and LEVEL[package_of(target)] >= LEVEL[package_of(name)]
    ]
    assert not wrong, "\n".join(wrong)


def test_no_modules_import_one_another() -> None:
    graph = nx.DiGraph((name, target) for name, _, target in imports())
    circles = [" ".join(sorted(circle)) for circle in nx.strongly_connected_components(graph) if len(circle) > 1]
    assert not circles, "\n".join(circles)


def test_nothing_imports_a_concrete_backend_by_name() -> None:
    wrong = [
        f"{name}:{line} imports {target}"
        for name, line, target in imports()
        if package_of(target) == "recurrency.backends" and package_of(name) != "recurrency.backends"
    ]
    assert not wrong, "\n".join(wrong)


IMPORT = re.compile(r"\bfrom (recurrency(?:\.\w+)*) import (\w+)")
"""An import, in a program that a test or a page holds as text as well."""


def test_every_import_in_a_text_finds_what_it_names() -> None:
    places = [*(ROOT / "tests").rglob("*.py"), *(ROOT / "docs").rglob("*.md"), *ROOT.glob("*.md")]
    found = {(m[1], m[2]): path for path in places for m in IMPORT.finditer(path.read_text(encoding="utf-8"))}
    wrong = [
        f"{path.relative_to(ROOT)}: from {module} import {name}"
        for (module, name), path in found.items()
        if f"{module}.{name}" not in modules()
        and (module not in modules() or not hasattr(importlib.import_module(module), name))
    ]
    assert len(found) > 300
    assert not wrong, "\n".join(wrong)
