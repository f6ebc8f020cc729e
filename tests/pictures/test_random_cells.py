"""Pictures of random cells show every output, and the recurrences that the compiler finds."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings

from recurrency.errors import UsageError
from recurrency.graph.roots import STREAM
from recurrency.language.elaboration.elaborate import check
from recurrency.language.elaboration.modules import CellDef
from recurrency.passes.recurrence import recurrences
from recurrency.pictures import draw
from recurrency.pictures.sketching.sketch import Kind
from recurrency.testing.specs.strategy import Program, programs

QUIET = settings(database=None, deadline=None, suppress_health_check=list(HealthCheck))


def kinds_of(definition: CellDef) -> list[str]:
    """The kinds of the recurrences of a cell's own streams; the loss may have others."""
    graph = check(definition).graph
    own = {id for name, id in STREAM.within(graph.roots).items() if "." not in name}
    return sorted(loop.kind for loop in recurrences(graph) if own.intersection(loop.ids))


def require_picture(program: Program) -> None:
    """Draw all cells of a text that have few enough equations."""
    for definition in program.spec().definition.module.own.values():
        try:
            sketch = draw(definition).sketch
        except UsageError:
            continue
        edges = [*sketch.edges, *sketch.feedback]
        assert {end for e in edges for end in (e.source, e.target)} <= set(sketch.nodes)
        assert {f"output:{port.name}" for port in definition.cell.outputs} <= {e.target for e in edges}
        if all(node.kind is not Kind.CELL for node in sketch.nodes.values()):
            assert sorted(loop.kind for loop in sketch.loops) == kinds_of(definition)


@settings(QUIET, max_examples=10)
@given(programs())
def test_random_cells_have_pictures(program: Program) -> None:
    require_picture(program)


@pytest.mark.long
@settings(QUIET, max_examples=300)
@given(programs())
def test_many_random_cells_have_pictures(program: Program) -> None:
    require_picture(program)
