"""The shipped cells: `recurrency.library.LSTM`, or by name `recurrency.library.spec("LSTM")`.

Editors and type checkers read library.pyi, which lists them (`python tools/library_stub.py` writes it).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from recurrency.model.shipped import missing, names, near, spec

if TYPE_CHECKING:
    from recurrency.model.spec import Spec

__all__ = ["names", "near", "spec"]


def __getattr__(name: str) -> Spec:
    if name.startswith("_"):
        raise AttributeError(name)
    if name not in names():
        raise AttributeError(missing(name))
    return spec(name)


def __dir__() -> list[str]:
    return [*__all__, *names()]
