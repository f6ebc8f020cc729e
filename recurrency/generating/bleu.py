"""BLEU of a trained translator on the data of its task (Papineni et al. 2002), computed by sacrebleu (Post 2018)."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from recurrency.errors import UsageError, nearest_hint
from recurrency.extras import install
from recurrency.generating.folder import trained
from recurrency.generating.search import Beam
from recurrency.generating.translating import Translator, Unknown
from recurrency.training.runs.experiments import load
from recurrency.training.runs.folders import RUN
from recurrency.training.tasks import TASKS
from recurrency.training.tasks.task import Settings
from recurrency.training.tasks.translation import PARTS, read_pairs

MOST_WORDS = 60
"""The most words of a translation; the longest sentence of Multi30k has 44."""


@dataclass(frozen=True)
class Score:
    """BLEU in percent, how sacrebleu computed it, and the translations; `seconds` is the time to translate."""

    bleu: float
    signature: str
    translations: tuple[str, ...]
    seconds: float

    def told(self) -> str:
        """The score in words."""
        return f"BLEU {self.bleu:.2f} ({self.signature}), {len(self.translations)} sentences in {self.seconds:.0f} s"


def bleu(folder: str | Path, split: str = "test", beam: int = 5, penalty: float = 1.0, most: int = 0) -> Score:
    """BLEU of the best parameters of a run of the task `translation` on one of its splits; `most` sentences (0: all).

    References keep their rare words. As the data are tokenised and in lower case, sacrebleu does not tokenise them
    again: scores are not comparable with those of raw text.

    Raises:
        UsageError: the run is of another task, there is no such split, the data are missing, or sacrebleu is.
    """
    experiment = load(Path(folder) / RUN)
    if experiment.task != "translation":
        raise UsageError(f"BLEU is for runs of the task translation, not of {experiment.task or 'your own data'}")
    if split not in PARTS:
        raise UsageError(f"there is no split {split}; there are {', '.join(PARTS)}{nearest_hint(split, list(PARTS))}")
    translator = Translator(trained(folder), Beam(beam, penalty), MOST_WORDS)
    options = TASKS["translation"].values(**experiment.task_options)
    pairs = read_pairs(Settings(data=experiment.data), split, (options["source"], options["target"]))
    pairs = pairs[:most] if most else pairs
    start = time.perf_counter()
    unknown = Unknown()
    sources = [
        translator.symbols(" ".join(source[:-1]), number, unknown) for number, (source, _) in enumerate(pairs, 1)
    ]
    translations = [translator.target.write(piece.values) for piece in translator.pieces(sources)]
    seconds = time.perf_counter() - start
    value, signature = corpus_bleu(translations, [" ".join(target[:-1]) for _, target in pairs])
    return Score(value, signature, tuple(translations), seconds)


def corpus_bleu(translations: Sequence[str], references: Sequence[str]) -> tuple[float, str]:
    """BLEU of tokenised sentences in percent, and the signature of sacrebleu.

    Raises:
        UsageError: sacrebleu is not installed.
    """
    try:
        from sacrebleu.metrics.bleu import BLEU
    except ImportError as error:
        raise UsageError(f"BLEU is computed by sacrebleu: {install('text')}") from error
    metric = BLEU(tokenize="none", force=True)
    found = metric.corpus_score(list(translations), [list(references)])
    return float(found.score), str(metric.get_signature())
