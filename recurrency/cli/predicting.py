"""`recurrency predict`."""

from __future__ import annotations

import click

from recurrency.cli.common import echo

EPILOG = """\b
Examples:
  recurrency predict runs/mine --data new.csv
  recurrency predict runs/mine --data new.csv -o predictions.csv
  recurrency predict runs/mine --data new.npz --stream hidden.h -o predictions.npz
  recurrency predict runs/mine --data new.csv --last
  recurrency predict runs/wave --data wave.csv --ahead 50 -o forecast.csv
  recurrency predict runs/wave --data wave.csv --ahead 50 --feed y=x

\b
A table (.csv, .parquet) has the columns that `train --data` reads; targets may be missing, and so
may the column `sequence`, if all rows are one sequence. An .npz file has an array
[sequences, steps, ...] for each input, an .npy file that of the only one.
"""


def _feed(context: click.Context, option: click.Parameter, values: tuple[str, ...]) -> dict[str, str]:
    out: dict[str, str] = {}
    for text in values:
        output, equals, name = (part.strip() for part in text.partition("="))
        if not equals or not output or not name:
            raise click.BadParameter(f"{text!r} is not of the form OUTPUT=INPUT, such as y=x", context, option)
        out[output] = name
    return out


@click.command("predict", epilog=EPILOG)
@click.argument("folder", metavar="RUN_FOLDER")
@click.option("--data", metavar="FILE", help="The sequences (.csv, .npz, .npy, .parquet, .txt).  [default: the run's]")
@click.option("--split", metavar="NAME", help="Only the sequences of this split: train, valid or test.")
@click.option("--stream", "streams", multiple=True, metavar="NAME", help="Also this inner stream (may be repeated).")
@click.option("--last", is_flag=True, help="Only the last step of each sequence.")
@click.option("--ahead", type=click.IntRange(min=1), metavar="STEPS", help="Forecast so many steps behind the data.")
@click.option(
    "--feed",
    multiple=True,
    callback=_feed,
    metavar="OUTPUT=INPUT",
    help="Which output --ahead feeds back as which input (may be repeated).",
)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Seed of random draws.")
@click.option("-o", "--output", "path", metavar="FILE", help="File to write (.csv, .npz, .npy, .parquet).")
@click.option("--backend", metavar="NAME", help="Use another backend than the run.")
def predict(
    folder: str,
    data: str | None,
    split: str | None,
    streams: tuple[str, ...],
    last: bool,
    ahead: int | None,
    feed: dict[str, str],
    seed: int,
    path: str | None,
    backend: str | None,
) -> None:
    """Apply a trained model to data: outputs, probabilities, inner streams, forecasts.

    RUN_FOLDER is the folder of `recurrency train WHAT --run RUN_FOLDER`. The result has every output at each step. If
    the loss compares an output with symbols, by cross_entropy, the output is scores of classes: NAME.probability is
    their softmax, and NAME.class the likeliest one. A table is printed unless -o names a file.

    With --ahead, the model goes on from the end of each sequence: real-valued outputs are fed back as inputs, and the
    result has the steps behind the data.
    """
    from recurrency.predicting.loaded import load_run
    from recurrency.predicting.writing import require_writable, table

    if feed and not ahead:
        raise click.UsageError("--feed is for --ahead STEPS")
    if ahead and (streams or last):
        raise click.UsageError(f"{'--stream' if streams else '--last'} is not for --ahead, which has the outputs only")
    if path is not None:
        require_writable(path)
    run = load_run(folder, backend, lambda words: echo(words, err=True))
    if ahead:
        found = run.forecast(data, ahead, feed or None, split, seed)
    else:
        found = run.predict(data, streams, split, seed)
    found = found.last() if last else found
    if path is None:
        echo(table(found), nl=False)
    else:
        found.save(path)
