"""The predicted time of each plan of a program's loops over time, as a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from recurrency.errors import UsageError

from ...python.module import executed
from .. import check
from . import sass
from .devices import DEVICES, TOLERANCE, USUAL, Device
from .model import Machine, Step, step
from .recording import ways

FEW, MANY = 32, 96
"""Steps of the two runs whose difference is the time of a step."""

CAPTURED = ("step", "split")
"""Plans whose steps are captured as a graph."""


@dataclass(frozen=True)
class Row:
    """A plan of one loop of a function; `steps` has a prediction for each device, by its name."""

    function: str
    states: str
    plan: str
    steps: dict[str, Step]


@dataclass(frozen=True)
class Forecast:
    """The rows as a table of texts; the headings of columns of numbers begin with >."""

    title: str
    head: tuple[str, ...]
    rows: list[tuple[str, ...]]


def obstacle() -> str | None:
    """Why no times can be predicted here, or None."""
    return check.obstacle() or sass.obstacle()


def predicted(
    source: str,
    batch: int,
    chosen: Sequence[Device] = DEVICES,
    functions: Sequence[str] = ("forward_pass", "backward_pass"),
) -> list[Row]:
    """The time of a step of each loop over time in a module's source, for each plan.

    Raises:
        UsageError: NVRTC or nvdisasm is not installed, or a kernel can't be followed.
    """
    reason = obstacle()
    if reason is not None:
        raise UsageError(reason)
    module: Any = executed(source, "cupy", "module")
    machines = [Machine(check.kernel_texts(source), device) for device in chosen]
    out = []
    for name in functions:
        few, many = (ways(module, name, steps, batch) for steps in (FEW, MANY))
        for (states, plan), calls in many.items():
            loop, times = plan == "loop", {}
            for machine in machines:
                captured = loop or plan in CAPTURED
                times[machine.device.name] = step(machine, few[states, plan], calls, MANY - FEW, captured)
            out.append(Row(name, states, plan, times))
    return out


def forecast(source: str, batch: int, chosen: Sequence[Device] = DEVICES) -> Forecast:
    """The predictions for a module's source as a table. For errors see `predicted`."""
    found = predicted(source, batch, chosen)
    names = [device.name for device in chosen]
    shown = USUAL if USUAL in chosen else chosen[0]
    title = (
        f"us that a step of a loop over time takes for {batch} sequences, without the products before and after the "
        f"loop, predicted from machine code, within {TOLERANCE:.0%}; launches and bound on {shown.name}:"
    )
    rows = [
        (
            row.function.removesuffix("_pass"),
            row.states,
            row.plan,
            *(rounded(row.steps[name].us) for name in names),
            f"{row.steps[shown.name].calls:.3g}",
            row.steps[shown.name].bound,
        )
        for row in found
    ]
    return Forecast(
        title, ("Pass", "Loop over", "Plan", *(f">{name}" for name in names), ">Launches", "Bound by"), rows
    )


def rounded(us: float) -> str:
    """A time with two digits."""
    return f"{us:.0f}" if us >= 9.95 else f"{us:.1f}" if us >= 0.95 else f"{us:.2f}"
