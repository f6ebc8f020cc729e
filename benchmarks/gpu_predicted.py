"""Writes the table of predicted times into docs/cupy.md: `python benchmarks/gpu_predicted.py`.

It needs the extra `cuda-check`, and no GPU: the times are those of the cost model, `recurrency.backends.cupy.cost`.
"""

from __future__ import annotations

import re
from pathlib import Path

from recurrency.backends.cupy.cost import table
from recurrency.backends.cupy.cost.devices import USUAL

from recurrency import backend, library
from recurrency.model.export import module_text
from recurrency.model.model import Model

PAGE = Path(__file__).resolve().parents[1] / "docs" / "cupy.md"
MARKED = re.compile(r"(?<=<!-- predicted times -->\n).*?(?=<!-- end of predicted times -->)", re.DOTALL)

CELLS = ("LSTM", "GRU", "LayerNormLSTM", "SLSTM", "MinGRU", "LRU")
UNITS, BATCH = 768, 16
PLANS = ("loop", "split", "step", "gemm")


def times(cell: str) -> dict[str, tuple[float, float]]:
    """Microseconds of a step by plan: forward, and forward and backward."""
    spec = library.spec(cell)
    sizes = {dim.name: UNITS for dim in spec.cell.dimensions if dim.name in ("N", "H", "K")}
    model = Model(spec, spec.elaborate(**sizes), backend.find("cupy", run=False), "float32")
    out: dict[str, tuple[float, float]] = {}
    for row in table.predicted(module_text(model), BATCH, (USUAL,)):
        us = row.steps[USUAL.name].us
        forward, both = out.get(row.plan, (0.0, 0.0))
        out[row.plan] = (forward + us * (row.function == "forward_pass"), both + us)
    return out


def main() -> None:
    """Rewrite the table."""
    lines = [f"| cell | {' | '.join(f'`{plan}`' for plan in PLANS)} |", f"| --- |{' --- |' * len(PLANS)}"]
    for cell in CELLS:
        found = times(cell)
        cells = (" / ".join(map(table.rounded, found[plan])) if plan in found else "" for plan in PLANS)
        lines.append(f"| {cell} | {' | '.join(cells)} |")
        print(lines[-1], flush=True)
    text = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(MARKED.sub(lambda _: "\n".join(["", *lines, "", ""]), text), encoding="utf-8")


if __name__ == "__main__":
    main()
