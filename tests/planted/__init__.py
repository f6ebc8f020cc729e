"""Mistakes that are planted into the compiler, to see them found: edits to its functions, tables and texts."""

from __future__ import annotations

import importlib
import inspect
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from types import FunctionType
from typing import Any

import pytest

from recurrency.graph.ops import OPS
from recurrency.testing import Case

SIZES = {"N": 2, "H": 3}
CASE = Case(SIZES, {"t": 4}, 2, {"t": (4, 2)}, seed=3)
FULL = Case(SIZES, {"t": 4}, 2, seed=3)
TRAINING = replace(FULL, training=True)
LARGE = replace(FULL, values="large")


@dataclass(frozen=True)
class Plant:
    """One mistake: `old` becomes `new` in the text of what stands at `where`; `said` is how it is to be named.

    `where` is a function (`module:function`, `module:Class.method`), whose code is compiled anew; what it gives, a text
    (`module:Class.method()`); an entry of a table of texts (`module:TABLE[key]`), or the gradient rule of an operation
    (`ops:tanh`), which `new` is then. `cell` is the body of a cell of `x: [N]` and `z: [H]` on which it shows, in a
    call of this `kind`.
    """

    name: str
    where: str
    old: str
    new: str
    cell: str
    said: str
    kind: str = "forward"
    case: Case = CASE
    backend: str = "numpy"
    head: str = "cell Main[N, H](x: [N], z: [H]) -> (y: [H])"

    @property
    def text(self) -> str:
        """The spec on which it shows."""
        return f"{self.head} {{\n{textwrap.indent(textwrap.dedent(self.cell).strip(), '    ')}\n}}\n"


@contextmanager
def planted(plant: Plant) -> Iterator[None]:
    """The compiler with the mistake in it."""
    with pytest.MonkeyPatch.context() as patch:
        module, _, place = plant.where.partition(":")
        if module == "ops":
            _rule(patch, place, plant.new)
        elif "[" in place:
            _entry(patch, module, place, plant)
        elif place.endswith("()"):
            _result(patch, module, place[:-2], plant)
        else:
            _code(patch, module, place, plant)
        yield


def _rule(patch: pytest.MonkeyPatch, op: str, new: str) -> None:
    modules = [importlib.import_module(f"recurrency.graph.{name}") for name in ("ops.structure", "ops.elementwise")]
    names = {name: found for module in modules for name, found in vars(module).items()}
    patch.setitem(OPS, op, replace(OPS[op], gradient=eval(new, names)))


def _entry(patch: pytest.MonkeyPatch, module: str, place: str, plant: Plant) -> None:
    table, _, key = place.rstrip("]").partition("[")
    found = vars(importlib.import_module(module))[table]
    patch.setitem(found, key, _edited(found[key], plant))


def _edited(entry: Any, plant: Plant) -> Any:
    """A text, or a tuple of texts, with the edit in it."""
    if isinstance(entry, tuple):
        assert any(plant.old in part for part in entry), plant.name
        return tuple(part.replace(plant.old, plant.new) for part in entry)
    assert plant.old in entry, plant.name
    return entry.replace(plant.old, plant.new)


def _found(module: str, place: str) -> tuple[Any, str, FunctionType]:
    """Where a function or method is, its name, and itself."""
    owner: Any = importlib.import_module(module)
    *outer, name = place.split(".")
    for part in outer:
        owner = getattr(owner, part)
    found = inspect.unwrap(inspect.getattr_static(owner, name))
    assert isinstance(found, FunctionType)
    return owner, name, found


def _result(patch: pytest.MonkeyPatch, module: str, place: str, plant: Plant) -> None:
    owner, name, right = _found(module, place)
    patch.setattr(owner, name, lambda *args, **settings: _edited(right(*args, **settings), plant))


def _code(patch: pytest.MonkeyPatch, module: str, place: str, plant: Plant) -> None:
    """Compile the edited source of a function, and put its code where the old one is (others hold the function)."""
    _, name, right = _found(module, place)
    text = textwrap.dedent(inspect.getsource(right))
    assert plant.old in text, plant.name
    space = dict(vars(importlib.import_module(module)))
    exec("from __future__ import annotations\n" + text.replace(plant.old, plant.new), space)
    patch.setattr(right, "__code__", space[name].__code__)
