"""A cell of another text in place of one that the header of a spec names."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from recurrency.language.elaboration.modules import CellDef


@dataclass(frozen=True)
class OwnCell:
    """A cell; `made_of` is a digest of all that it consists of, by which it is compared."""

    name: str
    made_of: str
    definition: CellDef = field(compare=False, repr=False)

    def __str__(self) -> str:
        return self.name
