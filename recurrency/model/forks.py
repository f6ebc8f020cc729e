"""Locks after a fork: a child has no thread but one, so what another thread held would be held for ever.

The threads of the backend c have handlers of their own, in C.
"""

from __future__ import annotations

import os
import sys
from functools import cached_property
from threading import RLock

if sys.version_info < (3, 12):  # from there on they have none

    def _renew() -> None:
        """New locks for the cached properties of this package, which all instances of a class share."""
        for name, module in tuple(sys.modules.items()):
            if name.partition(".")[0] == "recurrency":
                for kind in tuple(vars(module).values()):
                    for found in tuple(vars(kind).values()) if isinstance(kind, type) else ():
                        if isinstance(found, cached_property):
                            found.lock = RLock()  # type: ignore[attr-defined]

    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=_renew)
