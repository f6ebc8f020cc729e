"""Parameters are views of one vector, which calls read where it lies; whoever breaks that gets the same numbers."""

from __future__ import annotations

import copy
import io
from collections.abc import Callable
from typing import Any

import pytest

import recurrency as rc
from tests.support.torch_modules import QUIET, random, torch

nn = torch.nn
close = torch.testing.assert_close
pytestmark = QUIET


def made(seed: int = 0) -> Any:
    """A module in float64."""
    return rc.library.spec("PlainLSTM").module(N=3, H=4, dtype=torch.float64, seed=seed)


def together(module: Any) -> bool:
    """Whether a call reads the parameters where they lie."""
    return bool(module._vector({})[1])


def computed(module: Any, x: Any) -> list[Any]:
    """Results and gradients; parameters that are no leaves have none."""
    y, state = module(x)
    leaves = [p for p in module.parameters() if p.requires_grad]
    return [y, *state.values(), *torch.autograd.grad((y * y).sum(), leaves, allow_unused=True)]


def by_copies(module: Any, x: Any) -> list[Any]:
    """The same of a vector that is put together from the parameters as they are now."""
    tensors = {name: p.detach().clone().requires_grad_(p.requires_grad) for name, p in module.named_parameters()}
    y, state = torch.func.functional_call(module, tensors, (x,))
    leaves = [t for t in tensors.values() if t.requires_grad]
    return [y, *state.values(), *torch.autograd.grad((y * y).sum(), leaves, allow_unused=True)]


def _replaced(m: Any) -> None:
    m.W_i = nn.Parameter(random(4, 3))


def _data(m: Any) -> None:
    m.W_f.data = random(4, 3)


def _transposed(m: Any) -> None:
    m.U_i.data = m.U_i.data.t()


def _exchanged(m: Any) -> None:
    m.U_i.data, m.U_f.data = m.U_f.data, m.U_i.data


def _same_data(m: Any) -> None:
    m.U_i.data = m.U_g.data


def _same_parameter(m: Any) -> None:
    m.U_i = m.U_g


def _expanded(m: Any) -> None:
    m.b_i.data = random(1).expand(4)


def _shifted(m: Any) -> None:
    """By one number within the vector."""
    m.b_i.data = m.b_i.data.as_strided((4,), (1,), m.b_i.storage_offset() - 1)


def _other_vector(m: Any) -> None:
    """As `vector_to_parameters`: in the order of `parameters()`, which need not be that of the vector."""
    nn.utils.vector_to_parameters(random(sum(p.numel() for p in m.parameters())), m.parameters())


def _assigned(m: Any) -> None:
    m.load_state_dict({name: t.clone() for name, t in made(1).state_dict().items()}, assign=True)


def _normed(m: Any) -> None:
    nn.utils.parametrizations.weight_norm(m, "W_i")


def _spectral(m: Any) -> None:
    nn.utils.parametrizations.spectral_norm(m.eval(), "W_i")


WAYS = [
    *(_replaced, _data, _transposed, _exchanged, _same_data, _same_parameter, _expanded, _shifted, _other_vector),
    *(_assigned, _normed, _spectral),
]


@pytest.mark.parametrize("breaks", WAYS, ids=lambda way: way.__name__.strip("_"))
def test_parameters_that_lie_elsewhere_are_read_where_they_are(breaks: Callable[[Any], None]) -> None:
    module, x = made(), random(5, 2, 3)
    before = computed(module, x)
    assert together(module)
    breaks(module)
    found = computed(module, x)
    assert not together(module)
    assert not torch.equal(found[0], before[0])
    close(found, by_copies(module, x), rtol=1e-12, atol=1e-12)


def test_a_parameter_in_another_shape_is_refused_where_it_lies() -> None:
    module = made()
    module.U_i.data = module.U_i.data.view(2, 8)
    with pytest.raises(rc.UsageError, match=r"the parameter U_i is \[2, 8\]; PlainLSTM needs \[4, 4\]"):
        module(random(5, 2, 3))


def test_neighbours_by_chance_are_not_one_vector() -> None:
    """Two tensors, the second of which begins where the first ends."""
    module, x = made(), random(5, 2, 3)
    wanted = by_copies(module, x)
    array, middle = module._vector({})[0].numpy().copy(), module._places[5].offset
    parts = (torch.from_numpy(array[:middle]), torch.from_numpy(array[middle:]))
    for place in module._places:
        start = place.offset - middle * (place.offset >= middle)
        part = parts[place.offset >= middle][start : start + place.numbers]
        module.get_parameter(place.name).data = part.view(place.shape)
    assert not together(module)
    close(computed(module, x), wanted, rtol=0, atol=0)


def _deepcopied(m: Any) -> Any:
    return copy.deepcopy(m)


def _pickled(m: Any) -> Any:
    file = io.BytesIO()
    torch.save(m, file)
    return torch.load(io.BytesIO(file.getvalue()), weights_only=False)


def _loaded(m: Any) -> Any:
    other = made(1)
    other.load_state_dict(m.state_dict())
    return other


def _converted(m: Any) -> Any:
    return copy.deepcopy(m).float().double()


def _emptied(m: Any) -> Any:
    other = rc.library.spec("PlainLSTM").module(N=3, H=4, dtype=torch.float64, device="meta").to_empty(device="cpu")
    other.load_state_dict(m.state_dict())
    return other


def _within(m: Any) -> Any:
    return copy.deepcopy(nn.Sequential(m)).to(torch.float64)[0]


@pytest.mark.parametrize("way", [_deepcopied, _pickled, _loaded, _converted, _emptied, _within])
def test_copies_are_views_of_a_vector_of_their_own(way: Callable[[Any], Any]) -> None:
    module, x = made().float().double(), random(5, 2, 3)
    wanted, other = by_copies(module, x), way(module)
    assert together(other)
    close(computed(other, x), wanted, rtol=0, atol=0)
    with torch.no_grad():
        other.U_f.add_(1)
    close(computed(module, x), wanted, rtol=0, atol=0)
    close(computed(other, x), by_copies(other, x), rtol=0, atol=0)


OPTIMISERS: dict[str, Callable[[Any], Any]] = {
    "sgd": lambda ps: torch.optim.SGD(ps, lr=0.1, momentum=0.9),
    "adam": lambda ps: torch.optim.Adam(ps, lr=0.1),
    "foreach": lambda ps: torch.optim.Adam(ps, lr=0.1, foreach=True),
    "fused": lambda ps: torch.optim.Adam(ps, lr=0.1, fused=True),
}


@pytest.mark.parametrize("name", OPTIMISERS)
def test_optimisers_train_the_same_as_on_separate_parameters(name: str) -> None:
    one, other, x = made(), made(), random(5, 2, 3)
    for parameter in other.parameters():
        parameter.data = parameter.data.clone()
    assert together(one)
    assert not together(other)
    for module in (one, other):
        module.b_o.requires_grad_(False)
        optimiser = OPTIMISERS[name]([p for p in module.parameters() if p.requires_grad])
        for step in range(3):
            optimiser.zero_grad(set_to_none=step != 1)
            for _ in range(2):  # gradients add up
                module(x)[0].square().sum().backward()
            optimiser.step()
    assert together(one)
    assert one.b_o.grad is None
    close(list(one.parameters()), list(other.parameters()), rtol=0, atol=0)
    close([p.grad for p in one.parameters()], [p.grad for p in other.parameters()], rtol=0, atol=0)


def test_gradients_are_views_of_one_vector_and_hooks_are_called() -> None:
    module = made()
    heard: list[Any] = []
    for parameter in module.parameters():
        parameter.register_post_accumulate_grad_hook(heard.append)
    module(random(5, 2, 3))[0].sum().backward()
    assert len(heard) == len(list(module.parameters()))
    assert len({p.grad.untyped_storage().data_ptr() for p in module.parameters()}) == 1


def test_second_derivatives_flow_into_each_parameter() -> None:
    module, x = made(), random(5, 2, 3).requires_grad_()

    def force(y: Any, leaves: list[Any]) -> list[Any]:
        (found,) = torch.autograd.grad(y.square().sum(), x, create_graph=True)
        first = torch.autograd.grad(y.square().sum(), leaves[0], create_graph=True)[0]
        return [found, *torch.autograd.grad(found.square().sum() + first.sum(), leaves)]

    tensors = {name: p.detach().clone().requires_grad_() for name, p in module.named_parameters()}
    wanted = force(torch.func.functional_call(module, tensors, (x,))[0], list(tensors.values()))
    close(force(module(x)[0], list(module.parameters())), wanted)


def test_shared_memory_stays_shared() -> None:
    module, x = made(), random(5, 2, 3)
    module.share_memory()
    assert all(p.is_shared() for p in module.parameters())
    assert together(module)
    replica = copy.copy(module)
    module.double()
    assert all(p.is_shared() for p in module.parameters())
    with torch.no_grad():
        module.U_f.mul_(2)
    close(replica(x)[0], by_copies(module, x)[0], rtol=0, atol=0)


def test_separate_parameters_in_shared_memory_stay_there() -> None:
    module = made()
    for parameter in module.parameters():
        parameter.data = parameter.data.clone()
    module.share_memory().double()
    assert all(p.is_shared() for p in module.parameters())


def test_what_a_forward_pass_keeps_can_be_put_away_and_computed_again() -> None:
    module, x = made(), random(5, 2, 3)
    sizes: list[int] = []

    def put(tensor: Any) -> Any:
        sizes.append(tensor.numel())
        return tensor.clone()

    wanted = computed(module, x)
    with torch.autograd.graph.saved_tensors_hooks(put, lambda tensor: tensor):
        found = computed(module, x)
    close(found, wanted, rtol=0, atol=0)
    assert sum(sizes) > module.model.size + x.numel()
    again = torch.utils.checkpoint.checkpoint(lambda x: module(x)[0], x, use_reentrant=False)
    gradients = torch.autograd.grad((again * again).sum(), list(module.parameters()))
    close([again, *gradients], [wanted[0], *wanted[3:]], rtol=0, atol=0)


def test_a_change_of_one_parameter_is_none_of_another() -> None:
    """What is recorded of one can be differentiated after it."""
    module, x = made(), random(5, 2, 3)
    assert together(module)
    kept = (module.W_i**2).sum()
    with torch.no_grad():
        module.b_i.add_(1)
    kept.backward()
    (first, second) = torch.autograd.grad(module(x)[0].sum(), [module.W_i, module.b_i])
    z = torch.ones_like(second, requires_grad=True)
    kept = (z * second).sum()
    first.mul_(2)
    kept.backward()
    close(z.grad, second)


def test_missing_gradients_of_states_are_zero_in_every_batch() -> None:
    module = made()
    for batch in (2, 5, 1):
        y, state = module(random(3, batch, 3))
        results = [y, *state.values()]
        seeds = [random(3, batch, 4), *(torch.zeros_like(value) for value in state.values())]
        wanted = torch.autograd.grad(results, list(module.parameters()), seeds, retain_graph=True)
        close(torch.autograd.grad(y, list(module.parameters()), seeds[0]), wanted, rtol=0, atol=0)
