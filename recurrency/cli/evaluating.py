"""`recurrency evaluate`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from recurrency.cli.common import echo

if TYPE_CHECKING:
    from recurrency.training.loop.scoring import Scored

EPILOG = """\b
Examples:
  recurrency evaluate runs/mine
  recurrency evaluate runs/mine --split valid
  recurrency evaluate runs/mine --data new.csv
  recurrency evaluate runs/mine --data new.csv --json
  recurrency evaluate runs/mine --data new.csv --labels classes.csv
  recurrency evaluate runs/german --bleu
"""
SHOWN = 20
"""A confusion matrix with more classes is not printed."""


@click.command("evaluate", epilog=EPILOG)
@click.argument("folder", metavar="RUN_FOLDER")
@click.option("--data", metavar="FILE", help="The sequences (.csv, .npz, .npy, .parquet, .txt).  [default: the run's]")
@click.option("--split", metavar="NAME", help="The split: train, valid or test.  [default: test; of --data, all]")
@click.option("--labels", metavar="FILE", help="One value for each sequence of --data (.csv, .parquet, .npy).")
@click.option("--bleu", "with_bleu", is_flag=True, help="BLEU of a run of the task translation, by beam search.")
@click.option("--json", "as_json", is_flag=True, help="Print all figures as JSON.")
@click.option("--backend", metavar="NAME", help="Use another backend than the run.")
def evaluate(
    folder: str,
    data: str | None,
    split: str | None,
    labels: str | None,
    with_bleu: bool,
    as_json: bool,
    backend: str | None,
) -> None:
    """Measure how good a trained model is: its loss, and what suits its answers.

    RUN_FOLDER is the folder of `recurrency train WHAT --run RUN_FOLDER`. For classes (cross_entropy) these are the
    accuracy, the bits for each label, and the confusion matrix; for answers of yes or no (binary_cross_entropy)
    accuracy and bits; for real numbers (squared_error, absolute_error) the mean squared and the mean absolute error.
    """
    from recurrency.cli.common import show
    from recurrency.predicting.loaded import load_run

    if with_bleu and data is not None:
        raise click.UsageError("--bleu translates the data of the run's task: leave --data out")
    run = load_run(folder, backend, lambda words: echo(words, err=True))
    own = run.session.experiment.data
    if data is not None and split is None and own is not None and Path(data).resolve() == Path(own).resolve():
        echo(f"the run was trained on sequences of {data}; without --data, only its test part is read", err=True)
    found = run.evaluate(data, split, labels)
    figures = found.plain()
    words = found.told()
    if with_bleu:
        from recurrency.generating.bleu import bleu

        score = bleu(folder, split or "test")
        figures["bleu"], words = score.bleu, f"{words}\n{score.told()}"
    if as_json:
        echo(json.dumps(figures))
        return
    echo(words)
    for each in found.scores:
        if each.confusion is not None and len(each.confusion) <= SHOWN:
            echo(f"\n{each.name}: how often each label (row) got each class (column)")
            show(_confusion(each))


def _confusion(found: Scored) -> object:
    from recurrency.cli.common import table

    assert found.confusion is not None
    from rich.markup import escape

    names = [*map(escape, found.labels), *map(str, range(len(found.labels), len(found.confusion)))]
    out = table(">label", *(f">{name}" for name in names))
    for name, row in zip(names, found.confusion.tolist(), strict=True):
        out.add_row(name, *map(str, row))
    return out
