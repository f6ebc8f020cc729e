"""Calls of native code: several threads, several callers, memory that is used again, and code as users get it."""

from __future__ import annotations

import ctypes
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import recurrency as rc
from recurrency import backend, library
from recurrency.backend import Call
from recurrency.model import spec
from tests.support.usual import diagonal

REASON = backend.describe()["c"]
pytestmark = pytest.mark.skipif(REASON is not None, reason=f"c: {REASON}")

CELLS = {
    "LSTM": {"N": 5, "H": 13},
    "GRU": {"N": 5, "H": 8},
    "FastWeights": {"N": 3, "H": 7},
    "Mamba": {"N": 4},
    "LayerNormLSTM": {"N": 4, "H": 9},
    "Bidirectional": {"N": 3, "H": 6},
    "LSTMOutputProjection": {"N": 3, "H": 6, "P": 5},
    "MinGRU": {"N": 3, "H": 18},
    "LRU": {"N": 3, "H": 5, "K": 16},
}

SHARES: dict[str, tuple[str, list[int] | None]] = {
    f"{what}, {'ragged' if lengths else 'full'}": (what, lengths)
    for what in ("sequences", "steps")
    for lengths in (None, [7, 3, 0, 1, 7])
}


@pytest.fixture
def threads(monkeypatch: pytest.MonkeyPatch) -> Any:
    """`threads(2)` makes each call use two threads, however small it is."""
    from recurrency.backends.c.runtime import pool
    from recurrency.backends.c.runtime import runner as runtime_runner

    def use(count: int) -> None:
        monkeypatch.setenv("RECURRENCY_THREADS", str(count))
        pool.threads.cache_clear()
        monkeypatch.setattr(runtime_runner, "SMALL", 0)

    yield use
    pool.threads.cache_clear()


def arrays(model: Any, steps: int = 7, batch: int = 5, seed: int = 0) -> tuple[Any, dict[str, Any]]:
    rng = np.random.default_rng(seed)
    inputs = {n: rng.standard_normal((steps, batch, *p.shape)).astype(model.real) for n, p in model.inputs.items()}
    return rng.standard_normal(model.size).astype(model.real), inputs


def both(model: Any, params: Any, inputs: Any, lengths: Any = None) -> list[Any]:
    """Outputs and all gradients, where each output's gradient is the output."""
    run = model.forward(params, inputs, lengths=lengths)
    found = model.backward(run, run.outputs)
    return [*(a.copy() for a in run.outputs.values()), found.params, *found.inputs.values()]


ONE_UNIT = "cell OneUnit[N](x: [N]) -> (y: [1]) {\n    param V : [1, N] ~ glorot_uniform\n    y = V @ x\n}\n"
"""The gradient of V has one row and many columns, which threads share."""


@pytest.fixture
def guards(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What lies behind the workspace of each call, and is 0."""
    from recurrency.backends.c.runtime import runner as runtime_runner

    found: list[Any] = []

    def guarded(size: int) -> tuple[int, int, Any]:
        memory = np.zeros(2 * size + 4096, np.uint8)
        first = -memory.ctypes.data % 64
        found.append(memory[first + size :])
        return size, memory.ctypes.data + first, memory

    monkeypatch.setattr(runtime_runner, "new_workspace", guarded)
    return found


@pytest.mark.parametrize("columns", [701, 1400])
def test_threads_write_nothing_behind_the_workspace(columns: int, threads: Any, guards: list[Any]) -> None:
    found = []
    for count in (1, 2, 3, 5):
        threads(count)
        model = rc.parse(ONE_UNIT).compile(backend="c", N=columns)
        params, inputs = arrays(model, 150, 20)
        run = model.forward(params, inputs)
        found.append(model.backward(run, {"y": np.ones_like(run.outputs["y"])}).params)
    assert guards
    assert not any(behind.any() for behind in guards)
    for other in found[1:]:
        np.testing.assert_allclose(other, found[0], rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize(("cell", "how"), diagonal(CELLS, list(SHARES)))
def test_threads_share_the_work(cell: str, how: str, threads: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """And what a loop reads is computed at once, or for a few steps at a time, which are here 7, and 1 or 2."""
    from recurrency.backends.c import sizes

    what, lengths = SHARES[how]
    if what == "steps":
        monkeypatch.setattr(sizes, "WORTH", 0)
    found = []
    for count in (1, 2, 3):
        threads(count)
        monkeypatch.setenv("RECURRENCY_CFLAGS", "-O0" if count == 1 else "-O0 -DREC_CHUNK=300")
        model = library.spec(cell).compile(backend="c", dtype="float64", **CELLS[cell])
        params, inputs = arrays(model)
        found.append(both(model, params, inputs, lengths))
        again = both(model, params, inputs, lengths)
        assert all((a == b).all() for a, b in zip(found[-1], again, strict=True)), "not the same bits in every run"
    for other in found[1:]:
        for a, b in zip(found[0], other, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12 * max(1.0, np.abs(b).max()))


@pytest.mark.parametrize("what", ["sequences", "steps"])
def test_there_may_be_more_threads_than_sequences_or_steps(
    what: str, threads: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from recurrency.backends.c import sizes

    threads(8)
    if what == "steps":
        monkeypatch.setattr(sizes, "WORTH", 0)
    model = library.spec("GRU").compile(backend="c", dtype="float64", N=2, H=3)
    other = library.spec("GRU").compile(backend="interpreter", dtype="float64", N=2, H=3)
    for steps, batch in ((1, 1), (2, 3), (0, 2), (3, 0), (5, 1)):
        params, inputs = arrays(model, steps, batch)
        for a, b in zip(both(model, params, inputs), both(other, params, inputs), strict=True):
            np.testing.assert_allclose(a, b, rtol=0, atol=1e-12)


def test_several_callers_do_not_disturb_each_other(threads: Any) -> None:
    threads(2)
    model = library.spec("LSTM").compile(backend="c", dtype="float64", N=3, H=5)
    cases = [arrays(model, seed=seed) for seed in range(4)]
    wanted = [both(model, *case) for case in cases]
    wrong: list[int] = []

    def work(k: int) -> None:
        for _ in range(20):
            if any((a != b).any() for a, b in zip(both(model, *cases[k]), wanted[k], strict=True)):
                wrong.append(k)

    workers = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert not wrong


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_fork_has_threads_of_its_own(threads: Any) -> None:
    threads(2)
    model = library.spec("LSTM").compile(backend="c", dtype="float64", N=3, H=5)
    case = arrays(model)
    wanted = both(model, *case)
    child = os.fork()
    if not child:
        good = all((a == b).all() for a, b in zip(both(model, *case), wanted, strict=True))
        os._exit(0 if good else 1)
    assert os.waitpid(child, 0)[1] == 0


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_fork_while_another_thread_is_in_a_call_has_threads_of_its_own(threads: Any) -> None:
    threads(2)
    model = library.spec("LSTM").compile(backend="c", dtype="float64", N=3, H=40)
    case, long = arrays(model), arrays(model, 200, 16)
    model.forward(*long, keep=False)  # compiled before
    wanted, ended = both(model, *case), threading.Event()

    def work() -> None:
        while not ended.is_set():
            model.forward(*long, keep=False)

    worker = threading.Thread(target=work)
    worker.start()
    try:
        for _ in range(6):
            time.sleep(0.01)
            child = os.fork()
            if not child:
                signal.alarm(10)
                good = all((a == b).all() for a, b in zip(both(model, *case), wanted, strict=True))
                os._exit(0 if good else 1)
            assert os.waitpid(child, 0)[1] == 0, "the child hung, or computed something else"
    finally:
        ended.set()
        worker.join()


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_fork_while_another_thread_compiles_can_compile(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is worked out once for all that ask is worked out under a lock by some versions of Python."""
    began, ended = threading.Event(), threading.Event()
    works_out = spec.Text.parsed

    def slowly(text: Any) -> Any:
        if text.source.name == "slow":
            began.set()
            ended.wait(20)
        return works_out(text)

    monkeypatch.setattr(spec.Text, "parsed", slowly)
    worker = threading.Thread(target=rc.parse, args=("cell A(x: [2]) -> (y: [2]) {\n    y = x\n}", "slow"))
    worker.start()
    began.wait(20)
    child = os.fork()
    if not child:
        signal.alarm(10)
        rc.parse("cell A(x: [2]) -> (y: [2]) {\n    y = x\n}").compile(backend="c")
        os._exit(0)
    ended.set()
    worker.join()
    assert os.waitpid(child, 0)[1] == 0


@pytest.fixture
def interrupt_after() -> Iterator[Callable[[float], None]]:
    """`interrupt_after(0.1)`: in so many seconds somebody presses Ctrl-C."""
    before = signal.getsignal(signal.SIGINT)
    timers: list[threading.Timer] = []

    def begin(seconds: float) -> None:
        timers.append(threading.Timer(seconds, os.kill, (os.getpid(), signal.SIGINT)))
        timers[-1].start()

    yield begin
    for timer in timers:
        timer.cancel()
        timer.join()
    signal.signal(signal.SIGINT, before)


@pytest.fixture(params=["one thread", "sequences", "steps", "chunks"])
def slow(request: pytest.FixtureRequest, threads: Any, monkeypatch: pytest.MonkeyPatch) -> tuple[Any, Any, Any, float]:
    """A model, its arrays, and the seconds of a forward call; threads share sequences or steps, or there is one.

    With `chunks` they share the products that a loop without products reads, and wait for one another after some steps.
    """
    from recurrency.backends.c import sizes
    from recurrency.backends.c.runtime import runner as runtime_runner

    threads(1 if request.param == "one thread" else 2)
    if request.param == "steps":
        monkeypatch.setattr(sizes, "WORTH", 0)
    monkeypatch.setattr(runtime_runner, "LONG", 0)
    if request.param in ("steps", "chunks"):
        monkeypatch.setenv("RECURRENCY_CFLAGS", f"-O0 -DREC_CHUNK={300 if request.param == 'steps' else 3000}")
    model = library.spec("MinGRU" if request.param == "chunks" else "LSTM").compile(backend="c", N=3, H=48)
    params, inputs = arrays(model, 400, 4)
    model.forward(params, inputs, keep=False)
    begin = time.perf_counter()
    model.forward(params, inputs, keep=False)
    more = max(2, round(0.3 / (time.perf_counter() - begin)))
    inputs = {name: np.concatenate([array] * more) for name, array in inputs.items()}
    begin = time.perf_counter()
    model.forward(params, inputs, keep=False)
    return model, params, inputs, time.perf_counter() - begin


def called(model: Any, params: Any, inputs: Any) -> None:
    """Calls one after the other: where others kept the machine busy before, one is shorter than it was."""
    for _ in range(20):
        model.forward(params, inputs, keep=False)


def test_ctrl_c_ends_a_long_call_between_two_steps(slow: Any, interrupt_after: Callable[[float], None]) -> None:
    model, params, inputs, whole = slow
    begin = time.perf_counter()
    interrupt_after(0.1 * whole)
    with pytest.raises(KeyboardInterrupt):
        called(model, params, inputs)
    assert time.perf_counter() - begin < 0.8 * whole
    short = {name: array[:30] for name, array in inputs.items()}
    run = model.forward(params, short)
    assert np.isfinite(model.backward(run, run.outputs).params).all(), "the model can be used as before"


def test_ctrl_c_that_somebody_handles_changes_no_number(slow: Any, interrupt_after: Callable[[float], None]) -> None:
    model, params, inputs, whole = slow
    wanted = model.forward(params, inputs, keep=False).outputs["h"].copy()
    heard: list[int] = []
    signal.signal(signal.SIGINT, lambda number, frame: heard.append(number))
    interrupt_after(0.1 * whole)
    for _ in range(20):  # where others kept the machine busy before, a call is shorter than it was
        found = model.forward(params, inputs, keep=False).outputs["h"]
        assert (found == wanted).all()
        if heard:
            break
    assert heard == [signal.SIGINT]


def test_a_wrong_number_of_threads_is_refused(monkeypatch: pytest.MonkeyPatch, threads: Any) -> None:
    threads(1)
    from recurrency.backends.c.runtime import pool

    for wrong in ("0", "many", "-1", "1000"):
        monkeypatch.setenv("RECURRENCY_THREADS", wrong)
        pool.threads.cache_clear()
        with pytest.raises(rc.UsageError, match=f"RECURRENCY_THREADS is a whole number from 1 to 256, not '{wrong}'"):
            pool.threads()


def test_what_is_given_may_change_from_call_to_call() -> None:
    """A plan for a size is not that of a call which hands over other first states."""
    model = library.spec("LSTM").compile(backend="c", dtype="float64", N=2, H=3)
    other = library.spec("LSTM").compile(backend="interpreter", dtype="float64", N=2, H=3)
    params, inputs = arrays(model, 3, 2)
    state = {n: np.full((2, 3), 0.5) for n in ("h", "c")}
    for given in (None, {"h": state["h"]}, state, None):
        found, wanted = (m.forward(params, inputs, state=given) for m in (model, other))
        np.testing.assert_allclose(found.outputs["h"], wanted.outputs["h"], rtol=0, atol=1e-12)
        a, b = model.backward(found, wanted.outputs), other.backward(wanted, wanted.outputs)
        np.testing.assert_allclose(a.params, b.params, rtol=0, atol=1e-12)
        np.testing.assert_allclose(a.state["h"], b.state["h"], rtol=0, atol=1e-12)


LAYOUTS: dict[str, Callable[[Any], Any]] = {
    "as C has it": lambda x: x.copy(),
    "by columns": lambda x: np.asfortranarray(x),
    "with gaps": lambda x: np.repeat(x, 2, axis=2)[:, :, ::2],
    "backwards": lambda x: x[::-1].copy()[::-1],
    "at an odd address": lambda x: np.frombuffer(b"1" + x.tobytes(), np.uint8)[1:].view(x.dtype).reshape(x.shape),
    "with its bytes the other way round": lambda x: x.astype(x.dtype.newbyteorder()),
    "not to be written": lambda x: np.frombuffer(x.tobytes(), x.dtype).reshape(x.shape),
    "wider": lambda x: x.astype(np.longdouble),
    "narrower": lambda x: x.astype(np.float32),
    "of another kind": lambda x: x.astype(np.int64),
}


SUMS = """
cell Sums[N](x: [N], i: index[3]) -> (y: [N]) {
    param E : [3, N] ~ normal(0, 1)
    state s : [N] = 0
    s = s[t-1] + x
    y = s + embed(E, i)
}
"""


@pytest.mark.parametrize("has_api", [True, False], ids=["buffers", "ctypes"])
def test_arrays_are_read_however_they_lie(has_api: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the buffer protocol, and where Python has no C API, through ctypes; no object is read by where it has what."""
    from recurrency.backends.c.runtime import objects, pool

    if not has_api:
        monkeypatch.setattr(objects, "functions", lambda: None)
    pool.api.cache_clear()
    pool.enter.cache_clear()
    try:
        model = rc.parse(SUMS).compile(backend="c", dtype="float64", N=4)
        runner = model.programs.runner("forward", ())
        x, i = np.arange(40.0).reshape(5, 2, 4), np.arange(10).reshape(5, 2) % 3
        params = model.init()
        wanted = np.cumsum(x, 0) + model.views(params)["E"][i]
        for name, layout in LAYOUTS.items():
            given = {"x": layout(x), "i": layout(i[:, :, None])[:, :, 0]}
            found = runner(Call(params, given, None, {"t": 5}, 2))
            np.testing.assert_allclose(found["output:y"], wanted, rtol=1e-14, err_msg=name)
    finally:
        pool.api.cache_clear()
        pool.enter.cache_clear()


def test_memory_is_used_again_once_nobody_holds_it() -> None:
    model = library.spec("GRU").compile(backend="c", N=2, H=3)
    params, inputs = arrays(model, 4, 2)
    addresses = set()
    for _ in range(20):
        output = model.forward(params, inputs, keep=False).outputs["h"]
        addresses.add(output.ctypes.data)
        del output
    assert len(addresses) == 1
    kept = [model.forward(params, inputs, keep=False).outputs["h"] for _ in range(5)]
    assert len({a.ctypes.data for a in kept}) == 5
    part = kept.pop()[1:, :1, 2]
    value = part.copy()
    model.forward(params, {"x": inputs["x"] + 1}, keep=False)
    assert (part == value).all()


def test_memory_is_kept_for_the_sizes_that_were_used_last() -> None:
    model = library.spec("GRU").compile(backend="c", N=2, H=3)
    params, inputs = arrays(model, 12, 2)
    for steps in (1, *range(2, 9), 1, 9):
        model.forward(params, {"x": inputs["x"][:steps]}, keep=False)
    (runner,) = model.programs._runners.values()
    assert [key[3] for key in runner.plans] == [("t", steps) for steps in (3, 4, 5, 6, 7, 8, 1, 9)]


def test_calls_of_all_sizes_share_a_workspace_and_pass_on_memory_for_results() -> None:
    """Batches of sentences have a new size each time; new memory would cost as much time as the computation."""
    model = rc.parse(WORDS).compile(backend="c", dtype="float64", V=50, N=3)
    other = rc.parse(WORDS).compile(backend="interpreter", dtype="float64", V=50, N=3)
    params, x = model.init(seed=1), np.random.default_rng(0).integers(0, 50, (24, 2))
    addresses = set()
    for steps in (*range(1, 25, 2), 5, 2, 24):
        loss, grads, _ = model.loss_and_gradients(params, {"x": x[:steps]}, wrt=("params",))
        wanted, right, _ = other.loss_and_gradients(params, {"x": x[:steps]}, wrt=("params",))
        np.testing.assert_allclose(loss, wanted, rtol=1e-13)
        np.testing.assert_allclose(grads.params, right.params, rtol=0, atol=1e-14)
        addresses.add(grads.params.ctypes.data)
        del grads
    (runner,) = model.programs._runners.values()
    assert len(runner.idle) == 1
    assert len(addresses) <= 8


def test_the_gradient_of_a_table_touches_only_the_rows_of_its_symbols() -> None:
    """A comparison with each row of the table would take 20 times as long as all the rest, with 6,000 words."""
    model = rc.parse(WORDS).compile(backend="c", V=50, N=3)
    (runner,) = [model.programs.runner("loss_gradients", ("params",))]
    source = runner.source
    assert "50 * id / count || i0 >= 50 * (id + 1) / count) continue;" in source
    assert "row_ == i0" not in source.split("sums")[-1]


WORDS = """
cell Words[V, N](x: index[V]) -> (y: [N]) {
    param E : [V, N] ~ normal(0, 1)
    y = tanh(embed(E, x[t-1]) + embed(E, x))
    loss square(sum(y))
}
"""


LONG = [pytest.param(name, marks=pytest.mark.long) for name in ("MinGRU", "LayerNormLSTM", "Mamba")]
"""Their code takes long to optimise."""


@pytest.mark.parametrize("cell", ["LSTM", *LONG])
def test_code_as_users_get_it_is_right(cell: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The other tests compile without optimising, to save time; whole vectors, and what is left over, are used here."""
    monkeypatch.delenv("RECURRENCY_CFLAGS", raising=False)
    for H in (8, 13, 19):
        dimensions = {"N": 5, "H": H} if cell != "Mamba" else {"N": H}
        model = library.spec(cell).compile(backend="c", **dimensions)
        other = library.spec(cell).compile(backend="numpy", dtype="float64", **dimensions)
        params, inputs = arrays(model, 6, 7)
        found = both(model, params, inputs)
        wanted = both(other, params.astype(float), {n: a.astype(float) for n, a in inputs.items()})
        for a, b in zip(found, wanted, strict=True):
            np.testing.assert_allclose(a, b, rtol=0, atol=2e-5 * max(1.0, np.abs(b).max()))


def test_auto_is_native_where_there_is_a_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RECURRENCY_BACKEND")
    assert library.spec("Elman").compile(N=1, H=1).backend == "c"
    monkeypatch.setenv("RECURRENCY_BACKEND", "interpreter")
    assert library.spec("Elman").compile(N=1, H=1).backend == "interpreter"
    monkeypatch.delenv("RECURRENCY_BACKEND")
    from recurrency.backends.c.backend import CBackend

    monkeypatch.setattr(CBackend, "available", lambda self: "no compiler")
    assert backend.automatic() == ("numpy", "c can't run here: no compiler")
    assert library.spec("Elman").compile(N=1, H=1).backend == "numpy"


FAILS = """
__attribute__((visibility("default"))) int fails(const void *who, long long id, long long count) {
    return count == 3 && id == *(const long long *)who;
}
"""


@pytest.mark.parametrize("who", [0, 1, 2, None])
def test_a_part_that_fails_fails_the_call_and_no_later_one(who: int | None) -> None:
    """Whichever thread it runs on; a part that is not zero says what is wrong."""
    from recurrency.backends.c.runtime import compiler, pool

    fails = compiler.library(FAILS)["fails"]
    pool.enter()  # loads the pool, which then stays
    run = pool._loaded[-1]["run"]
    run.argtypes = (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_longlong)
    part = ctypes.cast(fails, ctypes.c_void_p)
    numbers = [ctypes.c_longlong(-1 if who is None else who), ctypes.c_longlong(-1)]
    assert [run(part, ctypes.addressof(number), 3) for number in numbers] == [int(who is not None), 0]
