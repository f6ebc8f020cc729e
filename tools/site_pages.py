"""Pages of the site that are written from the code: the shipped cells, and the Python interface from its docstrings."""

from __future__ import annotations

import base64
import json
import os
import re
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from functools import cache, partial
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = ROOT / "docs" / "examples"
DIAGRAMS = True
"""Whether cells are drawn."""

API: Mapping[str, tuple[str, str, tuple[str, ...]]] = {
    "specs": (
        "Specs",
        "Cells of files, texts and the library. A spec is compiled to a [model](model.md) or a module of PyTorch.",
        ("load", "parse", "Spec", "library"),
    ),
    "model": (
        "Models",
        "What `Spec.compile` returns, and the results of its calls.",
        ("Model", "model.results.Run", "model.results.Gradients"),
    ),
    "runs": (
        "Trained models",
        "The folder of a training run, opened to predict, to forecast and to evaluate.",
        (
            "load_run",
            "predicting.loaded.LoadedRun",
            "predicting.predictions.Predictions",
            "predicting.evaluation.Evaluation",
        ),
    ),
    "weights": ("Weights", "From and to PyTorch and Keras; see [how](../convert.md).", ("convert",)),
    "optim": ("Optimisation", "For modules of PyTorch; see [how](../torch.md).", ("optim",)),
    "measuring": ("Probes", "Activations and gradients before training; see [how](../probe.md).", ("probe",)),
    "testing": (
        "Tests",
        "`rc.verify` is `recurrency.testing.verify`. It needs the extra `verify`; see [how](../verify.md).",
        ("verify", "testing"),
    ),
    "errors": (
        "Errors",
        "What calls raise. The text of an error says what is wrong and what to do.",
        ("RecurrencyError", "SpecError", "ShapeError", "UsageError"),
    ),
}
"""The pages of the Python interface: a title, a sentence, and the names within `recurrency`."""


INTERNAL = """allow_resets cell checked definition elaborate file gather made_of need_loss reads units
weights_and_state""".split()
"""Attributes of public classes that only this package calls."""


@cache
def written() -> dict[str, Callable[[], str]]:
    """The path of each page, and what writes it."""
    from recurrency.inspection.catalogue import families

    pages: dict[str, Callable[[], str]] = {f"api/{name}.md": partial(api, name) for name in API}
    pages |= {f"cells/{family.name}.md": partial(cells, family) for family in families()}
    return pages | {f"examples/{path.stem}.md": partial(notebook, path) for path in NOTEBOOKS.glob("*.ipynb")}


def api(name: str) -> str:
    """A page that mkdocstrings fills."""
    title, about, names = API[name]
    options = f"    options:\n      filters: ['!^_', '!^({'|'.join(INTERNAL)})$']\n"
    return f"# {title}\n\n{about}\n\n" + "".join(f"::: recurrency.{each}\n{options}\n" for each in names)


def cells(family: Any) -> str:
    """All cells of a family: what they are, their equations, and their text."""
    head = f"# {family.file}\n\n{plain(family.prose)}\n\n"
    return head + "\n".join(cell(entry, family.file) for entry in family.cells)


def plain(text: str) -> str:
    """Text of a spec, in which nothing is markup."""
    return re.sub(r"([\\`*_{}\[\]<>#|$])", r"\\\1", text)


def cell(entry: Any, file: str) -> str:
    """One cell."""
    from recurrency import library

    spec = library.spec(entry.name)
    sizes = ", ".join(n if given is None else f"{n} = {given}" for n, given in entry.dimensions.items())
    drawn = f"![Diagram of {entry.name}]({entry.name}.svg){{ loading=lazy }}\n"
    return (
        f"## {entry.name}\n\n{plain(spec.doc.strip())}\n\n"
        f"| dimensions | parameters | recurrence |\n|---|---|---|\n"
        f"| `{sizes}` | {entry.parameters or 'none'} | {entry.kind or 'none'} |\n\n"
        f"$$\n{spec.latex()}\n$$\n\n"
        f"```rnn {file}\n{spec.cell.span.text}\n```\n\n" + drawn * (f"cells/{entry.name}.svg" in diagrams())
    )


@cache
def diagrams() -> dict[str, str]:
    """The path of the diagram of each cell that has one, and the diagram as SVG."""
    from recurrency import library

    if not DIAGRAMS:
        return {}
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        drawn = zip(library.names(), pool.map(drawing, library.names()), strict=True)
        return {f"cells/{name}.svg": svg for name, svg in drawn if svg}


def drawing(name: str) -> str | None:
    """The diagram of a cell; None if it has too many equations for one."""
    from recurrency import library

    return library.spec(name)._repr_svg_()


def notebook(path: Path) -> str:
    """A notebook with its saved results."""
    found = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return "\n\n".join("\n\n".join(_blocks(cell)) for cell in found)


def _blocks(cell: dict[str, Any]) -> Iterator[str]:
    text = "".join(cell["source"])
    if cell["cell_type"] == "markdown":
        yield text
        return
    yield f"```python\n{text}\n```"
    for result in cell["outputs"]:
        if "text" in result:
            yield f"```text\n{''.join(result['text']).rstrip()}\n```"
        for kind in ("image/png", "image/svg+xml"):
            if saved := "".join(result.get("data", {}).get(kind, "")):
                coded = saved if kind.endswith("png") else base64.b64encode(saved.encode()).decode()
                yield f'<img alt="The result of the cell above" src="data:{kind};base64,{coded.strip()}">'
