"""What random specs have found: each file here once failed, for the reason that its first line gives."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import recurrency as rc
from recurrency.graph.verify import verify
from recurrency.language.writing.format import format_file
from recurrency.model.graphs import SWITCHES
from recurrency.model.spec import Spec
from recurrency.testing.case import Case
from recurrency.testing.compare import differences
from recurrency.testing.fuzz.checks import nodes
from tests.support.specimens import each_backend

FILES = {path.stem: path for path in sorted(Path(__file__).parent.glob("*.rnn"))}
SIZES = {"N": 2, "H": 3, "K": 4}
each_file = pytest.mark.parametrize("name", FILES)


@cache
def loaded(name: str) -> Spec:
    """The spec of a file."""
    return rc.load(FILES[name])


def sizes(spec: Spec) -> dict[str, int]:
    """Numbers for its dimensions."""
    return {d.name: SIZES[d.name] for d in spec.cell.dimensions if d.default is None}


def cases(spec: Spec) -> Iterator[Case]:
    """Few calls that differ in everything that matters: no steps, one, ragged ones, a state, chunks, draws."""
    clocks = sorted({p.clock or "t" for p in spec.cell.inputs})
    yield Case(sizes(spec), dict.fromkeys(clocks, 0), batch=1)
    yield Case(sizes(spec), dict.fromkeys(clocks, 2), weights="zeros", training=True)
    yield Case(sizes(spec), dict.fromkeys(clocks, 1), state=True, training=True, seed=1)
    ragged = dict.fromkeys(clocks, (2, 4, 0))
    yield Case(sizes(spec), dict.fromkeys(clocks, 4), batch=3, lengths=ragged, cuts=(1, 3), seed=2)


@each_file
def test_its_graph_is_valid_and_survives_formatting(name: str) -> None:
    spec, text = loaded(name), FILES[name].read_text(encoding="utf-8")
    spec.check()
    graph = spec.graph(**sizes(spec))
    verify(graph)
    once = format_file(text, name)
    assert format_file(once, name) == once
    assert nodes(rc.parse(once).graph(**sizes(spec))) == nodes(graph)


@each_backend
@each_file
def test_every_backend_computes_it(name: str, backend: str) -> None:
    for case in cases(loaded(name)):
        assert not differences(loaded(name), case, backend)


@pytest.mark.parametrize("switch", sorted(SWITCHES))
@each_file
def test_it_is_computed_without_each_pass(name: str, switch: str) -> None:
    case = list(cases(loaded(name)))[-1]
    assert not differences(loaded(name), case, "numpy", ["backward", "loss_gradients", "gnvp"], without=[switch])
