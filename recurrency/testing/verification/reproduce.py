"""A script that reproduces a difference: the spec, the case, and the comparison."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from recurrency.disk.files import require_folder, write_whole

if TYPE_CHECKING:
    from recurrency.model.spec import Spec
    from recurrency.testing.case import Case

FORM = '''"""{name} on {backend}: {what}

Found by `recurrency verify`; {guilty}.
Running this file compares again: exit code 1 while there is a difference.
"""

import sys

import recurrency as rc
from recurrency.testing import Case, {function}

{spec}
case = {case!r}

for difference in (found := {call}):
    print(difference)
print(f"{{len(found)}} differences")
sys.exit(1 if found else 0)
'''


def reproduction(spec: Spec, case: Case, backend: str | None, kind: str, what: str, guilty: str) -> str:
    """The text of the script; without a backend it compares derivatives with differences."""
    function = "differences" if backend else "slopes"
    call = f"differences(spec, case, {backend!r}, [{kind!r}])" if backend else "slopes(spec, case)"
    said = [text.replace("\\", "/").replace('"""', "'''") for text in (what, guilty)]
    return FORM.format(
        name=spec.name,
        backend=backend or "its gradients",
        what=said[0],
        guilty=said[1],
        function=function,
        spec=_spec(spec),
        case=case,
        call=call,
    )


def _spec(spec: Spec) -> str:
    """The code that loads the spec: from its text, or from its file if that uses others."""
    path = spec.definition.module.path
    if path is not None and any(use.path is not None for use in spec.file.uses):
        return f"spec = rc.load({str(path)!r}, {spec.name!r})"
    text = spec.source.text.replace("\\", "\\\\").replace('"""', '\\"\\"\\"')
    return f'TEXT = """\\\n{text}"""\nspec = rc.parse(TEXT, {spec.source.name!r}, {spec.name!r})'


def write_reproduction(folder: Path, spec: Spec, backend: str | None, text: str) -> Path:
    """Write the script into a folder, which is created if needed.

    Raises:
        UsageError: it can't be written.
    """
    require_folder(folder)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"recurrency-verify-{spec.name}-{backend or 'gradients'}.py"
    write_whole(path, text)
    return path
