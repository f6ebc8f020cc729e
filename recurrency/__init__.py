"""From a page of equations to fast recurrent networks.

    import recurrency as rc

    spec = rc.load("lstm.rnn")
    model = spec.compile(N=64, H=128)

Importing the package is cheap: each name below is imported on first use.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from recurrency.version import VERSION

if TYPE_CHECKING:
    import recurrency.convert as convert
    import recurrency.library as library
    from recurrency import optim as optim
    from recurrency.errors import RecurrencyError as RecurrencyError
    from recurrency.errors import ShapeError as ShapeError
    from recurrency.errors import SpecError as SpecError
    from recurrency.errors import UsageError as UsageError
    from recurrency.inspection.probe import probe as probe
    from recurrency.model.model import Model as Model
    from recurrency.model.spec import Spec as Spec
    from recurrency.model.spec import load as load
    from recurrency.model.spec import parse as parse
    from recurrency.predicting.loaded import load_run as load_run
    from recurrency.testing.verification.verify import verify as verify

__version__ = VERSION

# The module of each public name; where the last part of the module is the name itself, the module is the value.
_HOMES = {
    "Model": "recurrency.model.model",
    "RecurrencyError": "recurrency.errors",
    "ShapeError": "recurrency.errors",
    "Spec": "recurrency.model.spec",
    "SpecError": "recurrency.errors",
    "UsageError": "recurrency.errors",
    "convert": "recurrency.convert",
    "library": "recurrency.library",
    "load": "recurrency.model.spec",
    "load_run": "recurrency.predicting.loaded",
    "optim": "recurrency.optim",
    "parse": "recurrency.model.spec",
    "probe": "recurrency.inspection.probe",
    "verify": "recurrency.testing",
}

_EXTRAS = {"optim", "verify"}
"""Public names that need an extra: `from recurrency import *` leaves them out, so that it works without."""

_HOOKS = {"load_ipython_extension": "recurrency.notebook"}
"""What other programs call by its name: IPython, at `%load_ext recurrency`."""

__all__ = [
    "Model",
    "RecurrencyError",
    "ShapeError",
    "Spec",
    "SpecError",
    "UsageError",
    "__version__",
    "convert",
    "library",
    "load",
    "load_run",
    "parse",
    "probe",
]


if not TYPE_CHECKING:  # type checkers refuse names that are not there

    def __getattr__(name: str) -> Any:
        """Import the home of a public name on first use (PEP 562)."""
        home = _HOMES.get(name) or _HOOKS.get(name)
        if home is None:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        module = importlib.import_module(home)
        value = module if home == f"{__name__}.{name}" else getattr(module, name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted({*__all__, *_EXTRAS})
