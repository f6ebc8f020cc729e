"""Whose memory the plans of a generated CuPy module use: each stream its own, and none that others need more."""

from __future__ import annotations

import gc
from typing import Any

import numpy as np
import pytest

from recurrency.model.export import module_text
from tests.backends.cupy.test_module import REASON, WITH_LOSS, B, H, N, T, drawn, executed, host, models

pytestmark = pytest.mark.skipif(REASON is not None, reason=f"cupy-emulated: {REASON}")


def module_of(memory: int | None = None) -> tuple[Any, Any]:
    """The module of a cell on a device of its own, and parameters."""
    model, numpy = models(WITH_LOSS, N=N, H=H)
    return executed(module_text(model), memory), numpy.init(1)


def blocks(plan: Any) -> set[int]:
    """The memory that a plan holds."""
    return {id(a.block) for a in vars(plan).values() if hasattr(a, "block")}


@pytest.mark.parametrize("way", ["step", "split", "gemm"])
def test_streams_share_no_memory(way: str) -> None:
    """What two streams do runs at the same time: one would write what the other still reads."""
    module, _ = module_of()
    xp = module._xp()
    module.use(xp, way)
    first = module.plan(T, B)
    with xp.cuda.Stream(non_blocking=True):
        second = module.plan(T, B)
        assert module.plan(T, B) is second
    assert module.plan(T, B) is first
    assert blocks(first)
    assert not blocks(first) & blocks(second)


def test_threads_with_streams_of_their_own_share_no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """The stream of each thread has one and the same number in all of them."""
    module, _ = module_of()
    threads, streams = iter([1, 2, 1]), module._xp().cuda.get_current_stream()
    monkeypatch.setattr(streams, "ptr", module.PER_THREAD)
    monkeypatch.setattr(module.threading, "get_ident", lambda: next(threads))
    first, second, again = (module.plan(T, B) for _ in range(3))
    assert first is again
    assert not blocks(first) & blocks(second)


def test_a_captured_graph_is_not_launched_where_nothing_is_to_be_done() -> None:
    module, params = module_of()
    for steps, batch in ((0, B), (T, 0), (T, B)):
        module.forward(params, drawn(steps, batch))
        assert bool(module.plan(steps, batch).graphs) is bool(steps and batch)


def test_very_long_loops_are_not_captured(monkeypatch: pytest.MonkeyPatch) -> None:
    module, params = module_of()
    captured = host(module, module.forward(params, drawn())[0]["y"])
    monkeypatch.setattr(module, "MOST_STEPS", T - 1)
    module.use(module._xp())
    np.testing.assert_array_equal(host(module, module.forward(params, drawn())[0]["y"]), captured)
    assert not module.plan(T, B).graphs


def test_plans_of_other_sizes_make_room() -> None:
    module, params = module_of()
    module.backward(module.forward(params, drawn(400, B))[2], {})
    pool = module._xp()._device.pool
    pool.limit = pool.used + 10_000
    found, _, _ = module.forward(params, drawn(401, B))
    wanted, _, _ = module_of()[0].forward(params, drawn(401, B))
    np.testing.assert_array_equal(host(module, found["y"]), wanted["y"].host)
    assert not module._function(module.backward_pass).plans


def test_a_full_device_keeps_nothing_of_what_failed() -> None:
    module, params = module_of(memory=300_000)
    with pytest.raises(MemoryError, match="forward_pass needs more memory than the device has"):
        module.forward(params, drawn(4000, B))
    gc.collect()
    assert module._xp()._device.pool.used == 0
    assert module.forward(params, drawn())[0]["y"].shape == (T, B, H)


@pytest.mark.parametrize("what", ["plan", "inputs"])
def test_room_is_made_for_whatever_is_allocated(what: str) -> None:
    module, params = module_of()
    module.forward(params, drawn(400, B))
    pool = module._xp()._device.pool
    pool.limit = pool.used + 1000
    module.plan(401, B) if what == "plan" else module._arrays(module.INPUTS, drawn(401, B))
    assert not any(key[1] == (400,) for key in module._function(module.forward_pass).plans)
