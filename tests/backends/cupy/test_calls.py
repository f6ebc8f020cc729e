"""What a call of a generated CuPy module does beside its kernels: copies, waiting, memory that stays; where it runs."""

from __future__ import annotations

import gc
from collections import OrderedDict
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from recurrency.backends.cupy.runtime.plans import Plan
from recurrency.backends.cupy.runtime.shelf import PART, VARIABLE, Shelf, bytes_of

from recurrency.errors import ShapeError
from recurrency.model.export import module_text
from tests.backends.cupy.test_module import AVERAGE, REASON, WITH_LOSS, B, H, N, T, drawn, executed, host, models

pytestmark = pytest.mark.skipif(REASON is not None, reason=f"cupy-emulated: {REASON}")
ENOUGH = 2**40


def module_of(text: str = WITH_LOSS, **sizes: int) -> tuple[Any, Any]:
    """The module of a cell on a device of its own, and parameters."""
    model, numpy = models(text, **(sizes or {"N": N, "H": H}))
    return executed(module_text(model)), numpy.init(1)


def on_device(module: Any, params: Any, inputs: Any) -> tuple[Any, Any]:
    """Arguments that are on the device already."""
    xp = module._xp()
    return xp.asarray(params), {name: xp.asarray(array) for name, array in inputs.items()}


@pytest.fixture
def crossings(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The copies between host and device, from now on."""
    from recurrency.backends.cupy.emulated.stand_in import StandIn

    found: list[str] = []
    for name in ("asarray", "asnumpy"):
        copy = getattr(StandIn, name)

        def counted(self: Any, array: Any, *rest: Any, name: str = name, copy: Any = copy) -> Any:
            if isinstance(array, self.ndarray) == (name == "asnumpy"):
                found.append(name)
            return copy(self, array, *rest)

        monkeypatch.setattr(StandIn, name, counted)
    return found


# ------------------------------------------------------------------------------------------------------------- copies


@pytest.mark.parametrize("batch", [B, 20])
def test_a_call_on_the_device_copies_nothing_from_the_host(crossings: list[str], batch: int) -> None:
    module, params = module_of()
    params, inputs = on_device(module, params, drawn(T, batch))
    del crossings[:]
    call = module.forward(params, inputs, training=True, seed=3)[2]
    module.backward(call, {})
    assert crossings == []
    call = module.forward(params, inputs, lengths=[T, *[2] * (batch - 1)])[2]
    module.backward(call, {})
    assert crossings == ["asarray"] * 2
    assert module.forward(params, inputs, lengths=[T] * batch)
    assert len(crossings) == 2


@pytest.mark.parametrize("lengths", [[5, 2, 0], [9, -1, 3], [5, 5, 5]])
def test_lengths_on_the_device_are_used_there(crossings: list[str], lengths: list[int]) -> None:
    module, params = module_of()
    params, inputs = on_device(module, params, drawn())
    function = module._function(module.forward_pass)
    counts = module._xp().asarray(np.array(lengths, np.int64))
    arguments = module._arguments(params, inputs, None, None, False, 0, module.NEEDED)
    del crossings[:]
    found = function(**{**arguments, "lengths": {"t": counts}})
    assert crossings == []
    wanted = module.forward(params, inputs, lengths=np.clip(lengths, 0, T))[0]
    np.testing.assert_array_equal(host(module, found["output:y"]), host(module, wanted["y"]))
    plain = function(**arguments)
    np.testing.assert_array_equal(host(module, plain["output:y"]), host(module, module.forward(params, inputs)[0]["y"]))


class OfDevice:
    """Lengths on a device, as a tensor of torch; it counts how often they are fetched."""

    def __init__(self, numbers: list[int]) -> None:
        self.numbers, self.device, self.fetched = numbers, SimpleNamespace(type="cuda"), 0

    def cpu(self) -> Any:
        torch = pytest.importorskip("torch")
        self.fetched += 1
        return torch.tensor(self.numbers)


def test_a_module_of_torch_fetches_lengths_once(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch")
    from recurrency.backends.torch.runtime import ops

    call: Any = SimpleNamespace(extra=("lengths:t",))
    for first, captured, fetched in ((True, False, 1), (False, False, 0), (True, True, 0)):
        monkeypatch.setattr(ops, "capturing", lambda _, captured=captured: captured)
        lengths = OfDevice([5, 2])
        assert ops._lengths(call, {"lengths:t": lengths}, {"t": 5}, 2, first) == {"t": lengths}
        assert lengths.fetched == fetched
    monkeypatch.undo()
    monkeypatch.setattr(ops, "capturing", lambda _: False)
    assert ops._lengths(call, {"lengths:t": OfDevice([5, 5])}, {"t": 5}, 2, True) is None
    with pytest.raises(ShapeError, match=r"lengths are \[6, 2\]; the batch has 5 steps"):
        ops._lengths(call, {"lengths:t": OfDevice([6, 2])}, {"t": 5}, 2, True)


# ------------------------------------------------------------------------------------------------------------- memory


def test_plans_are_kept_up_to_so_many_bytes_and_the_oldest_go_first() -> None:
    module, params = module_of()
    xp = module._xp()
    module.use(xp, memory=ENOUGH)
    module.backward(module.forward(params, drawn(100))[2], {})
    size = module._made["shelf"].bytes()
    module.use(xp, memory=int(2.5 * size))
    for steps in (100, 101, 102):
        module.backward(module.forward(params, drawn(steps))[2], {})
        assert module._made["shelf"].bytes() <= 2.5 * size
    assert [key[1] for key in module._function(module.forward_pass).plans] == [(101,), (102,)]


class Known:
    """A function of which only the plans are known."""

    def __init__(self) -> None:
        self.plans: Any = OrderedDict()
        self.xp = SimpleNamespace(cuda=SimpleNamespace(runtime=SimpleNamespace(getDevice=lambda: 0)))


def test_the_plan_that_goes_first_is_the_one_used_longest_ago_of_all_functions_on_the_device() -> None:
    shelf, one, other = Shelf(35), Known(), Known()
    far = ((1, 0, 0), "far")

    def key(name: str) -> Any:
        return ((0, 0, 0), name)

    shelf.keep(one, far, Plan(x=np.zeros(1000, np.uint8)))
    for function, name in ((one, "a"), (other, "b"), (one, "c")):
        shelf.keep(function, key(name), Plan(x=np.zeros(10, np.uint8)))
    assert shelf.find(one, key("a"))
    assert shelf.find(one, key("d")) is None
    shelf.keep(other, key("d"), Plan(x=np.zeros(10, np.uint8)))
    assert [name for _, name in (*one.plans, *other.plans)] == ["far", "c", "a", "d"]
    shelf.keep(other, key("e"), Plan(x=np.zeros(100, np.uint8)))
    assert [name for _, name in (*one.plans, *other.plans)] == ["far", "e"]


def test_the_plan_in_use_stays_however_large_it_is() -> None:
    module, params = module_of()
    module.use(module._xp(), memory=0)
    for _ in range(2):
        wanted = host(module, module.forward(params, drawn())[0]["y"])
        assert len(module._function(module.forward_pass).plans) == 1
    plan = module.plan(T, B)
    module.backward(module.forward(params, drawn())[2], {})
    assert not module._function(module.forward_pass).plans
    assert module.plan(T, B) is not plan
    np.testing.assert_array_equal(host(module, module.forward(params, drawn())[0]["y"]), wanted)


def test_release_gives_all_memory_back() -> None:
    module, params = module_of()
    pool = module._xp()._device.pool
    module.backward(module.forward(params, drawn(50))[2], {})
    assert pool.used > 0
    module.release()
    gc.collect()
    assert pool.used == 0


def test_how_much_memory_plans_take_can_be_said(monkeypatch: pytest.MonkeyPatch) -> None:
    module, _ = module_of()
    xp = module._xp()
    assert [bytes_of(text) for text in ("2G", "500 MB".replace(" ", ""), 7, "3k")] == [2**31, 500 * 2**20, 7, 3072]
    monkeypatch.delenv(VARIABLE, raising=False)
    assert Shelf().limit_on(xp, 0) == xp.cuda.runtime.memGetInfo()[1] // PART
    monkeypatch.setenv(VARIABLE, "1M")
    assert Shelf().limit_on(xp, 0) == 2**20
    assert Shelf(5).limit_on(xp, 0) == 5
    monkeypatch.setenv(VARIABLE, "plenty")
    with pytest.raises(ValueError, match=r"a size such as 2G, 500M or 0 .*, not 'plenty'"):
        module.plan(T, B)
    with pytest.raises(ValueError, match="a size such as 2G"):
        module.use(xp, memory="2T")


def test_a_call_that_fails_leaves_nothing_of_the_callers_in_its_plan() -> None:
    module, params = module_of()
    module.use(module._xp(), "gemm")
    params, inputs = on_device(module, params, drawn())
    function = module._function(module.forward_pass)
    function.kernels.clean_real = None  # whatever it is that fails
    with pytest.raises(TypeError):
        module.forward(params, inputs, lengths=[5, 2, 0])
    (plan,) = function.plans.values()
    assert not any(getattr(array, "block", None) is params.block for array in vars(plan).values())
    assert module.forward(params, inputs)


# ------------------------------------------------------------------------------------------------------------- places


@pytest.mark.parametrize("way", ["step", "gemm"])
def test_each_device_has_its_kernels_and_plans(way: str) -> None:
    from recurrency.backends.cupy.emulated.stand_in import StandIn

    module, params = module_of()
    xp: Any = StandIn(devices=2)
    module.use(xp, way)
    found = []
    for number in (0, 1, 0):
        with xp.cuda.Device(number):
            outputs, _, call = module.forward(params, drawn())
            gradient, _, _ = module.backward(call, {"y": xp.asarray(np.ones((T, B, H)))})
            assert outputs["y"].device.id == gradient.device.id == number
            found.append([host(module, a) for a in (outputs["y"], gradient)])
    for one in found[1:]:
        np.testing.assert_equal(one, found[0])
    _, inputs = on_device(module, params, drawn())
    with xp.cuda.Device(1), pytest.raises(ValueError, match="x is on the device 0; this call runs on the device 1"):
        module.forward(params, inputs)


def test_a_module_says_that_it_can_not_be_captured_by_others() -> None:
    module, params = module_of(AVERAGE, H=H)
    params, inputs = on_device(module, params, {"x": np.ones((T, B, H))})
    module.forward(params, inputs)
    with module._xp().cuda.Stream(non_blocking=True) as stream:
        stream.begin_capture()
        with pytest.raises(RuntimeError, match="calls of this module can't be captured in a graph: CuPy multiplies"):
            module.forward(params, inputs)
        stream.end_capture()
        assert module.forward(params, inputs)
