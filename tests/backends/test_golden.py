"""What the compiler makes of five small cells, from the graph to CUDA, as golden texts: `pytest --update-golden`."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from recurrency.backends.python.module import HELPERS_TITLE

import recurrency as rc
from recurrency.backend import find
from recurrency.graph.graph import Graph
from recurrency.graph.text import graph_text
from recurrency.model.model import Model
from recurrency.passes.lengths import lengths
from recurrency.program.schedule import schedule
from recurrency.testing.cells import CELLS

GOLDEN = Path(__file__).parents[1] / "golden"

FORWARD_AND_BACKWARD = (("forward_kept", ((),)), ("backward", ((),)))
KINDS: dict[str, tuple[tuple[str, tuple[Any, ...]], ...]] = {
    "Elman": FORWARD_AND_BACKWARD,
    "GRU": FORWARD_AND_BACKWARD,
    "LSTM": FORWARD_AND_BACKWARD,
    "MinGRU": FORWARD_AND_BACKWARD,
    "whole sequences": (("loss_gradients", (("params",),)),),
}
"""A cell of the library or of `recurrency.testing.cells` -> its functions."""

EXTENSIONS = {"graph": "txt", "program": "txt", "numpy": "py", "torch": "py", "c": "c", "cupy": "cu"}


@cache
def model_of(cell: str) -> Model:
    """The cell in float32, which nothing has to run."""
    spec = rc.parse(CELLS[cell].text, name="small.rnn") if cell in CELLS else rc.library.spec(cell)
    sizes = CELLS[cell].dimensions if cell in CELLS else {"N": 3, "H": 4}
    return Model(spec, spec.elaborate(**sizes), find("numpy"), "float32")


def functions_of(cell: str) -> list[tuple[str, Graph]]:
    """The functions of a cell, by name."""
    return [(kind, model_of(cell).programs.graph(kind, *options)) for kind, options in KINDS[cell]]


def text_of(cell: str, stage: str) -> str:
    """What a stage or backend makes of a cell, without what is the same for all cells."""
    functions, layout = functions_of(cell), model_of(cell).programs.layout
    if stage == "graph":
        return "\n".join(f"# {kind}\n{graph_text(graph)}" for kind, graph in functions)
    if stage == "program":
        return "\n".join(f"# {kind}\n{schedule(lengths(graph), layout).text()}" for kind, graph in functions)
    backend: Any = find(stage, run=False)
    if stage == "torch":
        return str(backend.emit(functions, layout)).split(HELPERS_TITLE)[0].rstrip() + "\n"
    found = backend.emit(functions, layout, "float32")
    if stage == "numpy":
        return str(found).split(HELPERS_TITLE)[0].rstrip() + "\n"
    return "\n".join(own(found if stage == "cupy" else found[0], [kind for kind, _ in functions]))


def own(text: str, kinds: list[str]) -> list[str]:
    """The kernels of C or CUDA that belong to these functions, and the function of C that runs them."""
    names = "|".join(kinds)
    return re.findall(
        rf"^(?:static|extern \"C\" __global__) [^\n]*\b(?:{names})_(?:run|\w+_)\(.*?^}}\n",
        text,
        re.MULTILINE | re.DOTALL,
    )


@pytest.mark.parametrize("stage", EXTENSIONS)
@pytest.mark.parametrize("cell", KINDS)
def test_a_cell_is_written_like_this(cell: str, stage: str, golden: Callable[[Path, str], None]) -> None:
    golden(GOLDEN / cell.replace(" ", "_") / f"{stage}.{EXTENSIONS[stage]}", text_of(cell, stage))


@pytest.mark.parametrize("name", ["numpy", "torch"])
@pytest.mark.parametrize("cell", KINDS)
def test_a_module_begins_with_the_cell_and_has_no_helper_that_nothing_calls(cell: str, name: str) -> None:
    functions = functions_of(cell)
    backend: Any = find(name, run=False)
    text = backend.emit(functions, model_of(cell).programs.layout, *(["float32"] if name == "numpy" else []))
    own, helpers = (ast.parse(part).body for part in text.split(HELPERS_TITLE))
    assert next(node.name for node in own if isinstance(node, ast.FunctionDef)) == functions[0][0]
    named = [{n.id for n in ast.walk(node) if isinstance(n, ast.Name)} for node in helpers + own]
    for number, helper in enumerate(helpers):
        if isinstance(helper, ast.FunctionDef | ast.ClassDef):
            assert any(helper.name in names for k, names in enumerate(named) if k != number), helper.name
