"""`recurrency train`: train on a shipped task or on the user's data."""

from __future__ import annotations

from typing import Any

import click

from recurrency.cli import completing
from recurrency.cli.common import checkpoint, constants, echo, initialisers, optimise, with_constants
from recurrency.cli.common import compute as compute_option

MU = 0.03
"""The usual weight of structural damping, in units of lambda (Martens and Sutskever 2011, released code)."""

EXAMPLES = """\b
Examples:
  recurrency train first-element
  recurrency train first-element -D Cell=LSTM -D H=20 --length 50
  recurrency train readme-sample --runs 5
  recurrency train jsb -D Cell=GRU -D H=46 --data path/to/music --output gru.safetensors
  recurrency train jsb -D Cell=LSTM -D H=36 --seed 1 --log-form lines
  recurrency train my.rnn --data my.csv -D H=32
  recurrency train FrameRegressor --data series.csv -D H=32 -T split=70/15/15
  recurrency train Classifier --data my.csv -T labels=labels.csv -D H=32
  recurrency train my.rnn --data my.npz -D N=3 -D H=32 --optimiser rmsprop -O momentum=0.9
  recurrency train my_music.rnn --on nottingham -D H=64
  recurrency train jsb --run runs/jsb
  recurrency train runs/jsb
  recurrency train runs/jsb --epochs 300
  recurrency train jsb --weights runs/jsb --rate 0.0003
  recurrency train my.toml --rate 0.01 --schedule cosine -S warmup=2
  recurrency train addition -D Cell=Elman -T steps=1 --batch 1000 --optimiser hessian-free --damp h
  recurrency train addition -D Cell=LSTM --init "*.b_f=constant(4)"
  torchrun --nproc-per-node 2 -m recurrency train jsb --backend torch --batch 8 --folder runs/jsb

\b
Your data are a file. Its extension determines the format:
  .npz      an array [sequences, steps, ...] for each input of the spec, with its name, and, if
            sequences differ in length, `lengths` [sequences]; other splits are valid_x, test_x, ...
  .csv      a row for each step; the columns are `sequence`, perhaps `split`, and the inputs: x, or
            x.0, x.1, ... for the elements of a vector (.csv.xz and .csv.gz as well)
  .parquet  the same table
  .npy      the array of the only input
  .txt      a text
Without other splits a tenth is set aside for each. Without `sequence`, all rows are one series,
which is split by time. Symbols are whole numbers from 0, or texts. Dimensions that the data know
(the size of a step, the number of symbols or classes) may be left out.

\b
Options of your data:
  -T held=10                     percent that is set aside for validation, and for test
  -T split=80/10/10              split each sequence by time
  -T window=50 -T stride=1       cut sequences into windows
  -T labels=FILE                 one value for each sequence, from another file (.csv, .parquet, .npy)
  -T missing=zero|last           empty cells and NaN count as 0, or as the value before
  -T mask=m=x                    the input m is 1 where x has a value, else 0
  -T elapsed=dt=time             the input dt is the time since the step before, by the column `time`

\b
The music collections are searched at --data PATH, else in the folder named by the environment
variable RECURRENCY_DATA, else in ./data and ../shared/data (and in music/ below each).

\b
The run is stored in --run FOLDER, by default in a new folder runs/NAME (not with --output, --runs
or --no-run). Ctrl-C ends training after a checkpoint, and `recurrency train FOLDER` resumes it with
the same numbers as an uninterrupted run, also after a crash. A finished run is repeated, and its
numbers are compared; with more --epochs it goes on. `recurrency evaluate FOLDER` and `recurrency
predict FOLDER --data FILE` use the result.

\b
Under torchrun, several processes train together: --batch is the batch size of each, and the result
is that of one process with the sum of all batches (except for random draws, as in dropout).
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


def _sizes(context: click.Context, option: click.Parameter, values: tuple[str, ...]) -> dict[str, Any]:
    """The values of -D, with the files and the seed of constants."""
    return with_constants(context, pairs(context, option, values))


def _numbers(context: click.Context, option: click.Parameter, values: tuple[str, ...]) -> dict[str, float]:
    found = pairs(context, option, values)
    wrong = [name for name, value in found.items() if isinstance(value, str)]
    if wrong:
        raise click.BadParameter(f"{wrong[0]} must be a number", context, option)
    return found


def _damped(context: click.Context, option: click.Parameter, values: tuple[str, ...]) -> dict[str, float]:
    """STREAM or STREAM=MU words as a dict."""
    return _numbers(context, option, tuple(text if "=" in text else f"{text}={MU}" for text in values))


POSITIVE = click.IntRange(min=1)
ABOVE = click.FloatRange(min=0, min_open=True)
NOT_LESS = click.FloatRange(min=0)
NAMED: Any = {"multiple": True, "metavar": "NAME=VALUE"}


OWN = (
    *("target", "on", "dimensions", "init", "settings", "damp", "task_options", "data"),
    *("output", "runs", "folder", "save_every", "weights"),
)
"""The arguments that are no training options, by their names in a request."""


@click.command("train", epilog=EXAMPLES)
@click.argument("target", metavar="WHAT", shell_complete=completing.trainable)
@constants
@click.option("-D", "dimensions", callback=_sizes, help="A dimension, function or cell of the spec.", **NAMED)
@click.option("--on", metavar="TASK", help="Train a spec on the data of this task or experiment.")
@click.option("--data", metavar="PATH", help="The data file, or its folder.")
@initialisers
@click.option("--weights", metavar="FILE", help="Start from the parameters of this .safetensors file or run folder.")
@click.option("-T", "task_options", callback=pairs, help="An option of the task.", **NAMED)
@click.option(
    "--optimiser",
    "--optimizer",
    metavar="NAME",
    help="sgd, momentum, adagrad, adadelta, rmsprop, rmsprop-graves, adam or hessian-free.",
)
@click.option("--rate", type=ABOVE, help="Step size.  [default: the optimiser's or the experiment's]")
@click.option("-O", "settings", callback=_numbers, help="Another option of the optimiser.", **NAMED)
@click.option(
    "--damp",
    callback=_damped,
    multiple=True,
    metavar="STREAM[=MU]",
    help=f"Structural damping of a stream in hessian-free, such as h or h=0.1.  [default of MU: {MU}]",
)
@click.option("--schedule", metavar="NAME", help="How the rate changes: constant, step, exponential or cosine.")
@click.option("-S", "schedule_options", callback=_numbers, help="An option of the schedule.", **NAMED)
@click.option("--epochs", type=POSITIVE, help="The most epochs.")
@click.option("--batch", type=POSITIVE, help="Sequences in a batch.")
@click.option("--accumulate", type=POSITIVE, help="Batches per update.")
@click.option("--clip", type=ABOVE, help="Clip the norm of the gradient to this value.")
@click.option("--clip-value", type=ABOVE, help="Clip each element of the gradient to this value.")
@click.option("--l1", type=NOT_LESS, help="Penalty on the sum of |w|.")
@click.option("--l2", type=NOT_LESS, help="Penalty on half of the sum of w^2.")
@click.option("--weight-noise", type=NOT_LESS, help="Standard deviation of the noise on all weights in training.")
@click.option("--patience", type=POSITIVE, help="Epochs without a better validation loss before training stops.")
@click.option(
    "--until-solved/--no-until-solved", default=None, help="End training when the validation data meet the criterion."
)
@click.option("--shrink", type=ABOVE, help="Factor on the rate after an epoch without a better validation loss.")
@click.option(
    "--halve-above",
    type=ABOVE,
    help="Halve the rate, at most once in an epoch, when the norm of a gradient is greater than this.",
)
@click.option("--length", type=POSITIVE, help="Steps of a generated sequence.")
@click.option("--chunk", type=POSITIVE, help="Longest piece of a training sequence.")
@click.option("--truncate", type=POSITIVE, help="Steps after which gradients stop; states are carried on.")
@click.option(
    "--parallel",
    type=click.Choice(["synchronous", "asynchronous"]),
    help="Whether processes under torchrun wait for one another at each update.",
)
@checkpoint
@click.option("--seed", type=click.IntRange(min=0), help="Seed of weights, order and noise.")
@click.option("--runs", type=POSITIVE, default=1, help="Train with this many seeds and report their spread.")
@click.option("--dtype", type=click.Choice(["float32", "float64"]), help="Type of all numbers.")
@click.option(
    "--backend",
    shell_complete=completing.backends,
    metavar="NAME",
    help="The backend; by default c if there is a C compiler, else numpy.",
)
@compute_option
@optimise
@click.option(
    "--run", "--folder", "folder", metavar="FOLDER", help="Store the run here: checkpoints, metrics, weights, losses."
)
@click.option("--no-run", is_flag=True, help="Store nothing.  [default: runs/NAME, unless --output is given]")
@click.option(
    "--save-every", type=NOT_LESS, default=30.0, show_default=True, help="Seconds between two checkpoints of --run."
)
@click.option("--output", metavar="FILE", help="Write the best parameters to this .safetensors file.")
@click.option("--log-form", type=click.Choice(["bar", "lines", "readme", "quiet"]), help="Form of the progress report.")
@click.option("--log-every", type=POSITIVE, help="Updates between two lines of metrics in --run.")
def train(**given: Any) -> None:
    """Train an experiment, or a spec with a loss.

    WHAT is the name of a shipped experiment, an experiment file (.toml), a .rnn file or a shipped cell together with
    --on or --data, or the folder of a run, which is resumed or repeated.

    Options that are not given have the values of the experiment.
    """
    from recurrency.training.loop.progress import INTERRUPTED
    from recurrency.training.runs.command import Request, run

    own = {name: given.pop(name) for name in OWN}
    nothing, compute = given.pop("no_run"), given.pop("compute")
    if compute:
        given["backend"] = f"{given['backend'] or 'auto'}:{compute}"
    if nothing and own["folder"] is not None:
        raise click.UsageError("--run stores the run, and --no-run does not: leave one of them out")
    schedule = given.pop("schedule_options")
    options = {name.replace("_", "-"): value for name, value in given.items() if value is not None}
    request = Request(options=options, schedule=schedule, keeps=not nothing, **own)
    histories = run(request, echo)
    if any(history.stopped == INTERRUPTED for history in histories or ()):
        raise SystemExit(130)
