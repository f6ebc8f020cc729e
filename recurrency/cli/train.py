"""`recurrency train`: fit a shipped task or a spec of one's own."""

from __future__ import annotations

from typing import Any

import click

EXAMPLES = """\b
Examples:
  recurrency train first-element
  recurrency train first-element -D Cell=LSTM -D H=20 --length 50
  recurrency train readme-sample --runs 5
  recurrency train jsb -D Cell=GRU -D H=46 --data path/to/music --output gru.safetensors
  recurrency train jsb -D Cell=LSTM -D H=36 --seed 1 --log-form lines
  recurrency train my.rnn --data my.npz -D N=3 -D H=32 --optimiser rmsprop -O momentum=0.9
  recurrency train my_music.rnn --on nottingham -D H=64
  torchrun --nproc-per-node 2 -m recurrency train jsb --backend torch --batch 8

\b
Data of your own are an .npz file with one array [sequences, steps, ...] for each input of the
spec, named like it, and, where sequences differ in length, `lengths` [sequences]. valid_x,
valid_lengths, test_x, ... hold the other splits; without them a tenth is set aside for each.

\b
The music collections are looked for at --data PATH, else in the folder named by the environment
variable RECURRENCY_DATA, else in ./data and ../shared/data (and in music/ below each).

\b
Started by torchrun, several processes train together: --batch is then what each of them takes, and
the result that of one process with all their batches in one (but for random draws, as in dropout).
"""


def _value(text: str) -> int | float | str:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def pairs(context: click.Context, option: click.Parameter, values: tuple[str, ...]) -> dict[str, Any]:
    """NAME=VALUE words as a dict; numbers become numbers."""
    out: dict[str, Any] = {}
    for text in values:
        name, equals, value = text.partition("=")
        if not equals or not name.strip() or not value.strip():
            raise click.BadParameter(f"{text!r} is not of the form NAME=VALUE", context, option)
        out[name.strip()] = _value(value.strip())
    return out


def _numbers(context: click.Context, option: click.Parameter, values: tuple[str, ...]) -> dict[str, float]:
    found = pairs(context, option, values)
    wrong = [name for name, value in found.items() if isinstance(value, str)]
    if wrong:
        raise click.BadParameter(f"{wrong[0]} must be a number", context, option)
    return found


POSITIVE = click.IntRange(min=1)
ABOVE = click.FloatRange(min=0, min_open=True)


@click.command("train", epilog=EXAMPLES)
@click.argument("target", metavar="SPEC_OR_TASK")
@click.option(
    "-D",
    "dimensions",
    multiple=True,
    callback=pairs,
    metavar="NAME=VALUE",
    help="A dimension, function or cell of the spec.",
)
@click.option("--on", metavar="TASK", help="Train the spec on the data of this task.")
@click.option("--data", metavar="PATH", help="The .npz file with the data, or the folder that holds it.")
@click.option(
    "--optimiser",
    "--optimizer",
    metavar="NAME",
    help="sgd, momentum, adagrad, adadelta, rmsprop, rmsprop-graves or adam.",
)
@click.option("--rate", type=ABOVE, help="Step size.  [default: the optimiser's or the task's]")
@click.option(
    "-O", "settings", multiple=True, callback=_numbers, metavar="NAME=VALUE", help="Another option of the optimiser."
)
@click.option("--epochs", type=POSITIVE, help="Epochs at most.")
@click.option("--batch", type=POSITIVE, help="Sequences in a batch.")
@click.option("--clip", type=ABOVE, help="Longest gradient; a longer one is scaled down.")
@click.option("--clip-value", type=ABOVE, help="Largest element of a gradient; larger ones are cut.")
@click.option("--patience", type=POSITIVE, help="Epochs without a better validation loss before training stops.")
@click.option("--shrink", type=ABOVE, help="Factor on the rate after an epoch without a better validation loss.")
@click.option("--length", type=POSITIVE, help="Steps of a generated sequence.")
@click.option("--chunk", type=POSITIVE, help="Longest piece of a training sequence.")
@click.option("--seed", type=click.IntRange(min=0), help="Seed of weights, order and noise.")
@click.option("--runs", type=POSITIVE, default=1, help="Train with this many seeds and report their spread.")
@click.option("--dtype", type=click.Choice(["float32", "float64"]), help="Type of all numbers.")
@click.option("--backend", metavar="NAME", help="What the spec is compiled to.")
@click.option("--output", metavar="FILE", help="Write the best parameters to this .safetensors file.")
@click.option("--log-form", type=click.Choice(["bar", "lines", "readme", "quiet"]), help="How progress is told.")
def train(
    target: str,
    dimensions: dict[str, Any],
    on: str | None,
    data: str | None,
    settings: dict[str, float],
    output: str | None,
    runs: int,
    **options: Any,
) -> None:
    """Train a task, or a .rnn file with a loss.

    The tasks are first-element, readme-sample, jsb, nottingham, piano-midi and musedata.

    Options that are not given have the values of the task's recipe.
    """
    from recurrency.training.command import Request, run

    given = {name: value for name, value in options.items() if value is not None}
    run(Request(target, on, dimensions, given, settings, data, output, runs), click.echo)
