"""Work counted in calls, which are the same on every machine and beside any load, where seconds are not."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SECOND = 20_000_000  # calls and returns, of Python's functions and of C's, that take about a second if nobody counts


class TooMuchWork(BaseException):
    """Not an `Exception`, so that nothing that handles mistakes of users takes it for one."""


@contextmanager
def at_most(events: int) -> Iterator[None]:
    """Stop what runs within as soon as it has made more calls and returns than `events`."""
    left = events

    def count(frame: FrameType, event: str, argument: object) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            sys.setprofile(None)
            raise TooMuchWork(f"more than {events:,} calls and returns, in {frame.f_code.co_qualname}")

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        yield
    finally:
        sys.setprofile(before)
