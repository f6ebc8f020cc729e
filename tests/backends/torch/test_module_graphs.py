"""Networks on PyTorch within graphs that torch records: compile, export, fake tensors, wrappers for many processes."""

from __future__ import annotations

import copy
import gc
import pickle
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import recurrency as rc
from tests.support.modules import noisy
from tests.support.torch_modules import QUIET, lstm, random, torch

pytestmark = QUIET
close = torch.testing.assert_close


@pytest.fixture
def compiled() -> Iterator[Callable[..., Any]]:
    """torch.compile that takes all or fails, and generates no code of its own."""
    torch._dynamo.reset()
    yield lambda function, **options: torch.compile(function, backend="aot_eager", fullgraph=True, **options)
    torch._dynamo.reset()


def gradients(module: Any, loss: Any) -> dict[str, Any]:
    module.zero_grad()
    loss.backward()
    return {name: p.grad.clone() for name, p in module.named_parameters()}


def test_a_compiled_module_gives_the_same_numbers_and_gradients(compiled: Callable[..., Any]) -> None:
    module, x = lstm(), random(5, 2, 3)
    call = compiled(module)
    close(call(x), module(x))
    found, wanted = (gradients(module, f(x)[0].square().sum()) for f in (call, module))
    close(found, wanted)
    with torch.no_grad():
        close(call(x), module(x))


def test_compiled_code_takes_other_lengths_and_batches_without_compiling_again(compiled: Callable[..., Any]) -> None:
    module = lstm()
    call = compiled(module, dynamic=True)
    torch._dynamo.utils.counters.clear()
    for steps, batch in (5, 2), (7, 3), (4, 6):
        x = random(steps, batch, 3)
        close(call(x), module(x))
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] == 1


def test_compiled_code_takes_lengths_states_and_forms(compiled: Callable[..., Any]) -> None:
    module, x = lstm(state="tuple", batch_first=True), random(2, 5, 3)
    call = compiled(module)
    with torch.no_grad():
        _, state = call(x)
    lengths = torch.tensor([3, 5])
    found, wanted = (gradients(module, f(x, state, lengths)[0].square().sum()) for f in (call, module))
    close(found, wanted)


def test_compiled_losses(compiled: Callable[..., Any]) -> None:
    module = rc.library.spec("Tagger").module(V=5, K=3, N=2, H=3, seed=0)
    words = {"w": torch.tensor([[1, 2], [0, 4]]), "tag": torch.tensor([[2, 2], [0, 1]])}
    call = compiled(lambda inputs: module.loss(inputs))
    found, wanted = (gradients(module, f(words)) for f in (call, module.loss))
    close(found, wanted)


def test_compiled_functional_gradients(compiled: Callable[..., Any]) -> None:
    module, x = lstm(), random(5, 2, 3)
    params = {name: p.detach() for name, p in module.named_parameters()}
    energy = lambda p, x: torch.func.functional_call(module, p, (x,))[0].square().sum()  # noqa: E731
    close(compiled(torch.func.grad(energy))(params, x), gradients(module, module(x)[0].square().sum()))


def test_compiled_draws_differ_from_call_to_call(compiled: Callable[..., Any]) -> None:
    module, x = noisy().train(), random(5, 2, 3)
    call = compiled(module)
    torch.manual_seed(1)
    first, second = call(x)[0], call(x)[0]
    assert not torch.equal(first, second)
    torch.manual_seed(1)
    close(call(x)[0], first)


def test_compiled_code_outlives_its_module(compiled: Callable[..., Any]) -> None:
    x = random(5, 2, 3, requires_grad=True)
    spec = rc.parse("cell Sum[N](x: [N]) -> (y: [N]) {\n    state y : [N] = 0\n    y = x + y[t-1]\n}")
    y = compiled(spec.module(N=3, dtype=torch.float64))(x)[0]
    gc.collect()
    y.sum().backward()
    assert x.grad.all()


def test_export_takes_a_module() -> None:
    module, x = lstm(), random(5, 2, 3)
    close(torch.export.export(module, (x,)).module()(x), module(x))


def test_the_op_keeps_what_it_says() -> None:
    """Shapes without content, no aliases, nothing changed in place; see torch.library.opcheck."""
    module, x = lstm(), random(5, 2, 3)
    call = module.program.call("run", ("input:x",), (), False)
    vector = module._vector({})[0].detach()
    tests = ("test_schema", "test_faketensor", "test_aot_dispatch_dynamic")
    torch.library.opcheck(torch.ops.recurrency.run.default, (call.text, "kept", vector, [x]), test_utils=tests)


@pytest.fixture
def process() -> Iterator[None]:
    """A group of one process."""
    store = torch.distributed.HashStore()
    torch.distributed.init_process_group("gloo", store=store, rank=0, world_size=1)
    yield
    torch.distributed.destroy_process_group()


def wrappers() -> dict[str, Callable[[Any], Any]]:
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard
    from torch.nn.parallel import DistributedDataParallel

    return {
        "DistributedDataParallel": DistributedDataParallel,
        "fully_shard": lambda module: fully_shard(module, mesh=init_device_mesh("cpu", (1,))),
    }


@pytest.mark.parametrize("name", ["DistributedDataParallel", "fully_shard"])
@pytest.mark.usefixtures("process")
def test_wrappers_for_many_processes_take_a_module(name: str) -> None:
    x = random(5, 2, 3)
    plain, wrapped = lstm(), wrappers()[name](lstm())
    wanted = gradients(plain, plain(x)[0].square().sum())
    found = gradients(wrapped, wrapped(x)[0].square().sum())
    for key, gradient in found.items():
        gradient = gradient.full_tensor() if hasattr(gradient, "full_tensor") else gradient
        close(gradient, wanted[key.removeprefix("module.")])


EACH = "cell C[N](x: [N]) -> (y: [N]) {\n    param w : [N] ~ ones\n    y = tanh(NUMBER * w * x)\n}"


def test_many_different_cells_are_compiled_in_one_process(compiled: Callable[..., Any]) -> None:
    """Each keeps what was compiled of it with code of its own, of which torch allows a few versions."""
    x = random(4, 2, 3)
    for number in range(1, torch._dynamo.config.recompile_limit + 3):
        module = rc.parse(EACH.replace("NUMBER", str(number))).module(N=3, dtype=torch.float64)
        for call in (compiled(module), compiled(module.forward)):
            close(call(x)[0], torch.tanh(number * x))


def test_networks_are_copied_and_pickled_with_their_class() -> None:
    module, x = lstm(), random(5, 2, 3)
    for other in (copy.deepcopy(module), copy.copy(module), pickle.loads(pickle.dumps(module))):
        assert type(other) is type(module)
        assert torch.equal(other(x)[0], module(x)[0])
    inherited = type("Inherited", (type(module),), {})(module.program, dtype=torch.float64)
    inherited.load_state_dict(module.state_dict())
    assert type(copy.deepcopy(inherited)) is type(inherited)
    assert torch.equal(copy.deepcopy(inherited)(x)[0], module(x)[0])
