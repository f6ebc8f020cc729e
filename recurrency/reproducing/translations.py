"""BLEU of a run as a value of studies."""

from __future__ import annotations

from recurrency.generating.bleu import bleu
from recurrency.reproducing.readings import Reading, Run

SHOWN = 3
"""The number of translations that are kept as examples."""


def bleu_of(run: Run, beam: int, penalty: float, split: str, most: int) -> Reading:
    """BLEU of the best parameters; see `recurrency.generating.bleu`."""
    score = bleu(run.folder, split, beam, penalty, most)
    return Reading(score.bleu, score.signature, {"examples": list(score.translations[:SHOWN])})
