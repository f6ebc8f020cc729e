"""C as users compile it: other tests compile without optimisation, and say nothing of what a compiler makes of it.

GCC 12 unrolled short loops before it made vectors of them, and then chose elements by the condition of others.
"""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

import pytest

import recurrency as rc
from recurrency import library
from recurrency.errors import UsageError
from recurrency.testing import Case
from recurrency.testing.bench import bench
from recurrency.testing.compare import compared
from recurrency.testing.dimensions import dimension_sets, free_dimensions
from recurrency.testing.specs.sources import Dice
from recurrency.testing.specs.strategy import written
from tests.support.usual import some

MATRICES = """
cell Main[M, N](x: [M, N], g: [M, N]) -> (y: [M, N]) {
    param W : [M, N] ~ normal(0, 1)
    param V : [M, N] ~ normal(0, 1)

    y = where(x < 0, g * W, 0) + where(x < 0, 0, V * g)
    loss sum(where(x == 0, 0, W * x)) + sum(where(g > 0, W * V, 0))
}
"""
SHAPES = [(4, 5), (3, 7), (5, 6), (3, 3), (3, 5), (3, 6), (4, 3), (4, 6), (4, 7), (5, 3), (5, 5), (5, 7), (6, 10)]
KINDS = ["backward", "loss_gradients"]


@pytest.fixture(autouse=True)
def flags_of_users(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No model of another test, which was compiled without optimisation."""
    monkeypatch.delenv("RECURRENCY_CFLAGS", raising=False)
    bench.cache_clear()
    yield
    bench.cache_clear()


def agrees(spec: rc.Spec, case: Case, kinds: list[str], without: tuple[str, ...] = ()) -> int:
    """The number of elements that were compared; C has those of the interpreter."""
    found = compared(spec, case, "c", kinds, without)
    assert not found.differences
    return found.compared


@pytest.mark.parametrize("shape", some(SHAPES, 7))
@pytest.mark.parametrize("without", [(), pytest.param(("keep", "sums"), marks=pytest.mark.long)])
def test_each_element_of_a_small_matrix_is_chosen_by_its_own_condition(
    shape: tuple[int, int], without: tuple[str, ...]
) -> None:
    spec = rc.parse(MATRICES)
    for dtype in ("float64", "float32"):
        case = Case(dict(zip("MN", shape, strict=True)), {"t": 4}, batch=3, dtype=dtype, values="whole")
        assert agrees(spec, case, KINDS, without)


@pytest.mark.parametrize("cell", some(library.names(), 20))
def test_shipped_cells_have_the_numbers_of_the_interpreter(cell: str) -> None:
    spec = library.spec(cell)
    free = free_dimensions(spec)
    sizes = {name: 5 + k for k, name in enumerate(free)}
    try:
        spec.elaborate(**sizes)
    except (UsageError, rc.SpecError):
        sizes = dimension_sets(spec, 3)[-1]
    clocks = sorted({port.clock or "t" for port in spec.cell.inputs})
    ragged = dict.fromkeys(clocks, (4, 2, 3))
    assert agrees(spec, Case(sizes, dict.fromkeys(clocks, 4), batch=3, lengths=ragged), ["streams", *KINDS])


@pytest.mark.parametrize("seeds", [range(2), pytest.param(range(2, 150), marks=pytest.mark.long)])
def test_random_specs_have_the_numbers_of_the_interpreter(seeds: range) -> None:
    for seed in seeds:
        program, dice = written(Dice(5000 + seed)), Random(seed)
        sizes = dict(program.dimensions)
        if all(isinstance(size, int) for size in sizes.values()):  # no array of a size of its own
            sizes = {name: dice.choice((3, 5, 6, 7)) for name in sizes}
        spec = program.spec()
        clocks = sorted({port.clock or "t" for port in spec.cell.inputs})
        case = Case(sizes, dict.fromkeys(clocks, 4), batch=3, training=True, seed=seed)
        try:
            spec.elaborate(**sizes)
        except rc.SpecError:  # an output or a constant that needs other numbers
            continue
        assert agrees(spec, case, ["forward", *KINDS])
