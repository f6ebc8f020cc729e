"""Did a change of the compiler change what it writes? All cells, on all backends that write modules.

    python tools/generated_code.py write before    # in a checkout of the old code
    python tools/generated_code.py write after     # in the new one
    python tools/generated_code.py compare before after

`compare` counts files that differ, and prints each block of lines (what stands between empty lines) that only one side
has, once, with the number of files that it is in. Its exit code is 1 where anything differs.
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from pathlib import Path
from typing import Any

BACKENDS = {"numpy": "py", "torch": "py", "cupy": "py", "c": "c"}
MOST_LINES = 12
"""So much of a block is printed."""


def write(folder: Path) -> None:
    """A file for each cell of the library, each small cell of the tests of backends, and each backend."""
    import recurrency as rc
    from recurrency.backend import find
    from recurrency.errors import RecurrencyError
    from recurrency.model.export import module_files
    from recurrency.model.model import Model
    from recurrency.testing.cells import CELLS
    from recurrency.testing.dimensions import dimension_sets

    specs: list[tuple[str, Any, dict[str, int]]] = [(name, rc.library.spec(name), {}) for name in rc.library.names()]
    specs += [(f"small {name}", rc.parse(small.text), dict(small.dimensions)) for name, small in CELLS.items()]
    folder.mkdir(parents=True, exist_ok=True)
    for name, spec, dimensions in specs:
        elaborated = spec.elaborate(**(dimensions or dimension_sets(spec, 2)[-1]))
        for backend, end in BACKENDS.items():
            try:
                files = module_files(Model(spec, elaborated, find(backend, run=False), "float32"))
                text = files.source + (files.header or "")
            except RecurrencyError as error:
                text = f"refused: {error}\n"
            (folder / f"{name.replace(' ', '_')}.{backend}.{end}").write_text(text, encoding="utf-8")


def blocks(text: str) -> list[str]:
    """What stands between empty lines, but for the digest of a text in itself."""
    text = re.sub(r'(NAMESPACE = "recurrency_\w+)_[0-9a-f]{16}"', r'\1"', text)
    return [block.strip("\n") for block in text.split("\n\n") if block.strip()]


def compare(before: Path, after: Path) -> int:
    """Print what differs; 1 if anything does."""
    names = sorted({path.name for folder in (before, after) for path in folder.iterdir()})
    worst = 0
    for backend in BACKENDS:
        found: dict[str, Counter[str]] = {"-": Counter(), "+": Counter()}
        count, differ = 0, 0
        for name in (n for n in names if n.split(".")[-2] == backend):
            old, new = ((folder / name).read_text(encoding="utf-8") for folder in (before, after))
            count += 1
            one, other = Counter(blocks(old)), Counter(blocks(new))
            differ += one != other
            found["-"].update(set(one - other))
            found["+"].update(set(other - one))
        print(f"{backend}: {differ} of {count} files differ, {len(found['-'])} blocks went, {len(found['+'])} came")
        for sign, counted in found.items():
            for block, files in counted.most_common():
                lines = block.split("\n")
                more = [f"... {len(lines) - MOST_LINES} lines more"] * (len(lines) > MOST_LINES)
                print(f"  {sign} in {files} files")
                print("\n".join(f"    {line}" for line in [*lines[:MOST_LINES], *more]))
        worst = max(worst, int(differ > 0))
    return worst


def main() -> int:
    """The exit code of the command."""
    match sys.argv[1:]:
        case ["write", folder]:
            write(Path(folder))
            return 0
        case ["compare", before, after]:
            return compare(Path(before), Path(after))
    print(__doc__, file=sys.stderr)
    return 2


if __name__ == "__main__":
    raise SystemExit(main())
