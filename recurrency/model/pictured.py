"""How a spec is shown: equations in LaTeX, diagrams, and the views of notebooks."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

from recurrency.errors import RecurrencyError

if TYPE_CHECKING:
    from recurrency.language.elaboration.modules import CellDef


class Pictured:
    """What can be shown of a cell by its definition."""

    @property
    def definition(self) -> CellDef:
        """The cell, and the module with the names that it can use."""
        raise NotImplementedError

    def latex(self) -> str:
        """The equations in LaTeX (an `align*` environment)."""
        from recurrency.language.writing.latex import latex_of_cell

        module = self.definition.module
        return latex_of_cell(self.definition.cell, module.functions, {n: d.cell for n, d in module.cells.items()})

    def _repr_latex_(self) -> str:
        return self.latex()

    def _repr_svg_(self) -> str | None:
        """The picture, for notebooks; None if there is none (because of a mistake, or too many equations)."""
        from recurrency.pictures import draw

        try:
            return draw(self.definition).svg()
        except RecurrencyError:
            return None

    def _repr_html_(self) -> str:
        """Picture and text; notebooks prefer this to the other representations."""
        return f"{self._repr_svg_() or ''}<pre>{html.escape(self.definition.cell.span.text)}</pre>"
