"""The promises of every backend as a class of tests, also for third-party backends.

    from recurrency.testing.conformance import BackendConformance

    from my_package import backend

    class TestMine(BackendConformance):
        backend = backend

pytest collects the class; nothing else is needed. Results are compared with the interpreter in float64, with the bounds
of `recurrency.testing.rounding`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import hypothesis
import numpy as np

from recurrency.backend import Backend, find, infers_only
from recurrency.errors import UsageError
from recurrency.graph.op import Array
from recurrency.graph.roots import FINAL, OUTPUT
from recurrency.model.graphs import SWITCHES
from recurrency.testing.bench import bench
from recurrency.testing.case import Case
from recurrency.testing.cells import CELLS, cell
from recurrency.testing.compare import differences
from recurrency.testing.outcomes import KINDS as CALLS
from recurrency.testing.outcomes import Call, Results, outcome
from recurrency.testing.strategies import cases

if TYPE_CHECKING:
    from recurrency.model.model import Model

RAGGED = {"t": (5, 1, 0), "s": (2, 4, 1)}
STEPS = {"t": 5, "s": 4}
FULLY: dict[str, dict[str, Any]] = {
    "full": {"batch": 3},
    "ragged, from given states": {"batch": 3, "lengths": RAGGED, "state": True},
}
"""Cases for all kinds of calls of any cell."""
SITUATIONS: dict[str, dict[str, Any]] = {
    "no sequence": {"batch": 0},
    "no step": {"batch": 2, "steps": dict.fromkeys(STEPS, 0)},
    "one step": {"batch": 1, "steps": dict.fromkeys(STEPS, 1), "state": True},
    "training": {"batch": 2, "lengths": {"t": (3, 5), "s": (4, 2)}, "training": True, "seed": 5},
    "resets": {"batch": 3, "lengths": {"t": (5, 2, 4), "s": (4, 2, 3)}, "resets": True, "state": True},
    "large numbers": {"batch": 2, "values": "large"},
    "infinite numbers here and there": {"batch": 3, "values": "special", "state": True},
}
"""Further cases of any cell, with their kinds of calls."""
KINDS = ["forward", "backward", "loss_gradients", "chunks"]
GAPS: dict[str, dict[str, Any]] = {
    "two states": {"batch": 3, "mask": True, "state": True, "seed": 1},
    "two clocks": {"batch": 3, "lengths": {"t": (5, 3, 4), "s": (4, 3, 2)}, "mask": True, "resets": True},
    "whole sequences": {"batch": 3, "lengths": {"t": (5, 3, 4)}, "mask": True},
}
"""A case with a mask for some cells."""


def case_of(name: str, dtype: str = "float64", **settings: Any) -> Case:
    """A case of a cell of `CELLS`, over its own clocks."""
    clocks = {str(t.clock) for t in cell(name).elaborate(**CELLS[name].dimensions).inputs.values()}
    by_clock = {n: {c: settings[n][c] for c in clocks} for n in ("steps", "lengths") if settings.get(n)}
    steps = {c: STEPS[c] for c in clocks}
    return Case(CELLS[name].dimensions, **{"steps": steps, "cuts": (2,), "dtype": dtype, **settings, **by_clock})


class BackendConformance:
    """The suite; a subclass names a `backend`, an object or the name of an installed one.

    `dtypes` and `cells` (of `CELLS`) are what it supports (everything, once it is finished),
    `examples` is the number of cases that are drawn for each cell.
    """

    backend: ClassVar[Backend | str]
    dtypes: ClassVar[tuple[str, ...]] = ("float64", "float32")
    cells: ClassVar[tuple[str, ...]] = tuple(CELLS)
    examples: ClassVar[int] = 5

    def pytest_generate_tests(self, metafunc: Any) -> None:
        """One test for each cell and dtype."""
        tables = {"name": self.cells, "dtype": self.dtypes}
        for argument, values in tables.items():
            if argument in metafunc.fixturenames:
                metafunc.parametrize(argument, values)

    def model(self, name: str, dtype: str = "float64") -> Model:
        """A cell compiled for the backend."""
        return bench(cell(name)).model(CELLS[name].dimensions, self.backend, dtype)

    @property
    def infers(self) -> bool:
        """Whether the backend computes no gradients and draws nothing."""
        return infers_only(find(self.backend) if isinstance(self.backend, str) else self.backend)

    def outcome(self, name: str, case: Case, kind: str) -> Results:
        """The results of the backend."""
        return outcome(self.model(name, case.dtype), case, kind)

    def agrees(self, name: str, case: Case, kinds: list[str] | None = None) -> None:
        """Compare all kinds of calls with the interpreter."""
        found = differences(cell(name), case, self.backend, kinds)
        assert not found, "\n".join([repr(case), *map(str, found[:5])])

    # --------------------------------------------------------------------------------------------------- what it is

    def test_it_has_a_name_and_says_that_it_can_run(self) -> None:
        found = find(self.backend) if isinstance(self.backend, str) else self.backend
        assert isinstance(found.name, str)
        assert found.name
        assert found.available() is None

    # ---------------------------------------------------------------------------------------------- what it computes

    def test_it_computes_what_the_interpreter_does(self, name: str, dtype: str) -> None:
        for situation in FULLY.values():
            self.agrees(name, case_of(name, dtype, **situation))
        for situation in SITUATIONS.values():
            self.agrees(name, case_of(name, dtype, **situation), KINDS)

    def test_it_computes_what_the_interpreter_does_without_the_steps_in_gaps(self) -> None:
        for name in (name for name in GAPS if name in self.cells):
            self.agrees(name, case_of(name, self.dtypes[0], **GAPS[name]), KINDS)

    def test_it_computes_what_the_interpreter_does_in_cases_that_are_drawn(self, name: str) -> None:
        @hypothesis.settings(
            max_examples=self.examples,
            deadline=None,
            database=None,
            derandomize=True,
            suppress_health_check=list(hypothesis.HealthCheck),
        )
        @hypothesis.given(cases(cell(name), [CELLS[name].dimensions], self.dtypes))
        def check(case: Case) -> None:
            self.agrees(name, case)

        check()

    def test_a_sequence_with_nan_in_its_state_leaves_the_others_alone(self, name: str, dtype: str) -> None:
        case = case_of(name, dtype, batch=3, state=True)
        call = Call.of(self.model(name, dtype), case)
        wanted = self.outcome(name, case, "forward")
        assert call.data.state is not None
        for array in call.data.state.values():
            if array.dtype.kind == "f":
                array[1] = np.nan
        run = call.model.forward(call.params, call.data.inputs, keep=False, **call.options)
        for port, array in ((call.model.outputs[n], a) for n, a in run.outputs.items()):
            axis = {2: 1, 1: 0}.get(int(port.kind))
            if axis is not None:
                others = np.take(wanted[OUTPUT.of(port.name)], [0, 2], axis)
                np.testing.assert_array_equal(np.take(array, [0, 2], axis), others)

    # ---------------------------------------------------------------------------------------------- whose arrays are

    def test_results_belong_to_the_caller(self, name: str, dtype: str) -> None:
        """Later calls and changes to other arrays do not change them."""
        for kind in ("forward",) if self.infers else ("forward", "backward"):
            case, other = (case_of(name, dtype, batch=3, seed=seed) for seed in (0, 1))
            first = self.outcome(name, case, kind)
            kept = {key: array.copy() for key, array in first.items()}
            second = self.outcome(name, other, kind)
            for key, array in kept.items():
                np.testing.assert_array_equal(first[key], array, err_msg=key)
            for array in second.values():
                if array.flags.writeable and array.size:
                    array[...] = 7
            again = self.outcome(name, case, kind)
            for key, array in kept.items():
                np.testing.assert_array_equal(again[key], array, err_msg=key)

    def test_no_two_results_share_memory(self, name: str) -> None:
        """Writing to one result changes no other, even if they are equal or one contains the other, and no argument."""
        call = Call.of(self.model(name), case_of(name, batch=3, state=True))
        given = {"params": call.params, **call.data.inputs, **(call.data.state or {}), **call.data.seeds}
        for kind in ("forward",) if self.infers else ("forward", "vjp", "loss_gradients", "jvp"):
            listed = list(CALLS[kind](call).items())
            for k, (one, array) in enumerate(listed):
                for other, second in [*listed[k + 1 :], *given.items()]:
                    assert not np.shares_memory(array, second), f"{kind}: {one} and {other}"

    def test_the_arrays_of_the_caller_stay_as_they_are(self, name: str, dtype: str) -> None:
        call = Call.of(self.model(name, dtype), case_of(name, dtype, batch=3, state=True))
        given = {"params": call.params, **call.data.inputs, **(call.data.state or {})}
        before = {n: a.copy() for n, a in given.items()}
        run = call.model.forward(call.params, call.data.inputs, **call.options)
        if not self.infers:
            call.model.backward(run, call.seeds(OUTPUT), call.seeds(FINAL))
        for n, array in before.items():
            np.testing.assert_array_equal(given[n], array, err_msg=n)

    def test_arrays_need_not_be_contiguous(self, name: str, dtype: str) -> None:
        call = Call.of(self.model(name, dtype), case_of(name, dtype, batch=3))
        strided = {n: np.repeat(a, 2, axis=1)[:, ::2] for n, a in call.data.inputs.items()}
        strided = {n: a.astype(call.model.inputs[n].dtype(call.model.real)) for n, a in strided.items()}
        for n in strided:
            strided[n] = np.asfortranarray(strided[n])
        wanted = call.model.forward(call.params, call.data.inputs, keep=False)
        found = call.model.forward(call.params, strided, keep=False)
        for n, array in wanted.outputs.items():
            np.testing.assert_array_equal(found.outputs[n], array)

    def test_what_lies_in_padding_does_not_matter(self, name: str, dtype: str) -> None:
        case = case_of(name, dtype, batch=3, lengths=RAGGED)
        call = Call.of(self.model(name, dtype), case)
        wanted = self.outcome(name, case.clean(), "forward" if self.infers else "backward")
        for n, array in call.data.inputs.items():
            port = call.model.inputs[n]
            array[~case.valid(port.clock)] = np.nan if port.index is None else 10**6
        run = call.model.forward(call.params, call.data.inputs, **call.options)
        if self.infers:
            found = {OUTPUT.of(n): a for n, a in run.outputs.items()} | {FINAL.of(n): a for n, a in run.state.items()}
        else:
            found = call.gradients(call.model.backward(run, call.seeds(OUTPUT), call.seeds(FINAL)))
        for key, array in found.items():
            np.testing.assert_array_equal(array, wanted[key], err_msg=key)

    # ------------------------------------------------------------------------------------------------------ randomness

    def test_equal_seeds_give_equal_numbers_and_others_do_not(self, dtype: str) -> None:
        model = self.model("random", dtype)
        call = Call.of(model, case_of("random", dtype, batch=3))

        def drawn(seed: int) -> Array:
            return model.forward(call.params, call.data.inputs, training=True, seed=seed, keep=False).output

        if self.infers:
            try:
                drawn(1)
            except UsageError:
                return
            raise AssertionError("it should refuse to draw random numbers")
        outputs = [drawn(seed) for seed in (1, 1, 2, -1, 2**40 + 1)]
        np.testing.assert_array_equal(outputs[0], outputs[1])
        assert not any(np.array_equal(outputs[0], other) for other in outputs[2:])

    def test_nothing_is_random_out_of_training(self, dtype: str) -> None:
        model = self.model("random", dtype)
        call = Call.of(model, case_of("random", dtype, batch=3))
        one, other = (model.forward(call.params, call.data.inputs, seed=seed, keep=False).output for seed in (1, 2))
        np.testing.assert_array_equal(one, other)

    # -------------------------------------------------------------------------------------------------------- switches

    def test_it_computes_the_same_without_any_pass(self, name: str) -> None:
        found = find(self.backend) if isinstance(self.backend, str) else self.backend
        switches = {*SWITCHES, *getattr(found, "switches", ())}
        case = case_of(name, batch=3, lengths=RAGGED)
        wrong = differences(cell(name), case, self.backend, ["forward", "backward"], switches)
        assert not wrong, "\n".join(map(str, wrong[:5]))
