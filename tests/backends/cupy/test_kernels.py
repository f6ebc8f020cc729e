"""Kernel texts: a row for each operation, no race in any order of threads, and what one cell's kernels look like."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from recurrency.backends.cupy.backend import CupyBackend
from recurrency.backends.kernels.arrays import Array
from recurrency.backends.kernels.ops import FRAGMENTS
from recurrency.backends.kernels.races import Written, race
from recurrency.backends.kernels.values import Read, copies

import recurrency as rc
from recurrency.backend import describe
from recurrency.graph.op import Trait
from recurrency.graph.ops import OPS
from recurrency.graph.types import Kind
from recurrency.model.model import Model
from recurrency.testing.cells import cell
from tests.support import cells, specimens

GOLDEN = Path(__file__).parents[2] / "golden"
REASON = describe(emulated=True).get("cupy-emulated", "not installed")
emulated = pytest.mark.skipif(REASON is not None, reason=f"cupy-emulated: {REASON}")

AVERAGE = """
cell Average[H](x: [H]) -> (y: [H]) {
    param p : [H] ~ zeros
    state c : [H] = 0
    f = sigmoid(p)
    c = f * c[t-1] + (1 - f) * x
    y = tanh(c)
}
"""


def source_of(spec: Any, kind: str = "forward_kept", dtype: str = "float32", **dimensions: Any) -> str:
    """The module of one program of a cell."""
    model = spec.compile(dtype=dtype, **dimensions)
    graph = model.programs.graph(kind, ())
    return CupyBackend().emit([(kind, graph)], model.programs.layout, dtype)


def kernels_of(source: str) -> str:
    """The cell's own kernels in the text of a module, without those that every module has."""
    text = source.split("SRC = r'''")[1].split("'''")[0]
    return text[: text.index('extern "C" __global__ void copy_real')]


def test_every_operation_that_is_computed_has_a_fragment() -> None:
    elsewhere = {op.name for op in OPS.values() if op.traits & {Trait.NAMED, Trait.NORMALISES, Trait.LITERAL}}
    elsewhere |= {op.name for op in OPS.values() if copies(op)}
    assert set(OPS) == set(FRAGMENTS) | elsewhere


def test_kernels_need_no_header() -> None:
    source = source_of(rc.library.spec("Translate"), V=7, K=6, N=4, H=5, L=2)
    assert "#include" not in source
    assert "__shared__" not in source.split("SPLIT_SRC = ")[0]


def test_scalars_of_kernels_have_stated_widths() -> None:
    """CuPy hands a Python int over as 8 bytes."""
    source = source_of(rc.library.spec("LSTM"), N=3, H=4)
    for call in re.findall(r"launch\(k\.\w+, [^,]+, (.*)\)", source):
        assert all(re.fullmatch(r"p\.\w+|steps\[t\]", argument) for argument in call.split(", ")), call


def test_a_line_says_which_line_of_the_specification_it_comes_from() -> None:
    assert "// average.rnn:6 c = f * c[t-1] + (1 - f) * x" in kernels_of(source_of(average(), H=3))


def average() -> Any:
    return rc.parse(AVERAGE, name="average.rnn")


@pytest.mark.parametrize("kind", ["forward_kept", "backward"])
def test_kernels_of_a_small_cell_read_like_this(kind: str, golden: Callable[[Path, str], None]) -> None:
    golden(GOLDEN / f"average_{kind}.cu", kernels_of(source_of(average(), kind, H=3)))


def test_the_state_of_a_loop_in_one_kernel_stays_in_a_register() -> None:
    loop = next(k for k in kernels_of(source_of(average(), H=3)).split("extern") if "for (; t < T_t" in k)
    body = loop.split("for (; t < T_t")[1]
    assert not re.search(r"= \w+\[\(?tb\) \* 3", body)
    assert "before_ = " in body


@pytest.mark.parametrize("of", ["softmax(x)", "log(softmax(x))"])
def test_the_peak_of_a_softmax_is_searched_once(of: str) -> None:
    spec = rc.parse(f"cell Soft[H](x: [H]) -> (y: [H]) {{ y = {of} }}", name="soft.rnn")
    assert kernels_of(source_of(spec, "forward", H=3)).count("-1.0f / 0.0f") == 1


def test_rows_are_gone_through_once_and_not_for_each_element_that_reads_them() -> None:
    """The argmax of 50 numbers and their sums so far, which are computed in blocks of 8."""
    text = "cell Rows[N](x: [N]) -> (y: [N]) {\n y = cumsum(cumsum(onehot(argmax(x * x)) * x))\n}"
    kernels = kernels_of(source_of(rc.parse(text), N=50)).split('extern "C" __global__')[1:]
    assert {kernel.count("for (int k") for kernel in kernels} == {0, 1}
    assert sum("best" in kernel for kernel in kernels) == 1
    assert "".join(kernels).count("k_ < 50;") == 1


def test_products_that_share_an_operand_are_computed_together() -> None:
    """The four gates of a unit read the state once, and no sum waits for the sum before."""
    text = kernels_of(source_of(rc.library.spec("LSTM"), N=3, H=5))
    (step,) = (k for k in text.split("extern") if "for (int k" in k)
    assert step.count("for (int k") == 1
    assert len(re.findall(r"float total_(?:\d+_)? = 0.0f;", step)) == 4
    assert step.count("= h_[tb * 5 + k_];") == 1
    assert "#pragma unroll 4\n" in step


def test_a_sum_finds_the_sums_of_its_terms_in_memory() -> None:
    """A thread that computed them for each of its terms would do the work of all others over again."""
    text = kernels_of(source_of(rc.library.spec("FastWeights"), "backward", N=3, H=5))
    sums = re.findall(r"^( *)for \(int k", text, re.MULTILINE)
    assert len(sums) > 5
    assert set(sums) == {" " * 4}


@pytest.mark.parametrize(("cell", "dimensions"), [("GRU", {}), ("GatedFeedback", {"L": 2})])
@pytest.mark.parametrize("kind", ["forward_kept", "backward"])
def test_what_only_cleans_padding_is_launched_where_there_is_some(cell: str, dimensions: Any, kind: str) -> None:
    source = source_of(rc.library.spec(cell), kind, N=3, H=4, **dimensions)
    cleaning = set()
    for kernel in kernels_of(source).split("extern")[1:]:
        named = dict(re.findall(r"const float (\w+) = (.*?);", kernel))
        kept = {n: named[inner] for n, inner in re.findall(r"const float (\w+) = \(t < n_t\[b\] \? (\w+) :", kernel)}
        written = re.findall(r"^    (\w+\[.*\]) = (\w+);", kernel, re.MULTILINE)
        if all(kept.get(name) == element for element, name in written):
            cleaning |= set(re.findall(r"(\w+)\(\n", kernel))
    launched = re.findall(r"(if p.ragged: )?launch\(k\.(\w+),", source)
    assert cleaning
    assert {name for condition, name in launched if condition} == cleaning
    assert not {name for condition, name in launched if not condition} & cleaning


def test_what_other_threads_write_is_not_read() -> None:
    array = Array("h", Kind.STREAM, (4,), "t")
    mine = {"h[tb * 4 + i0]": Written(array, "x", (0, 4))}
    assert race([Read("h", "h[tb * 4 + i0]", False, 0, (0, 4))], mine, False) is None
    assert race([Read("h", "h[tb * 4 + k]", False, 0, (0, 4))], mine, False) is not None
    assert race([Read("h", "h[tb * 4 + k]", True, 0, (0, 4))], mine, True) is None, "a row of another step"
    assert race([Read("h", "h[tb * 4 + i0]", True, 0, (0, 4))], mine, False) is not None, "all steps run at once"
    assert race([Read("h", "h[tb * 8 + k]", False, 0, (4, 8))], mine, False) is None, "other columns"


@pytest.mark.parametrize("name", specimens.SPECIMENS)
@pytest.mark.parametrize("kind", ["forward_kept", "backward"])
def test_no_kernel_over_all_steps_reads_at_another_index_what_it_writes(name: str, kind: str) -> None:
    """Told from the texts alone."""
    for kernel in kernels_of(source_of(cell(name), kind, **specimens.SPECIMENS[name].dimensions)).split("extern")[1:]:
        head, _, body = kernel.partition("{")
        if "int t, " in " ".join(head.split()) or "for (; t" in body:
            continue
        lines = [line.split("//")[0].strip() for line in body.split("\n")]
        writes = {line.split(" = ")[0] for line in lines if re.match(r"\w+\[.*\] = ", line)}
        arrays = {element.partition("[")[0] for element in writes} - {"gradient"}
        for line in lines:
            read = re.fullmatch(r"const \w+ \w+ = ((\w+)\[.*\]);", line)
            assert read is None or read[2] not in arrays or read[1] in writes, line


@emulated
@pytest.mark.parametrize("name", specimens.SPECIMENS)
def test_the_order_of_threads_changes_no_number(name: str) -> None:
    from recurrency.backends.cupy.emulated.backend import EmulatedBackend
    from recurrency.backends.cupy.emulated.stand_in import StandIn

    found = []
    for order in ("forward", "shuffled"):
        device = StandIn(order=order)
        backend = EmulatedBackend(name="cupy-emulated", load=lambda device=device: device)
        model: Any = Model(cell(name), cell(name).elaborate(**specimens.SPECIMENS[name].dimensions), backend, "float64")
        inputs, lengths = specimens.inputs_of(model), specimens.lengths_of(model)
        found.append(model.loss_and_gradients(specimens.params_of(model), inputs, lengths=lengths, training=True))
    assert found[0][0] == found[1][0]
    np.testing.assert_array_equal(found[0][1].params, found[1][1].params)


@emulated
def test_a_concatenation_of_very_many_parts_is_found_by_halves() -> None:
    from recurrency.backends.cupy.emulated.backend import backend

    count = 350
    text = f"cell Many(x: [2]) -> (y: [{2 * count}]) {{ y = concat({', '.join(f'{k} + x' for k in range(count))}) }}"
    spec = rc.parse(text, name="many.rnn")
    source = source_of(spec, "forward")
    depth = max(len(line) - len(line.lstrip()) for line in kernels_of(source).split("\n")) // 4
    assert depth <= 2 + np.log2(count)
    model: Any = Model(spec, spec.elaborate(), backend, "float64")
    x = np.random.default_rng(0).standard_normal((3, 4, 2))
    found = model.forward(np.zeros(0), x).output
    np.testing.assert_array_equal(found, np.concatenate([k + x for k in range(count)], 2))


@emulated
@pytest.mark.parametrize("cell", ["LSTM", "Translate"])
def test_sizes_beyond_one_block_are_covered(cell: str) -> None:
    """More elements than a block has threads, and numbers that it does not divide."""
    from recurrency.backends.cupy.emulated.backend import backend

    spec = rc.library.spec(cell)
    dimensions = {name: 37 if name == "H" else n for name, n in cells.CASE[cell].dimensions.items()}
    models = [Model(spec, spec.elaborate(**dimensions), b, "float64") for b in (backend, rc.backend.find("numpy"))]
    rng = np.random.default_rng(0)
    params = 0.3 * rng.standard_normal(models[0].size)
    inputs = {n: port.draw(rng, 3 + (port.clock == "s"), 5) for n, port in cells.CASE[cell].inputs.items()}
    runs = [model.forward(params, inputs) for model in models]
    weights = {n: rng.standard_normal(y.shape) for n, y in runs[0].outputs.items()}
    found, wanted = (m.backward(r, weights) for m, r in zip(models, runs, strict=True))
    np.testing.assert_allclose(found.params, wanted.params, rtol=1e-11, atol=1e-12)
