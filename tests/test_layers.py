"""Imports only go down, and nothing imports a concrete backend by name."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = {
    "recurrency": ROOT / "recurrency",
    "recurrency.backends": ROOT / "backends",
    "recurrency.grammars": ROOT / "grammars",
    "recurrency.specs": ROOT / "specs",
}

LAYERS = """
recurrency.grammars recurrency.specs
recurrency
recurrency.errors recurrency.forks
recurrency.files recurrency.owned recurrency.plain recurrency.draws recurrency.initialisers
recurrency.plots recurrency.compiled recurrency.running
recurrency.records
recurrency.graph
recurrency.passes recurrency.language recurrency.lines
recurrency.program recurrency.derivatives recurrency.pictures recurrency.chunks
recurrency.interpreter recurrency.arrays recurrency.backend recurrency.passes.keep
recurrency.export recurrency.request
recurrency.results
recurrency.interface recurrency.graphs
recurrency.programs
recurrency.memory recurrency.chunk_obstacles
recurrency.budget
recurrency.checkpoint
recurrency.losses
recurrency.backends
recurrency.model
recurrency.spec
recurrency.facts
recurrency.library recurrency.report recurrency.probe recurrency.catalogue
recurrency.starting
recurrency.training recurrency.convert recurrency.testing
recurrency.comparing recurrency.generating
recurrency.cli
recurrency.reference
recurrency.__main__
"""
"""The lowest first. Pieces of one layer do not know one another; a package counts as one piece.

The package itself imports nothing at once: its names are found when they are first used. What to keep for the backward
pass is decided by what a program of it would cost, so that pass stands above the programs.
"""
LEVEL = {piece: level for level, line in enumerate(LAYERS.strip().split("\n")) for piece in line.split()}


def modules() -> dict[str, Path]:
    """Every module of the project by its installed name."""
    found: dict[str, Path] = {}
    for package, folder in FOLDERS.items():
        for path in sorted(folder.rglob("*.py")):
            name = ".".join((package, *path.relative_to(folder).with_suffix("").parts))
            found[name.removesuffix(".__init__")] = path
    return found


def piece(module: str) -> str:
    """The entry of the table that a module belongs to."""
    while module not in LEVEL and "." in module:
        module = module.rpartition(".")[0]
    return module


def imports(node: ast.AST) -> Iterator[tuple[int, str]]:
    """What a module imports while it runs, inside functions as well, with the line: not what types alone need."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.dump(child.test):
            continue
        if isinstance(child, ast.ImportFrom) and child.module:
            yield from ((child.lineno, f"{child.module}.{alias.name}") for alias in child.names)
        elif isinstance(child, ast.Import):
            yield from ((child.lineno, alias.name) for alias in child.names)
        yield from imports(child)


def own_imports() -> Iterator[tuple[str, int, str]]:
    """All imports from one module of the project to another: who, in which line, of which module."""
    known = modules()
    for name, path in known.items():
        for line, target in imports(ast.parse(path.read_text(encoding="utf-8"))):
            if target.split(".")[0] == "recurrency":
                yield name, line, target if target in known else target.rpartition(".")[0]


def test_every_module_has_a_layer() -> None:
    strangers = [name for name in modules() if piece(name) == "recurrency" and name != "recurrency"]
    assert not strangers, f"say in LAYERS where these belong: {strangers}"


def test_imports_only_go_down() -> None:
    wrong = [
        f"{name}:{line} imports {target}"
        for name, line, target in own_imports()
        if piece(name) != piece(target) and LEVEL[piece(target)] >= LEVEL[piece(name)]
    ]
    assert not wrong, "\n".join(wrong)


def test_nothing_imports_a_concrete_backend_by_name() -> None:
    wrong = [
        f"{name}:{line} imports {target}"
        for name, line, target in own_imports()
        if piece(target) in ("recurrency.backends", "recurrency.interpreter") and piece(name) != piece(target)
    ]
    assert not wrong, "\n".join(wrong)
