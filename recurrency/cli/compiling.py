"""`recurrency compile`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from recurrency.cli import completing
from recurrency.cli.common import compute as compute_option
from recurrency.cli.common import dimensions as dimension_options
from recurrency.cli.common import echo
from recurrency.cli.common import without as without_option

if TYPE_CHECKING:
    from recurrency.backend import Backend
    from recurrency.model.model import Model

EPILOG = """\b
Examples:
  recurrency compile specs/lstm.rnn --backend numpy -D N=64 -D H=128 -o lstm_numpy.py
  recurrency compile my.rnn:Cell -D H=32 --dtype float64 -o cell.py
  recurrency compile GRU -D N=8 -D H=16
  recurrency compile LSTM --backend c -D N=64 -D H=128 -o lstm.c
  recurrency compile LSTM --backend c -D N=64 -D H=128 -o lstm.c --weights model.safetensors
  recurrency compile LSTM --backend onnx -D N=64 -D H=128 -o lstm.onnx --weights model.safetensors
  recurrency compile LSTM --backend cupy -D N=64 -D H=128 -o lstm_cupy.py --check
"""


@click.command("compile", epilog=EPILOG)
@click.argument("spec", metavar="SPEC[:CELL]", shell_complete=completing.specs)
@click.option(
    "--backend",
    shell_complete=completing.backends,
    default="numpy",
    show_default=True,
    metavar="NAME",
    help="The backend; see `recurrency backends`.",
)
@dimension_options
@click.option(
    "--dtype",
    type=click.Choice(["float32", "float64"]),
    default="float32",
    show_default=True,
    help="Type of all numbers.",
)
@compute_option
@click.option("-o", "--output", metavar="FILE", help="Write the source here.  [default: standard output]")
@click.option(
    "--weights",
    metavar="FILE",
    help="With --backend c or onnx: include the parameters of a .safetensors file or a run folder.",
)
@click.option("--resets", is_flag=True, help="The functions take resets: steps at which a sequence begins again.")
@click.option("--masks", is_flag=True, help="The functions take masks: steps that are not there.")
@click.option("--check", is_flag=True, help="Compile the CUDA kernels with NVRTC, which needs no GPU.")
@without_option
@click.pass_context
def compile(context: click.Context, /, spec: str, backend: str, dtype: str, output: str | None, **options: Any) -> None:
    """Write a cell as source code: forward, generated back-propagation through time, parameter layout.

    The source runs without recurrency. The backend c writes a .c file and a header beside it, lstm.h for lstm.c; the
    backend onnx writes results only, lstm.onnx for whole sequences and lstm.step.onnx for one step; the others write a
    .py file. With --weights, parameters are constants in the file, so a program needs no other file.
    """
    from recurrency.backend import find
    from recurrency.cli.common import find_spec
    from recurrency.model.export import module_files
    from recurrency.model.model import Model

    backend = f"{backend}:{options['compute']}" if options["compute"] else backend
    chosen, found = find(backend, run=False), find_spec(spec)
    _require_output(output, chosen)
    if output is not None:
        _require_extension(output, chosen)
    checker = _checker(chosen) if options["check"] else None
    dimensions, weights = options["dimensions"], options["weights"]
    model = Model(found, found.elaborate(**dimensions), chosen, dtype, without=options["without"])
    sizes = " ".join(f"{k}={v}" for k, v in dimensions.items())
    stated = context.get_parameter_source("dtype") is not ParameterSource.DEFAULT
    given = None if weights is None else _weights(weights, model, stated)
    files = module_files(model, sizes, given, options["resets"], options["masks"])
    if output is None:
        echo(files.source, nl=False)
    else:
        written = " and ".join(files.write(output))
        drawn = f" ({DRAWN})" if files.binaries and given is None and model.size else ""
        echo(f"wrote {written}: {model.size} parameters{drawn}, backend {backend}, {dtype}", err=True)
    if files.no_step:
        echo(f"without a function for one step: {files.no_step}", err=True)
    for line in checker(files.source) if checker else ():
        echo(line, err=True)


LANGUAGES = {".c": ("C", "c"), ".onnx": ("ONNX", "onnx"), ".py": ("Python", "numpy, torch or cupy")}
"""Extension -> the language, and the backends that write it."""
DRAWN = "initial values of seed 0, as no --weights are given"


def _require_output(output: str | None, backend: Backend) -> None:
    """Refuse to print what is no text.

    Raises:
        UsageError: no file is named for it.
    """
    from recurrency.errors import UsageError

    if output is None and hasattr(backend, "files"):
        wanted = getattr(backend, "extension", "")
        raise UsageError(f"the backend {backend.name} writes a binary file: say -o cell{wanted}")


def _require_extension(output: str, backend: Backend) -> None:
    """Refuse a file name with the extension of another language.

    Raises:
        UsageError: the extension is wrong, and the file is no device or pipe; or it is a folder.
    """
    from recurrency.errors import UsageError

    path, wanted = Path(output), getattr(backend, "extension", None)
    if path.is_dir():
        raise UsageError(f"{path} is a folder: say -o {path / ('cell' + (wanted or ''))}")
    if wanted is None or path.suffix == wanted or (path.exists() and not path.is_file()):
        return
    language, writers = LANGUAGES.get(path.suffix, ("", ""))
    other = f"; {language} is written by --backend {writers}" if language else ""
    raise UsageError(
        f"{output}: the backend {backend.name} writes a file that ends in {wanted}: "
        f"say -o {path.with_suffix(wanted)}{other}"
    )


def _weights(path: str, model: Model, stated: bool) -> Any:
    """The parameters of a file or a run folder as one vector; `stated`: the dtype was asked for.

    Raises:
        UsageError: they can't be read, or would be rounded without that. ShapeError: they do not fit the model.
    """
    import numpy as np

    from recurrency.errors import UsageError
    from recurrency.training.runs.folders import best_file
    from recurrency.training.runs.weights import read_arrays

    file = best_file(path) if Path(path).is_dir() else path
    arrays = read_arrays(file)
    wide = [name for name, array in arrays.items() if array.dtype == np.float64]
    if wide and model.dtype == "float32" and not stated:
        raise UsageError(f"{file} holds float64; say --dtype float32 to have it rounded, or --dtype float64")
    return model.pack(arrays)


def _checker(backend: Backend) -> Callable[[str], list[str]]:
    """The function of a backend that compiles the kernels of a module as a check.

    Raises:
        UsageError: the backend has none.
    """
    from recurrency.errors import UsageError

    checker: Callable[[str], list[str]] | None = getattr(backend, "check", None)
    if checker is None:
        raise UsageError(f"the backend {backend.name} writes no CUDA kernels that --check could compile")
    return checker
