"""Parameters and cells may be called like anything that a module of PyTorch has, and the module stays one."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterable
from typing import Any

import pytest

import recurrency as rc
from recurrency.model.export import module_text
from tests.support.torch_modules import random, torch
from tests.support.words import names

nn = torch.nn
OURS = "program keys state_form path model loss_and_state _vector _seen flat flat_param"
LATER = "parametrizations original dump_patches T_destination"
ATTRIBUTES = names([*sorted(set(dir(nn.Module()))), *OURS.split(), *LATER.split()])


def summed(terms: Iterable[str]) -> list[str]:
    """Equations of the sum `v` of many terms, which an expression would be too deep for."""
    lines = [f"    sum{k} = {f'sum{k - 1} + ' if k else ''}{term}" for k, term in enumerate(terms)]
    return [*lines, f"    v = sum{len(lines) - 1}"]


def text() -> str:
    """A cell that has a parameter, and one that has a cell within it, of each name."""
    flat = [f"    param {name} : [N] ~ ones" for name in ATTRIBUTES]
    cells = [f"    {name} = Inner(u)" for name in ATTRIBUTES]
    head = "[N](u: [N]) -> (v: [N]) {"
    inner = [f"cell Inner{head}", "    param W, training, _x : [N] ~ ones", "    v = u * W + training + _x", "}"]
    outer = [f"cell Outer{head}", *cells, *summed(ATTRIBUTES), "}"]
    return "\n".join([f"cell Flat{head}", *flat, *summed(f"{n} * u" for n in ATTRIBUTES), "}", *inner, *outer])


def made(cell: str, alone: bool) -> Any:
    """A module of one of these cells, in memory or of a file that stands alone."""
    spec = rc.parse(text(), cell=cell)
    if not alone:
        return spec.module(N=2, dtype=torch.float64)
    module: dict[str, Any] = {"__name__": "generated"}
    exec(module_text(spec.compile(backend="torch", N=2)), module)
    return module[cell](dtype=torch.float64)


@pytest.mark.parametrize("alone", [False, True])
@pytest.mark.parametrize("cell", ["Flat", "Outer"])
def test_a_module_with_such_names_is_still_a_module(cell: str, alone: bool) -> None:
    module, x = made(cell, alone), random(4, 2, 2)
    for parameter in module.parameters():
        nn.init.normal_(parameter)
    wanted = module(x)[0]
    assert not module.eval().training
    assert module.train().training
    assert len(list(module.named_parameters())) == len(set(module.state_dict())) == len(module.parameters_by_name())
    other = made(cell, alone)
    assert not other.load_state_dict(module.state_dict()).missing_keys
    assert torch.equal(other(x)[0], wanted)
    moved = copy.deepcopy(module).half().double().to("cpu").requires_grad_(False)(x)[0]
    size = sum(parameter.abs().sum() for parameter in module.parameters()) * x.abs().max()
    assert (moved - wanted).abs().max() <= 2**-11 * size, "each parameter is rounded to the 11 bits of half"
    module.zero_grad()
    module.apply(lambda part: part.register_forward_hook(lambda *_: None))
    module(x)[0].sum().backward()
    assert all(p.grad is not None for p in module.parameters())
    assert repr(module)


@pytest.mark.parametrize("cell", ["Flat", "Outer"])
def test_names_of_the_spec_are_taken_for_keys(cell: str) -> None:
    module = made(cell, False)
    given = {name: torch.full_like(p, k) for k, (name, p) in enumerate(module.parameters_by_name().items())}
    module.load_state_dict(given)
    assert [float(p.detach()[0]) for p in module.parameters_by_name().values()] == list(range(len(given)))
    with pytest.raises(RuntimeError, match=re.escape("Unexpected key")):
        module.load_state_dict({**given, "further": torch.zeros(2)})


def test_ordinary_names_are_the_keys() -> None:
    module = rc.library.spec("Music").module(N=3, H=4)
    assert list(module.state_dict()) == list(module.parameters_by_name())
    within = rc.parse(text(), cell="Inner").module(N=2)
    assert list(within.state_dict()) == ["W", "training_", "x_"]


def test_keys_that_would_be_one_are_told_apart() -> None:
    words = ("training", "training_", "_training", "__training", "x_", "_x")
    spec = (
        f"cell C[N](u: [N]) -> (v: [N]) {{\n    param {', '.join(words)} : [N] ~ ones\n    v = {' + '.join(words)}\n}}"
    )
    keys = rc.parse(spec).module(N=2).keys
    assert keys["training_"] == "training_"
    assert keys["x_"] == "x_"
    assert len(set(keys.values())) == len(keys) == 6
