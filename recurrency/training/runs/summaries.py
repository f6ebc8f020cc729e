"""Summaries: one run in one line, and the spread over several seeds."""

from __future__ import annotations

import statistics

from recurrency.training.loop.progress import History


def outcome(history: History) -> str:
    """One run in one line."""
    last = history.epochs[-1] if history.epochs else None
    words = [f"test {history.test:.4f}"] if history.test is not None else []
    if history.best_valid is not None:
        words.append(f"valid {history.best_valid:.4f} at epoch {history.best_epoch} of {len(history.epochs)}")
    elif last is not None:
        words.append(f"train {last.train:.4f} in epoch {last.number}")
    else:
        words.append("no epoch has ended")
    words += [history.verdict] if history.verdict else []
    after = "" if history.solved is None else f" after {history.solved} updates"
    return f"{', '.join(words)} ({history.stopped}{after}; {history.seconds:.1f} s)"


def score(history: History) -> float:
    """The score that ranks seeds: the best validation loss, else the last training loss."""
    if history.best_valid is not None:
        return history.best_valid
    return history.epochs[-1].train if history.epochs else float("inf")


def spread(histories: list[History], solved: float | None = None) -> list[str]:
    """How several seeds differ: smallest, median and largest value of what each run is judged by."""
    done = [history for history in histories if history.epochs]
    if len(done) < 2:
        return []
    if all(history.test is not None for history in done):
        return [f"over {len(done)} seeds: test {_range([h.test for h in done if h.test is not None], 4)}"]
    lasts = [history.epochs[-1].total for history in done]
    out = [
        f"over {len(done)} seeds: epoch 0 {_range([h.epochs[0].total for h in done], 1)}",
        f"over {len(done)} seeds: last epoch {_range(lasts, 1)}",
    ]
    if solved is not None:
        out.append(f"{sum(last < solved for last in lasts)} of {len(done)} seeds ended below {solved:g}")
    return out


def _range(values: list[float], digits: int) -> str:
    low, middle, high = min(values), statistics.median(values), max(values)
    return f"min {low:.{digits}f}, median {middle:.{digits}f}, max {high:.{digits}f}"
