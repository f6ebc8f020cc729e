"""Results of an `nn.Module` belong to the caller: no later call changes them, no two share memory, inputs stay."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations
from typing import Any

import pytest

from tests.support.specimens import SPECIMENS
from tests.support.torch_modules import QUIET, inputs_of, lengths_of, shared, state_of, torch

pytestmark = QUIET

NAMES = [*SPECIMENS, "LSTM", "GRU", "Translate"]


def named(prefix: str, found: Any) -> dict[str, Any]:
    """The tensors of nested arguments or results, by where they stand."""
    if isinstance(found, torch.Tensor):
        return {prefix: found.detach()}
    parts = found.items() if isinstance(found, dict) else enumerate(found)
    return {name: t for key, part in parts for name, t in named(f"{prefix} {key}", part).items()}


class Call:
    """One call of a module with arguments of its own, its results and gradients, and copies of them all."""

    def __init__(self, module: Any, seed: int, ragged: bool, kept: bool) -> None:
        self.given: dict[str, Any] = {"input": inputs_of(module, seed), "state": state_of(module, seed)}
        self.leaves = [x for group in self.given.values() for x in group.values() if x.is_floating_point()]
        self.given["parameter"] = dict(module.named_parameters())
        self.before = self._copied(self.given)
        lengths = lengths_of(module) if ragged else None
        with torch.set_grad_enabled(kept):
            for leaf in self.leaves:
                leaf.requires_grad_(kept)
            self.results = {"result": module(self.given["input"], self.given["state"], lengths, seed=seed)}
        if kept:
            self.results["gradient"] = self._gradients(module)
        self.after = self._copied(self.results)

    def _gradients(self, module: Any) -> list[Any]:
        tensors = [t for t in _flat(self.results["result"]) if t.requires_grad]
        adjoints = [torch.full_like(t, 0.5 + k) for k, t in enumerate(tensors)]
        self.given["adjoint"] = adjoints
        self.before |= self._copied({"adjoint": adjoints})
        sources = [*self.leaves, *module.parameters()]
        found = torch.autograd.grad(tensors, sources, adjoints, allow_unused=True)
        return [g for g in found if g is not None]

    @staticmethod
    def _copied(found: Any) -> dict[str, Any]:
        return {name: t.clone() for name, t in named("", found).items()}

    def unchanged(self) -> None:
        """What was given, and what came of it, is what it was."""
        for found, wanted in (self.given, self.before), (self.results, self.after):
            for name, tensor in named("", found).items():
                assert torch.equal(tensor, wanted[name]), name


def _flat(found: Any) -> list[Any]:
    if isinstance(found, torch.Tensor):
        return [found]
    return [t for part in (found.values() if isinstance(found, dict) else found) for t in _flat(part)]


def memory(tensor: Any) -> tuple[int, int]:
    """The first byte, and the one after the last."""
    last = sum((n - 1) * s for n, s in zip(tensor.shape, tensor.stride(), strict=True))
    return tensor.data_ptr(), tensor.data_ptr() + (last + 1) * tensor.element_size()


def each_way(test: Callable[..., None]) -> Callable[..., None]:
    """Specimens and shipped cells; full and ragged sequences; with gradients and without; small results and large."""
    for word in ("large", "kept", "ragged"):
        test = pytest.mark.parametrize(word, [True, False], ids=[word, f"not {word}"])(test)
    return pytest.mark.parametrize("name", NAMES)(test)


def module_of(name: str, ragged: bool, kept: bool, large: bool, patch: pytest.MonkeyPatch) -> Any:
    """A module; with `large` its functions take all results for large ones, whose memory they use again."""
    module = shared(name, streams=True)
    Call(module, 0, ragged, kept)  # now its functions are there
    for function in module.program._functions.values() if large else ():
        patch.setitem(function.__globals__, "LARGE_RESULT", 4)
        patch.setitem(function.__globals__, "_free", {})
    return module


@each_way
def test_later_calls_change_no_earlier_results_and_nothing_that_was_given(
    name: str, ragged: bool, kept: bool, large: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = module_of(name, ragged, kept, large, monkeypatch)
    first, second = (Call(module, seed, ragged, kept) for seed in (1, 2))
    for call in (first, second):
        call.unchanged()
    for tensor in named("", second.results).values():
        tensor.fill_(7)
    again = Call(module, 1, ragged, kept)
    for call in (first, again):
        call.unchanged()
    for found, wanted in zip(again.after.items(), first.after.items(), strict=True):
        assert found[0] == wanted[0]
        assert torch.equal(found[1], wanted[1]), found[0]


@each_way
def test_no_two_results_share_memory(
    name: str, ragged: bool, kept: bool, large: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = module_of(name, ragged, kept, large, monkeypatch)
    calls = [Call(module, seed, ragged, kept) for seed in (1, 2)]
    results = {f"{k}{n}": t for k, call in enumerate(calls) for n, t in named("", call.results).items() if t.numel()}
    given = {f"{k}{n}": t for k, call in enumerate(calls) for n, t in named("", call.given).items() if t.numel()}
    pairs = [*combinations(results.items(), 2), *((one, other) for one in results.items() for other in given.items())]
    for (one, first), (other, second) in pairs:
        (start, end), (begin, stop) = memory(first), memory(second)
        assert end <= begin or stop <= start, f"{one} and {other}"
