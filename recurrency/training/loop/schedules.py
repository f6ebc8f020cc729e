"""How the learning rate changes over time: one dataclass each, a factor on the rate as a function of the epochs done.

Time is counted in epochs, with parts: 2.5 is in the middle of the third one. `SCHEDULES` is the table by name.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from recurrency.errors import UsageError, nearest_hint


@dataclass(frozen=True)
class Schedule:
    """The base of all schedules: in the first `warmup` epochs the factor grows linearly from 0."""

    warmup: float = 0.0

    def factor(self, time: float, epochs: int) -> float:
        """The factor on the rate after `time` epochs out of `epochs`."""
        rising = min(1.0, time / self.warmup) if self.warmup > 0 else 1.0
        return rising * self.after_warmup(time, epochs)

    def after_warmup(self, time: float, epochs: int) -> float:
        """The factor without the warm-up."""
        raise NotImplementedError


@dataclass(frozen=True)
class Constant(Schedule):
    """The rate stays as it is."""

    def after_warmup(self, time: float, epochs: int) -> float:
        return 1.0


@dataclass(frozen=True)
class Step(Schedule):
    """Multiplied by `decay` every `every` epochs, first after `after` epochs.

    Zaremba et al. 2014, section 4.1: the rate is halved every epoch from some epoch on; Sutskever et al. 2014, section
    3.4: every half epoch after five.
    """

    decay: float = 0.5
    after: float = 1.0
    every: float = 1.0

    def after_warmup(self, time: float, epochs: int) -> float:
        return 1.0 if time < self.after else float(self.decay ** (1 + math.floor((time - self.after) / self.every)))


@dataclass(frozen=True)
class Exponential(Schedule):
    """Decays smoothly, by the factor `decay` in each epoch (Sak et al. 2014, section 3.2)."""

    decay: float = 0.95

    def after_warmup(self, time: float, epochs: int) -> float:
        return float(self.decay**time)


@dataclass(frozen=True)
class Cosine(Schedule):
    """Half a wave from 1 down to `least` over all epochs (Loshchilov & Hutter 2017, eq. 5, without restarts)."""

    least: float = 0.0

    def after_warmup(self, time: float, epochs: int) -> float:
        done = min(1.0, max(0.0, (time - self.warmup) / max(epochs - self.warmup, 1e-9)))
        return self.least + (1.0 - self.least) * 0.5 * (1.0 + math.cos(math.pi * done))


SCHEDULES: Mapping[str, Callable[..., Schedule]] = {
    "constant": Constant,
    "step": Step,
    "exponential": Exponential,
    "cosine": Cosine,
}


def schedule(name: str, **options: float) -> Schedule:
    """The schedule of that name, with its options.

    Raises:
        UsageError: there is no such schedule, or it has no such option.
    """
    make = SCHEDULES.get(name)
    if make is None:
        hint = nearest_hint(name, SCHEDULES)
        raise UsageError(f"there is no schedule {name}; there are {', '.join(SCHEDULES)}{hint}")
    known = [field.name for field in dataclasses.fields(make())]
    for option in options:
        if option not in known:
            hint = nearest_hint(option, known)
            raise UsageError(f"the schedule {name} has no option {option}; it has {', '.join(known)}{hint}")
    return make(**options)
