"""Write recurrency/library.pyi: a name for each shipped cell, with its docstring, for editors and type checkers.

python tools/library_stub.py
"""

from __future__ import annotations

from pathlib import Path

STUB = Path(__file__).resolve().parents[1] / "recurrency" / "library.pyi"
HEAD = '''"""The shipped cells: `recurrency.library.LSTM`, or by name `recurrency.library.spec("LSTM")`.

Written by `python tools/library_stub.py`.
"""

from recurrency.model.shipped import names as names
from recurrency.model.shipped import near as near
from recurrency.model.shipped import spec as spec
from recurrency.model.spec import Spec
'''


def stub() -> str:
    """The text of the stub; cells are in the order of their files."""
    from recurrency import library

    return HEAD + "".join(f"\n{name}: Spec\n{_quoted(library.spec(name).doc)}" for name in library.names())


def _quoted(doc: str) -> str:
    """The docstring of a cell, which editors show beside its name."""
    lines = doc.strip().split("\n")
    text = "\n".join(line.strip() for line in lines).replace("\\", "\\\\").replace('"', '\\"')
    return f'"""{text}"""\n' if text else ""


if __name__ == "__main__":
    STUB.write_text(stub(), encoding="utf-8")
