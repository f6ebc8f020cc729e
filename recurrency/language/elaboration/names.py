"""What a name means at a place of a spec."""

from __future__ import annotations

from typing import Any

from recurrency.language import syntax
from recurrency.language.elaboration.definitions import Env
from recurrency.language.elaboration.meanings import CellValue
from recurrency.language.elaboration.scope import FnValue, Scope
from recurrency.language.vocabulary.table import FUNCTIONS, NUMBERS


class Names:
    """The names that an expression may use: local ones (`env`), those of the cell, its file and the language.

    `alone`: in a function of the file, which sees no names of the cell.
    """

    def __init__(self, scope: Scope, env: Env, alone: bool = False) -> None:
        self.scope, self.env, self.alone = scope, env, alone

    def find(self, name: str) -> Any:
        """What a name means, from the inside to the outside; None if nothing defines it.

        Raises:
            Poisoned: there is a mistake in its definition.
        """
        if name in self.env:
            return self.env[name]
        if not self.alone and (found := self._in_cell(name)) is not None:
            return found
        module = self.scope.definition.module
        if name in module.functions:
            return FnValue(module.functions[name], None)
        return CellValue(module.cells[name]) if name in module.cells else FUNCTIONS.get(name, NUMBERS.get(name))

    def _in_cell(self, name: str) -> Any:
        scope = self.scope
        if (found := scope.find((name, ()))) is not None:
            return found
        if name in scope.dimensions:
            return scope.dimensions[name]
        functions = scope.defined.functions
        return FnValue(functions[name], scope) if name in functions else None

    def finds(self, name: str) -> bool:
        """Whether a name means something here."""
        return self.find(name) is not None or (not self.alone and self.scope.defined.defines(name))

    def origins(self, *expressions: syntax.Expression) -> tuple[str, ...]:
        """Where the first names of expressions come from, in one line."""
        names = []
        for side in expressions:
            while isinstance(side, (syntax.Subscript, syntax.Attribute)):
                side = side.value
            if isinstance(side, syntax.Name) and side.name not in self.env:
                names.append(side.name)
        return self.scope.notes(*names)
