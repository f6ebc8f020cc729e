"""`recurrency convert`: weights of other libraries to a cell, and back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from recurrency.cli import completing
from recurrency.cli.common import dimensions as dimension_options
from recurrency.cli.common import echo
from recurrency.errors import UsageError

if TYPE_CHECKING:
    from recurrency.model.spec import Spec

EXAMPLES = """\b
Examples:
  recurrency convert PlainLSTM --from torch-lstm lstm.pt -o weights.safetensors
  recurrency convert PlainLSTM --from torch-lstm model.pt --prefix encoder. --layer 1 -o weights.safetensors
  recurrency convert Elman -D squash=relu --from torch-rnn-relu rnn.safetensors -o weights.safetensors
  recurrency convert my.rnn:Stack --from keras-gru gru.npz -o weights.safetensors
  recurrency convert PlainLSTM --from keras model.keras --layer lstm_1 -o weights.safetensors
  recurrency convert TorchGRU --from onnx model.onnx -o weights.safetensors
  recurrency convert PlainLSTM --to torch-lstm weights.safetensors -o lstm.pt
  recurrency convert PlainLSTM --to keras-lstm weights.safetensors -o lstm.npz

\b
The equations of both sides are matched, so any cell with the same equations converts, whatever its names and
order; if they differ, the message says where.

\b
FILE and OUTPUT are .safetensors, .npz, or .pt, .pth, .bin of PyTorch: a state dict, of which only tensors are read
(torch.load with weights_only=True). Keras weights are kernel, recurrent_kernel and bias, by these names or as
numpy.savez(path, *layer.get_weights()) writes them.

\b
With --from keras, FILE is .keras, or .h5 of Keras 2 or 3, and describes its layers; no code in it runs. A .h5 of
weights alone needs the kind (--from keras-lstm). With a kind, masks, go_backwards and stateful are ignored.
With --from onnx, FILE is .onnx with LSTM, GRU or RNN nodes whose weights are constants.
By default all recurrent layers of such a file are matched together; --layer NAME chooses one.
"""
FORMATS = "keras onnx".split()
"""Files that describe their layers."""
KINDS = """
torch-lstm torch-gru torch-rnn-tanh torch-rnn-relu
keras-lstm keras-gru keras-gru-reset-before keras-rnn-tanh keras-rnn-relu
""".split()


@click.command("convert", epilog=EXAMPLES)
@click.argument("spec", metavar="SPEC[:CELL]", shell_complete=completing.specs)
@click.argument("file", metavar="FILE")
@dimension_options
@click.option(
    "--from", "source", type=click.Choice([*KINDS, *FORMATS]), metavar="KIND", help="FILE has weights of this layer."
)
@click.option("--to", "target", type=click.Choice(KINDS), metavar="KIND", help="Write weights of this layer.")
@click.option("-o", "--output", required=True, metavar="OUTPUT", help="The file to write.")
@click.option("--layer", metavar="LAYER", help="With --from: the layer to read: 0 or 0_reverse of PyTorch; a name.")
@click.option("--prefix", default="", metavar="TEXT", help="With --from torch-...: the prefix of the names.")
@click.option("--layers", type=click.IntRange(min=1), default=1, help="With --to torch-...: the number of layers.")
@click.option("--bidirectional", is_flag=True, help="With --to: both directions.")
@click.option("--no-bias", is_flag=True, help="With --to: a layer without biases.")
def convert(
    spec: str, file: str, dimensions: dict[str, Any], source: str | None, target: str | None, output: str, **how: Any
) -> None:
    """Convert weights from nn.LSTM, nn.GRU, nn.RNN, Keras or ONNX to a cell (--from), or to the former (--to).

    KIND is torch-lstm, torch-gru, torch-rnn-tanh, torch-rnn-relu, keras-lstm, keras-gru, keras-gru-reset-before,
    keras-rnn-tanh or keras-rnn-relu; with --from also keras or onnx, for files that describe their layers.

    Dimensions follow from the weights. Give the others, and functions, with -D.
    """
    from recurrency.cli.common import find_spec
    from recurrency.convert import files

    if (source is None) == (target is None):
        raise click.UsageError("say either --from KIND or --to KIND")
    found = find_spec(spec)
    if source is not None:
        given = _to_ours(found, source, file, how, dimensions)
        files.write(output, given, {"spec": found.name, "dimensions": json.dumps(dimensions)})
    else:
        given = _to_theirs(found, str(target), files.read(file), how, dimensions)
        files.write(output, given, {"kind": str(target)})
    echo(f"wrote {output}: {', '.join(given)}", err=True)


def _to_ours(spec: Spec, kind: str, file: str, how: dict[str, Any], dimensions: dict[str, Any]) -> dict[str, Any]:
    from recurrency.convert import files, foreign, from_keras, from_onnx, from_torch, keras_files

    if kind.startswith("torch"):
        return from_torch(spec, files.read(file), kind, how["layer"], how["prefix"], dimensions=dimensions)
    if how["prefix"]:
        raise UsageError("--prefix chooses among the names of PyTorch; use --layer")
    if kind == "onnx":
        return from_onnx(spec, file, how["layer"], dimensions=dimensions)
    if kind == "keras" or Path(file).suffix.lower() in keras_files.SUFFIXES:
        return from_keras(spec, file, None if kind == "keras" else kind, how["layer"], dimensions=dimensions)
    if how["layer"] is not None:
        raise UsageError("--layer chooses among the layers of a file; weights of Keras in arrays have no names")
    return from_keras(spec, files.in_order(files.read(file), foreign.KERAS_NAMES), kind, dimensions=dimensions)


def _to_theirs(
    spec: Spec, kind: str, arrays: dict[str, Any], how: dict[str, Any], dimensions: dict[str, Any]
) -> dict[str, Any]:
    from recurrency.convert import foreign, to_keras
    from recurrency.convert.torch import state_dict

    directions, bias = how["bidirectional"], not how["no_bias"]
    if kind.startswith("torch"):
        return state_dict(spec, arrays, kind, how["layers"], directions, bias, dimensions=dimensions)
    weights = to_keras(spec, arrays, kind, directions, bias, dimensions=dimensions)
    names = foreign.KERAS_NAMES if len(weights) <= len(foreign.KERAS_NAMES) else map("arr_{}".format, range(6))
    return dict(zip(names, weights, strict=False))
