"""New locks after a fork: a child has one thread, so a lock that another thread held would never be released.

The threads of the backend c have their own fork handlers, in C.
"""

from __future__ import annotations

import os
import sys
from functools import cached_property
from threading import RLock

if sys.version_info < (3, 12):  # later versions have no such locks

    def _renew() -> None:
        """Replace the locks of cached properties in this package; all instances of a class share one."""
        for name, module in tuple(sys.modules.items()):
            if name.partition(".")[0] == "recurrency":
                for kind in tuple(vars(module).values()):
                    for found in tuple(vars(kind).values()) if isinstance(kind, type) else ():
                        if isinstance(found, cached_property):
                            vars(found)["lock"] = RLock()

    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=_renew)
