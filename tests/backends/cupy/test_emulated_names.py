"""What the stand-in for cupy offers, and what generated drivers use of it, is there in cupy itself."""

from __future__ import annotations

import ast
import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from recurrency.backends.cupy.emulated import arrays
from recurrency.backends.cupy.emulated.stand_in import Part, StandIn
from recurrency.backends.cupy.emulated.streams import Graph, Stream

from recurrency import backend, library
from recurrency.extras import install
from tests.support import driving

NO_CUPY = f"names not compared: cupy is not installed; {install('cupy-cuda13x')}"
needs_cupy = pytest.mark.skipif(importlib.util.find_spec("cupy") is None, reason=NO_CUPY)

OURS = {"launches"}
"""What only tests use of the stand-in."""


def public(thing: Any) -> Iterator[str]:
    """The names that a driver could use."""
    yield from (name for name in dir(thing) if not name.startswith("_"))


def offered(thing: Any, name: str = "") -> Iterator[str]:
    """Dotted names of everything in the stand-in."""
    for member in public(thing):
        value = getattr(thing, member)
        yield f"{name}{member}"
        if isinstance(value, Part):
            yield from offered(value, f"{name}{member}.")


def used(text: str) -> set[str]:
    """Dotted names behind `xp` or `cupy` in a text of Python."""
    return set(filter(None, map(_chain, ast.walk(ast.parse(text)))))


def _chain(node: ast.AST) -> str:
    """`cuda.Stream` for `xp.cuda.Stream` and `self.xp.cuda.Stream`; nothing for what is no such name."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        if node.attr in ("xp", "cupy"):
            return ".".join(reversed(parts))
        parts.append(node.attr)
        node = node.value
    return ".".join(reversed(parts)) if isinstance(node, ast.Name) and node.id in ("xp", "cupy") else ""


def in_cupy(name: str) -> bool:
    """Whether cupy has something; `cupy.cublas` can't be imported without cuBLAS, so its text has to do."""
    import cupy

    first, _, rest = name.partition(".")
    if first == "cublas":
        spec = importlib.util.find_spec("cupy.cublas")
        assert spec is not None
        assert spec.origin is not None
        defined = ast.parse(Path(spec.origin).read_text(encoding="utf-8")).body
        return not rest or any(isinstance(d, ast.FunctionDef) and d.name == rest for d in defined)
    found: Any = cupy
    for part in name.split("."):
        if not hasattr(found, part):
            return False
        found = getattr(found, part)
    return True


def generated(name: str = "LSTM") -> str:
    """The module of a shipped cell, as `recurrency compile --backend cupy` writes it."""
    from recurrency.model.export import module_text

    sizes = {"N": 3, "H": 4}
    return module_text(library.spec(name).compile(backend="cupy-emulated", **sizes))


@needs_cupy
def test_the_stand_in_offers_nothing_that_cupy_has_not() -> None:
    assert [name for name in offered(StandIn()) if name not in OURS and not in_cupy(name)] == []


@needs_cupy
@pytest.mark.parametrize(
    ("ours", "theirs"), [(arrays.ndarray, "ndarray"), (Stream, "cuda.Stream"), (Graph, "cuda.Graph")]
)
def test_arrays_and_streams_offer_nothing_that_cupys_have_not(ours: type, theirs: str) -> None:
    inner = {"host", "block", "address", "captured", "do", "non_blocking"}
    assert [name for name in public(ours) if name not in inner and not in_cupy(f"{theirs}.{name}")] == []


@needs_cupy
def test_generated_drivers_use_nothing_that_cupy_has_not() -> None:
    names = used(generated())
    assert "RawModule" in names
    assert [name for name in sorted(names) if not in_cupy(name)] == []


def test_the_names_that_a_driver_uses_are_found() -> None:
    assert used(driving.DRIVER) == {
        "RawModule",
        "float32",
        "int32",
        "empty",
        "zeros",
        "matmul",
        "cublas.gemm",
        "cublas",
    }


def test_the_stand_in_has_all_that_generated_drivers_use() -> None:
    reason = backend.describe(emulated=True)["cupy-emulated"]
    if reason:
        pytest.skip(f"cupy-emulated: {reason}")
    assert sorted(used(generated()) - set(offered(StandIn()))) == []
