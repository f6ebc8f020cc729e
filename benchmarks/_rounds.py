"""Timing in alternating rounds, so that whatever slows the machine down for a while slows all contestants alike."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]
Clock = Callable[[], float]

FEWEST = 3
"""So many rounds there are, however long they take."""


def timed(run: Callable[[], Any], repeats: int, clock: Clock) -> float:
    """Seconds for one call."""
    start = clock()
    for _ in range(repeats):
        run()
    return (clock() - start) / repeats


def alternate(
    jobs: Mapping[str, Callable[[], Any]],
    rounds: int,
    clock: Clock = time.perf_counter,
    least: float = 0.0,
    pause: float = 0.0,
    budget: float = math.inf,
) -> dict[str, Array]:
    """Seconds of one call of each job in each round, after two calls that load and plan.

    In a round a job is called as often as takes it about `least` seconds. Before that there may be a `pause`, in which
    the waiting threads of the job before it fall asleep; what is short then has one more call to wake its own. When the
    `budget` of seconds is used up, no further round begins.
    """
    repeats = {}
    for name, run in jobs.items():
        timed(run, 2, clock)
        repeats[name] = max(1, int(least / max(1e-7, timed(run, 1, clock)))) if least else 1
    times: list[list[float]] = []
    end = time.perf_counter() + budget
    while len(times) < rounds and (len(times) < FEWEST or time.perf_counter() < end):
        times.append([rested(run, repeats[name], clock, pause) for name, run in jobs.items()])
    return dict(zip(jobs, np.array(times).T, strict=True))


def rested(run: Callable[[], Any], repeats: int, clock: Clock, pause: float) -> float:
    """Seconds for one call after a pause."""
    if pause:
        time.sleep(pause)
        if repeats > 1:
            run()
    return timed(run, repeats, clock)
