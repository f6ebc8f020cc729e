"""Modules made with `flat=True`: one parameter, the same numbers, and a `state_dict` that both forms load."""

from __future__ import annotations

import copy
import io
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import recurrency as rc
from recurrency.model.export import module_text
from recurrency.optim import HessianFree
from tests.support.torch_modules import QUIET, random, torch

nn = torch.nn
close = torch.testing.assert_close
exactly = {"rtol": 0, "atol": 0}
pytestmark = QUIET


def made(flat: bool = True, seed: int = 0, **options: Any) -> Any:
    """A module in float64."""
    return rc.library.spec("PlainLSTM").module(
        **{"N": 3, "H": 4, "dtype": torch.float64, "seed": seed, **options}, flat=flat
    )


def parts(module: Any, vector: Any) -> dict[str, Any]:
    """The parts of a vector like the parameter, by name."""
    table = module.program.parameters
    return {name: vector[o : o + int(np.prod(shape))].view(shape) for name, (o, shape) in table.items()}


def trained(module: Any, steps: int = 3) -> dict[str, Any]:
    """The parameters after some steps of Adam."""
    adam, x = torch.optim.Adam(module.parameters(), lr=0.01, weight_decay=0.1), random(5, 2, 3)
    for _ in range(steps):
        adam.zero_grad()
        module(x)[0].square().sum().backward()
        nn.utils.clip_grad_norm_(module.parameters(), 0.5)
        adam.step()
    return {key: value.clone() for key, value in module.state_dict().items()}


def test_there_is_one_parameter_and_training_is_the_same() -> None:
    one, many = made(), made(flat=False)
    assert [name for name, _ in one.named_parameters()] == ["flat_param"]
    assert one.flat_param.shape == (one.program.size,)
    assert "flat=True" in repr(one)
    close(trained(one), trained(many), rtol=1e-12, atol=1e-14)


def test_results_and_gradients_are_the_same_to_the_last_bit() -> None:
    one, many, x = made(), made(flat=False), random(5, 2, 3, requires_grad=True)
    found, wanted = (torch.autograd.grad(m(x)[0].square().sum(), [x, *m.parameters()]) for m in (one, many))
    close(found[0], wanted[0], **exactly)
    names = {many.keys[name]: name for name in many.program.parameters}
    expected = {names[key]: g for (key, _), g in zip(many.named_parameters(), wanted[1:], strict=True)}
    close(parts(one, found[1]), expected, **exactly)


def test_second_derivatives_and_functional_calls() -> None:
    module, x = made(N=2, H=2), random(3, 2, 2)
    of = lambda p: torch.func.functional_call(module, {"flat_param": p}, (x,))[0]  # noqa: E731
    p = module.flat_param
    assert torch.autograd.gradgradcheck(of, (p,), atol=1e-4)
    close(torch.func.grad(lambda p: of(p).sum())(p.detach()), torch.autograd.grad(module(x)[0].sum(), p)[0])


@pytest.mark.parametrize("ours", [True, False])
def test_either_form_loads_what_the_other_has_saved(ours: bool) -> None:
    file = io.BytesIO()
    torch.save(nn.Sequential(made(flat=not ours)).state_dict(), file)
    saved, other = torch.load(io.BytesIO(file.getvalue())), nn.Sequential(made(flat=ours, seed=1))
    assert set(saved) == set(other.state_dict())
    assert str(other.load_state_dict(saved)) == "<All keys matched successfully>"
    close(dict(other.state_dict()), dict(saved), **exactly)


def test_wrong_checkpoints_are_refused_and_change_nothing() -> None:
    module = made()
    before, state = module.flat_param.detach().clone(), dict(made(seed=1).state_dict())
    less = {key: value for key, value in state.items() if key != "W_f"}
    for wrong, message in (
        (less, r'Missing key\(s\) in state_dict: "W_f"'),
        ({**state, "W_i": random(4, 4)}, r"size mismatch for W_i: .*\[4, 4\].*\[4, 3\]"),
        ({**state, "W_i": [[1.0]]}, "W_i is a list in the checkpoint, and no tensor"),
    ):
        with pytest.raises(RuntimeError, match=message):
            module.load_state_dict(wrong)
    mixed = {**state, "W_i": state["W_i"].float()}
    with pytest.raises(RuntimeError, match=r"torch.float32, torch.float64 can't be parts of one vector"):
        module.load_state_dict(mixed, assign=True)
    with pytest.raises(RuntimeError, match=r'Unexpected key\(s\) in state_dict: "V"'):
        module.load_state_dict({**before_of(module), "V": random(2)})
    kept = parts(module, before)["W_f"]
    close(module.parameters_by_name()["W_f"].detach(), kept, **exactly)
    assert module.load_state_dict(less, strict=False).missing_keys == ["W_f"]
    close(dict(module.state_dict()), {**state, "W_f": kept}, **exactly)


def before_of(module: Any) -> dict[str, Any]:
    return {key: value.clone() for key, value in module.state_dict().items()}


def test_a_module_without_content_takes_that_of_a_checkpoint() -> None:
    empty, full, x = made(device="meta"), made(seed=1), random(5, 2, 3)
    empty.load_state_dict(full.state_dict(), assign=True)
    assert isinstance(empty.flat_param, nn.Parameter)
    close(empty(x)[0], full(x)[0], **exactly)


@pytest.mark.parametrize(
    "way", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m)), lambda m: made().to(m.flat_param)]
)
def test_copies_have_a_vector_of_their_own(way: Callable[[Any], Any]) -> None:
    module, x = made(), random(5, 2, 3)
    wanted = module(x)[0]
    copied = way(module)
    with torch.no_grad():
        module.flat_param.zero_()
    close(copied(x)[0], wanted, **exactly)
    assert copied._vector({})[1][0] is copied.flat_param


def test_parts_by_name_are_views_that_can_be_written_to() -> None:
    module = made()
    nn.init.constant_(module.parameters_by_name()["b_f"], 3.0)
    assert module.state_dict()["b_f"].tolist() == [3.0] * 4
    assert module.flat_param.eq(3).sum() == 4


@pytest.mark.parametrize(
    "value", [nn.Parameter(random(4, 3)), random(4, 3), nn.Linear(3, 4)], ids=lambda v: type(v).__name__
)
def test_nothing_can_take_the_place_of_a_part(value: Any) -> None:
    module = made()
    with pytest.raises(rc.UsageError, match="W_i is a part of flat_param"):
        module.W_i = value
    with pytest.raises(rc.UsageError, match="W_i is a part of flat_param"):
        module.register_parameter("W_i", nn.Parameter(random(4, 3)))


def test_a_part_can_not_be_frozen_alone() -> None:
    with pytest.raises(RuntimeError, match="requires_grad flags of leaf"):
        made().parameters_by_name()["W_i"].requires_grad_(False)


def test_a_parametrised_vector_is_stored_as_its_parametrisation() -> None:
    module, x = made(), random(5, 2, 3)
    wanted = module(x)[0]
    nn.utils.parametrize.register_parametrization(module, "flat_param", nn.Identity())
    assert list(module.state_dict()) == ["parametrizations.flat_param.original"]
    close(module(x)[0], wanted, **exactly)


def test_compiled_modules_nested_cells_and_files() -> None:
    module, x = made(), random(5, 2, 3)
    compiled = torch.compile(module, backend="eager", fullgraph=True)
    close(compiled(x)[0], module(x)[0], **exactly)
    close(
        torch.autograd.grad(compiled(x)[0].sum(), module.flat_param),
        torch.autograd.grad(module(x)[0].sum(), module.flat_param),
    )
    nested = rc.library.Music.module(N=3, H=4, flat=True)
    assert "p.Linear.W" in nested.state_dict()
    nested.loss(torch.ones(5, 2, 3)).backward()
    assert nested.flat_param.grad.abs().sum() > 0
    text: dict[str, Any] = {"__name__": "generated"}
    exec(module_text(rc.library.spec("PlainLSTM").compile(backend="torch", N=3, H=4)), text)
    alone = text["PlainLSTM"](dtype=torch.float64, flat=True)
    alone.load_state_dict(module.state_dict())
    close(alone(x)[0], module(x)[0])


def test_a_cell_without_parameters_has_none_in_this_form_either() -> None:
    module = rc.parse("cell Sum[N](x: [N]) -> (y: [N]) {\n    state y : [N] = 0\n    y = y[t-1] + x\n}").module(
        N=2, flat=True
    )
    assert not list(module.parameters())
    assert not module.state_dict()


def test_hessian_free_takes_the_vector() -> None:
    sides = [rc.library.Music.module(N=3, H=4, seed=0, dtype=torch.float64, flat=flat) for flat in (True, False)]
    losses = [float(HessianFree(m).step(torch.ones(5, 2, 3, dtype=torch.float64))) for m in sides]
    assert losses[0] == pytest.approx(losses[1])
    close(dict(sides[0].state_dict()), dict(sides[1].state_dict()), rtol=1e-6, atol=1e-8)
