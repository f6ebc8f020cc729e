"""Which plans of a generated CuPy module are kept: those used last, up to so many bytes on each device."""

import os
import re
import threading
from itertools import count
from typing import Any
from weakref import WeakSet

from .plans import MOST_PLANS, Plan

VARIABLE = "RECURRENCY_PLAN_MEMORY"
"""The environment variable with the bytes of all kept plans on one device: `2G`, `500M`, or a number of bytes."""

PART = 8
"""Without the variable it is one part in so many of a device's memory."""

UNITS = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30}


def bytes_of(size: Any) -> int:
    """The bytes of a size such as `2G`, `500M` or 1000000.

    Raises:
        ValueError: it is no such size.
    """
    found = re.fullmatch(r"(\d+)([KMG]?)B?", str(size).strip().upper())
    if found is None:
        raise ValueError(f"the memory of plans is a size such as 2G, 500M or 0 ({VARIABLE}), not {size!r}")
    return int(found[1]) * UNITS[found[2]]


class Shelf:
    """Bounds the plans that some functions keep.

    `limit` are the bytes of their arrays on one device; None: those of the environment variable, or a part of the
    device's memory. The plan used last stays, however large it is.
    """

    def __init__(self, limit: Any = None) -> None:
        self.limit = None if limit is None else bytes_of(limit)
        self.functions: WeakSet[Any] = WeakSet()
        self.lock = threading.RLock()
        self._limits: dict[int, int] = {}
        self._turns = count()

    def find(self, function: Any, key: Any) -> Plan | None:
        """A kept plan, which is from now on the one used last."""
        with self.lock:
            plan: Plan | None = function.plans.get(key)
            if plan is not None:
                function.plans.move_to_end(key)
                plan.used = next(self._turns)
            return plan

    def keep(self, function: Any, key: Any, plan: Plan) -> None:
        """Keep a plan; where this is more than there may be, those used longest ago go."""
        with self.lock:
            while len(function.plans) >= MOST_PLANS:
                function.plans.popitem(last=False)
            self.functions.add(function)
            function.plans[key], plan.used = plan, next(self._turns)
            self.fit(function.xp, plan)

    def fit(self, xp: Any, plan: Plan) -> None:
        """Let plans of the current device go until the others fit beside this one, which may have grown."""
        with self.lock:
            device = xp.cuda.runtime.getDevice()
            here = [(p.used, key, f, p.bytes()) for f, key, p in self._kept() if key[0][0] == device and p is not plan]
            left, limit = plan.bytes() + sum(size for *_, size in here), self.limit_on(xp, device)
            for _, key, function, size in sorted(here, key=lambda row: row[0]):
                if left <= limit:
                    break
                del function.plans[key]
                left -= size

    def limit_on(self, xp: Any, device: int) -> int:
        """The bytes of all plans on a device, which is the current one."""
        if self.limit is not None:
            return self.limit
        if device not in self._limits:
            given = os.environ.get(VARIABLE)
            self._limits[device] = bytes_of(given) if given else int(xp.cuda.runtime.memGetInfo()[1]) // PART
        return self._limits[device]

    def bytes(self) -> int:
        """The memory of all plans that are kept."""
        with self.lock:
            return sum(plan.bytes() for *_, plan in self._kept())

    def forget(self) -> None:
        """Let all plans go, and with them their memory."""
        with self.lock:
            for function in list(self.functions):
                function.plans.clear()

    def _kept(self) -> list[tuple[Any, Any, Plan]]:
        return [(function, key, plan) for function in list(self.functions) for key, plan in function.plans.items()]
