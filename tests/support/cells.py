"""Random data for a case of `tests.transcriptions`, and derivatives of a compiled cell along random directions."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import accumulate, pairwise
from typing import Any

import numpy as np

import recurrency as rc
from tests.transcriptions import CASES, Case, Trace, transcribe

Array = np.ndarray[Any, Any]
Arrays = Mapping[str, Array]
STEPS = {"t": 6, "s": 5}
LENGTHS = {"t": np.array([6, 1, 4]), "s": np.array([2, 5, 3])}
BATCH = 3
CASE = {case.cell: case for case in CASES}


@cache
def spec_of(cell: str) -> Any:
    """The shipped cell: one for all backends, whose models then share its graphs."""
    return rc.library.spec(cell)


@cache
def compiled(cell: str, backend: str) -> Any:
    return spec_of(cell).compile(backend=backend, dtype="float64", **CASE[cell].dimensions)


@cache
def compiled_with_loss(cell: str, backend: str) -> Any:
    """The cell itself if it has a loss; else the cell used in another, whose loss is a distance from a target."""
    model = compiled(cell, backend)
    return model if model.has_loss else with_loss(cell).compile(backend=backend, dtype="float64")


@cache
def with_loss(cell: str) -> Any:
    """A cell that uses another one, with a loss."""
    case, model = CASE[cell], compiled(cell, "interpreter")
    inputs = ", ".join(f"{name}: {written(port)}" for name, port in model.inputs.items())
    wanted = written(next(iter(model.outputs.values())))
    bound = ", ".join(f"{name} = {size}" for name, size in case.dimensions.items() if name != "N")  # N is inferred
    text = f"""
        use {cell} from library

        cell Probe({inputs}, target: {wanted}) -> (y: {wanted}) {{
            y = {cell}{f"[{bound}]" if bound else ""}({", ".join(model.inputs)})
            loss squared_error(y, target)
        }}"""
    return rc.parse(text, name=f"{cell} with a loss")


def written(port: Any) -> str:
    """An input or output as a header has it."""
    type_ = f"[{', '.join(map(str, port.shape))}]" if port.index is None else f"index[{port.index}]"
    return type_ if port.clock == "t" else f"{type_} over {port.clock}"


@dataclass(frozen=True)
class Data:
    """All that a run is given. `state` is None where the declared first values are to be used."""

    params: Array
    inputs: dict[str, Array]
    state: dict[str, Array] | None
    lengths: dict[str, Array] | None

    @property
    def keywords(self) -> dict[str, Any]:
        return {"state": self.state, "lengths": self.lengths}

    def alone(self, b: int, case: Case) -> Data:
        """One sequence of the batch, cut to its length."""
        assert self.lengths is not None
        cut = {name: x[: self.lengths[case.inputs[name].clock][b], b : b + 1] for name, x in self.inputs.items()}
        state = None if self.state is None else {name: value[b : b + 1] for name, value in self.state.items()}
        return Data(self.params, cut, state, None)

    def moved(self, by: float, direction: Mapping[tuple[str, str], Array]) -> Data:
        """All reals of the data a little further along a direction, whose keys are as those of `reals`."""
        state = self.state and {k: v + by * direction.get(("state", k), 0.0) for k, v in self.state.items()}
        inputs = {
            k: v + by * d if (d := direction.get(("input", k))) is not None else v for k, v in self.inputs.items()
        }
        return Data(self.params + by * direction["params", ""], inputs, state, self.lengths)

    def reals(self) -> Iterator[tuple[tuple[str, str], Array]]:
        """Everything by which one can differentiate."""
        yield ("params", ""), self.params
        for kind, arrays in ("input", self.inputs), ("state", self.state or {}):
            yield from (((kind, name), array) for name, array in arrays.items() if array.dtype.kind == "f")


def random_params(model: Any, rng: np.random.Generator) -> Array:
    """Every parameter at random, also those whose first value would be zero, in the model's own layout."""
    return model.pack({name: 0.5 * rng.standard_normal(p.shape) for name, p in model.parameters.items()})


def random_data(case: Case, model: Any, handed: bool = False, ragged: bool = False, seed: int = 0) -> Data:
    """Real inputs, bits or symbols; positive first states, so that sums of positive numbers stay positive."""
    rng = np.random.default_rng(seed)
    params = random_params(model, rng)
    inputs = {name: port.draw(rng, STEPS[port.clock], BATCH) for name, port in case.inputs.items()}
    if "target" in model.inputs and "target" not in inputs:
        inputs["target"] = rng.standard_normal((STEPS["t"], BATCH, *model.inputs["target"].shape))
    state = {name: rng.uniform(0.1, 1.0, (BATCH, *shape)) for name, shape in model.states.items()}
    clocks = {port.clock for port in case.inputs.values()}
    lengths = {clock: LENGTHS[clock] for clock in clocks} if ragged else None
    return Data(params, inputs, state if handed else None, lengths)


def expected(case: Case, model: Any, data: Data) -> Trace:
    """What the transcription says."""
    whole = {clock: np.full(BATCH, steps) for clock, steps in STEPS.items()}
    lengths = {name: (data.lengths or whole)[port.clock] for name, port in case.inputs.items()}
    return transcribe(case.transcription, model.views(data.params), data.inputs, lengths, data.state)


def with_spoilt_padding(case: Case, data: Data) -> Data:
    """What lies beyond each sequence's end replaced: not a number, or another symbol."""
    assert data.lengths is not None
    inputs = {}
    for name, array in data.inputs.items():
        port = case.inputs[name]
        over = np.arange(len(array))[:, None] >= data.lengths[port.clock]
        inputs[name] = array.copy()
        inputs[name][over] = np.nan if port.symbols is None else 0
    return Data(data.params, inputs, data.state, data.lengths)


def random_direction(data: Data, seed: int = 1) -> dict[tuple[str, str], Array]:
    """A direction for all that is real in the data, of length one."""
    rng = np.random.default_rng(seed)
    direction = {key: rng.standard_normal(array.shape) for key, array in data.reals()}
    length = np.sqrt(sum(np.sum(d**2) for d in direction.values()))
    return {key: d / length for key, d in direction.items()}


def projection(gradients: Any, direction: Mapping[tuple[str, str], Array]) -> float:
    """<gradients, direction>."""
    parts = {"input": gradients.inputs, "state": gradients.state}
    found = {key: gradients.params if key[0] == "params" else parts[key[0]][key[1]] for key in direction}
    return float(sum(np.sum(found[key] * d) for key, d in direction.items()))


def slope(f: Callable[[float], Any], step: float = 2e-3) -> Any:
    """The derivative at 0 by central differences, extrapolated twice (Richardson): the error is of the sixth order."""
    table = [(f(h) - f(-h)) / (2 * h) for h in (step, step / 2, step / 4)]
    for order in 1, 2:
        table = [(4**order * b - a) / (4**order - 1) for a, b in pairwise(table)]
    return table[0]


def pieces(data: Data, sizes: list[int]) -> Iterator[dict[str, Array]]:
    """The inputs cut along time."""
    ends = accumulate(sizes)
    for start, end in pairwise([0, *ends]):
        yield {name: array[start:end] for name, array in data.inputs.items()}
