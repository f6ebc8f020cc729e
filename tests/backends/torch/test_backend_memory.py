"""The PyTorch backend: what shares memory, and types of arrays."""

from __future__ import annotations

import re
import threading
import warnings
from typing import Any

import numpy as np
import pytest
from recurrency.backends.torch import backend as torch_backend
from recurrency.backends.torch.backend import backend

from recurrency.extras import install
from recurrency.program.layout import layout
from recurrency.testing.cells import cell
from tests.backends.numpy import test_backend
from tests.backends.numpy.test_backend import differentiated, optimised
from tests.support import graphs, specimens
from tests.support.torch_graphs import check, each_graph

torch = pytest.importorskip("torch")


# ----------------------------------------------------------------------------------------------------------- memory


def called(run: Any, graph: Any, dtype: Any = torch.float64, scale: float = 1.0) -> tuple[dict[str, Any], list[Any]]:
    """The results of a function of tensors, and the tensors that it was given."""
    flat, given = test_backend.split(graph, graphs.arrays(graph), "float64")
    real = torch.from_numpy(flat).to(dtype) * scale
    tensors = {n: torch.from_numpy(a) for n, a in given.items()}
    tensors = {n: t.to(dtype) * scale if t.is_floating_point() else t for n, t in tensors.items()}
    lengths = {clock: torch.tensor(n) for clock, n in graphs.lengths(graph).items()}
    steps = {clock: int(n.max()) for clock, n in lengths.items()}
    with torch.no_grad():
        found = run(real, tensors, lengths, steps, 3, False, 0, None)
    return found, [real, *tensors.values()]


@pytest.fixture(params=["small results", "large results"])
def text_of(request: pytest.FixtureRequest) -> Any:
    """Builds functions that take their results for small, or large, ones."""
    large = request.param == "large results"

    def build(graph: Any) -> dict[str, Any]:
        source = backend.build(graph, layout(graph), "float64").source
        module: dict[str, Any] = {}
        exec(source.replace("LARGE_RESULT = 1 << 18", "LARGE_RESULT = 4") if large else source, module)
        return module

    return build


@each_graph
def test_results_are_new_tensors_that_share_no_memory(name: str, text_of: Any) -> None:
    graph = optimised(differentiated(name))
    run = text_of(graph)["run"]
    first, given = called(run, graph)
    kept = {root: value.clone() for root, value in first.items()}
    for root, value in first.items():
        assert value.is_contiguous()
        assert not value._is_view(), f"autograd would not let a user write on {root}"
        assert not value.requires_grad
        assert value.dtype in (torch.float64, torch.int64)
    owners = [t.untyped_storage().data_ptr() for t in [*first.values(), *given] if t.numel()]
    assert len(set(owners)) == len(owners)
    called(run, graph, scale=0.1)
    for root, value in first.items():
        assert torch.equal(value, kept[root]), f"{root} has been overwritten"
        value.fill_(9)
    again, _ = called(run, graph)
    for root, value in again.items():
        assert torch.equal(value, kept[root]), f"what a caller writes into {root} comes back"


def test_memory_of_results_that_are_gone_is_used_again(text_of: Any) -> None:
    graph = optimised(differentiated("lstm"))
    module = text_of(graph)
    for _ in range(3):
        called(module["run"], graph)
    made = set(module["_blocks"])
    for _ in range(3):
        called(module["run"], graph)
    assert set(module["_blocks"]) == made
    held = [called(module["run"], graph) for _ in range(3)]
    assert len(module["_blocks"]) > len(made) or not made
    del held


@each_graph
def test_what_is_kept_for_the_backward_pass_is_not_what_a_user_holds(name: str, text_of: Any) -> None:
    graph = optimised(graphs.GRAPHS[name]())
    outputs = dict(graph.roots)
    graph.roots |= {f"tape:{k}": id for k, id in enumerate(outputs.values())}
    found, _ = called(text_of(graph)["run"], graph)
    for root in outputs:
        found[root].fill_(9)
    for k, root in enumerate(outputs):
        assert not (found[f"tape:{k}"] == 9).any(), f"writing on {root} changes the tape"


@pytest.mark.parametrize("name", list(specimens.SPECIMENS))
def test_memory_is_written_before_it_is_read(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model = cell(name).compile("torch", dtype="float64", **specimens.SPECIMENS[name].dimensions)
    params, inputs = specimens.params_of(model), specimens.inputs_of(model)
    empty = torch.Tensor.new_empty

    def poisoned(like: Any, *shape: Any, **rest: Any) -> Any:
        return empty(like, *shape, **rest).fill_(torch.nan if like.is_floating_point() else -9)

    monkeypatch.setattr(torch.Tensor, "new_empty", poisoned)
    run = model.forward(params, inputs)
    seeds = {n: np.ones_like(y) for n, y in run.outputs.items() if y.dtype.kind == "f"}
    found = [*run.outputs.values(), *run.state.values(), model.backward(run, seeds).params]
    found += [model.vjp(params, inputs, seeds).params]
    if model.has_loss:
        found += [model.loss_and_gradients(params, inputs)[1].params, model.hvp(params, inputs, np.ones(model.size))]
    assert all(np.isfinite(array).all() for array in found)


def test_threads_do_not_disturb_one_another(text_of: Any) -> None:
    graph = optimised(differentiated("lstm"))
    run = text_of(graph)["run"]
    wanted = {scale: called(run, graph, scale=scale)[0] for scale in (0.1, 0.5, 1.0)}
    wrong: list[str] = []

    def work(scale: float) -> None:
        for _ in range(20):
            found, _ = called(run, graph, scale=scale)
            wrong.extend(root for root, value in found.items() if not torch.equal(value, wanted[scale][root]))

    threads = [threading.Thread(target=work, args=(scale,)) for scale in wanted]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_memory_made_in_inference_mode_serves_later_calls() -> None:
    graph = optimised(differentiated("gru"))
    run = backend.build(graph, layout(graph), "float64").function
    with torch.inference_mode():
        first, _ = called(run, graph)
    again, _ = called(run, graph)
    assert all(torch.equal(value, first[root]) for root, value in again.items())
    assert not any(value.is_inference() for value in again.values())


# ------------------------------------------------------------------------------------------------- types and arrays


@pytest.mark.parametrize(("dtype", "digits"), [(torch.float32, 24), (torch.float16, 11), (torch.bfloat16, 8)])
@pytest.mark.parametrize("name", ["lstm", "attention", "embedding"])
def test_one_text_serves_all_types_of_numbers(name: str, dtype: Any, digits: int, text_of: Any) -> None:
    graph = optimised(differentiated(name))
    run = text_of(graph)["run"]
    wanted, _ = called(run, graph)
    found, _ = called(run, graph, dtype)
    for root, value in wanted.items():
        assert found[root].dtype == (dtype if value.is_floating_point() else value.dtype)
        scale = max(1.0, float(value.abs().max())) if value.numel() else 1.0
        # Each of some 5 steps, of a width of 6 at most, there and back, rounds a few times.
        limit = 5 * 6 * 4 * 2.0**-digits * scale
        assert float((found[root].double() - value.double()).abs().amax()) < limit if value.numel() else True, root


def test_arrays_are_not_copied_and_may_be_read_only() -> None:
    array = np.arange(6.0).reshape(2, 3)
    array.flags.writeable = False
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        tensor = torch_backend.tensor(array)
    assert tensor.data_ptr() == array.__array_interface__["data"][0]
    for view in (array[::-1], array[:, ::-1], array.T, array[:, 1]):
        np.testing.assert_array_equal(torch_backend.tensor(view).numpy(), view)


def test_the_module_stands_alone() -> None:
    graph = optimised(differentiated("lstm"))
    text = backend.emit([("forward", graph), ("again", graph)], layout(graph), "Made for a test.")
    assert "recurrency" not in text
    assert "numpy" not in text
    module: dict[str, Any] = {}
    exec(text, module)
    assert callable(module["forward"])
    assert callable(module["again"])


def test_names_of_a_specification_are_never_code() -> None:
    b = graphs.Builder()
    x = b.input("x'];import os#", 2)
    W = b.param("__class__\n", 3, 2)
    y = graphs.times(W, x).apply("tanh")
    b.graph.rename(y.id, "lambda")
    b.root("output:\"'\\", y)
    source = backend.build(b.graph, layout(b.graph), "float64").source
    assert "import os" not in source.replace("'x\\'];import os#'", "").replace('"x\'];import os#"', "")
    check(b.graph)


def test_a_missing_pytorch_is_named_with_the_command_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch_backend, "find_spec", lambda name: None)
    assert backend.available() == f"PyTorch is not installed: {install('torch')}"


@pytest.mark.parametrize("name", ["delay_line", "gru"])
def test_long_sequences_compute_what_short_ones_do(name: str) -> None:
    graph = optimised(differentiated(name))
    source = backend.build(graph, layout(graph), "float64").source
    modules: list[dict[str, Any]] = [{}, {}]
    for module, limit in zip(modules, ("> 2000", "> 1"), strict=True):
        exec(source.replace("> 2000", limit), module)
    once, anew = (called(module["run"], graph)[0] for module in modules)
    assert all(torch.equal(value, anew[root]) for root, value in once.items())


def test_large_products_are_the_same_to_rounding() -> None:
    graph = optimised(differentiated("lstm"))
    source = backend.build(graph, layout(graph), "float64").source
    module: dict[str, Any] = {}
    small = re.sub(r"\bLARGE = [0-9< ]+", "LARGE = 0", source)
    anywhere = small.replace(' == "AVX512"', ' != ""')  # right, if not quicker, on other processors too
    assert small != source
    assert anywhere != small
    exec(anywhere.replace("max(64,", "max(2,").replace("1 << 18", "4"), module)
    if module["linear"] is None:
        pytest.skip("this PyTorch has no products of oneDNN")
    calls: list[str] = []
    dense = module["dense"]
    module["dense"] = lambda *args: calls.append("dense") or dense(*args)
    plain, _ = called(backend.build(graph, layout(graph), "float64").function, graph, torch.float32)
    found, _ = called(module["run"], graph, torch.float32)
    assert len(calls) > 10
    for root, value in plain.items():
        torch.testing.assert_close(found[root], value, rtol=1e-5, atol=1e-5 * max(1.0, float(value.abs().max())))
