"""Networks on PyTorch for the tests: every specimen and every shipped cell as a module, with random arguments."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np
import pytest

import recurrency as rc
from recurrency.testing.cells import cell
from tests.support.cells import CASE
from tests.support.specimens import SPECIMENS

torch = pytest.importorskip("torch")
torch.set_num_threads(1)  # tiny tensors: more threads would only wait for one another

QUIET = [
    pytest.mark.filterwarnings("ignore:.*torch.jit.*:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning:torch"),
    pytest.mark.filterwarnings("ignore::FutureWarning:torch"),
    pytest.mark.filterwarnings("ignore::UserWarning:torch"),
]
"""For what torch says of itself while it records graphs."""

STEPS = {"t": 3, "s": 2}
BATCH = 2
LENGTHS = {"t": [1, 3], "s": [2, 1]}
CELLS = [*SPECIMENS, *CASE]


def spec_of(name: str) -> Any:
    """A specimen, or a shipped cell."""
    return cell(name) if name in SPECIMENS else rc.library.spec(name)


def dimensions_of(name: str) -> dict[str, Any]:
    return dict(SPECIMENS[name].dimensions if name in SPECIMENS else CASE[name].dimensions)


@cache
def shared(name: str, streams: bool = False) -> Any:
    """A module in float64 whose parameters are all random, in training mode; not to be changed."""
    chosen = list(spec_of(name).compile(**dimensions_of(name)).streams)[:2] if streams else []
    module = spec_of(name).module(dtype=torch.float64, streams=chosen, **dimensions_of(name))
    generator = torch.Generator().manual_seed(1)
    for parameter in module.parameters():
        torch.nn.init.normal_(parameter, 0, 0.5, generator=generator)
    return module.train()


def lstm(**options: Any) -> Any:
    """A small LSTM in float64."""
    return rc.library.spec("LSTM").module(**{"N": 3, "H": 4, "dtype": torch.float64, "seed": 0, **options})


def random(*shape: int, seed: int = 0, requires_grad: bool = False) -> Any:
    """Random numbers in float64."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64, requires_grad=requires_grad)


def inputs_of(module: Any, seed: int = 0) -> dict[str, Any]:
    """Random inputs between 0 and 1 (which suits all losses), or symbols."""
    rng = np.random.default_rng(seed)
    out = {}
    for name, port in module.model.inputs.items():
        shape = (STEPS[port.clock], BATCH, *port.shape)
        array = rng.uniform(0.1, 0.9, shape) if port.index is None else rng.integers(0, port.index, shape)
        out[name] = torch.from_numpy(array)
    return out


def state_of(module: Any, seed: int = 0) -> dict[str, Any]:
    """Random first states."""
    rng = np.random.default_rng(seed)
    out = {}
    for name, port in module.model.state_ports.items():
        shape = (BATCH, *port.shape)
        array = rng.uniform(0.1, 0.9, shape) if port.index is None else rng.integers(0, port.index, shape)
        out[name] = torch.from_numpy(array)
    return out


def lengths_of(module: Any) -> dict[str, list[int]]:
    """Lengths of the sequences on the clocks of a module."""
    return {clock: LENGTHS[clock] for clock in module.model.clocks}


def flat(found: Any) -> Iterator[Any]:
    """All real tensors of nested results."""
    if isinstance(found, torch.Tensor):
        if found.is_floating_point():
            yield found
        return
    for part in found.values() if isinstance(found, dict) else found:
        yield from flat(part)
