"""Reads recurrent layers from files of Keras: `.keras`, and `.h5` of Keras 2 and 3.

A `.keras` file is a zip archive of JSON and HDF5. The description of the model is read as data: no layer is made from
it, so that a `Lambda` layer or a class in it runs no code. Sizes are bounded. Only h5py is needed, not Keras.
"""

from __future__ import annotations

import json
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import IO, Any

from recurrency.convert import hdf5
from recurrency.convert.keras_layers import Entry, layer_of, listed
from recurrency.convert.stacks import Stack, chosen
from recurrency.errors import UsageError
from recurrency.graph.op import Array

SUFFIXES = (".keras", ".h5", ".hdf5")
"""The extensions of these files."""
GREATEST_TEXT = 2**26
"""Bound on the description of a model, in bytes."""
GREATEST_WEIGHTS = 2**32
"""Bound on the unpacked weights of a .keras file, in bytes."""
CHUNK = 2**20


@dataclass(frozen=True)
class KerasFile:
    """A file that is open for reading: the layers of the model, None if it has weights only, and the HDF5 file."""

    name: str
    entries: Sequence[Entry] | None
    weights: Any

    def arrays(self, entry: Entry) -> list[Array]:
        """The weights of a layer in the order of `get_weights()`."""
        path = hdf5.layers(self.weights).get(entry.name)
        if path is None and not hdf5.layers(self.weights):  # the first versions of Keras 3 store no names
            path = hdf5.layers(self.weights, keys=True).get(entry.key)
        return hdf5.arrays(self.weights, path) if path is not None else []

    def stack(self, layer: str | None, weights_only: bool) -> Stack:
        """The layer with this name, or all recurrent layers where each reads the one before.

        `weights_only` ignores how the layer is run: masks, direction in time, and states kept between batches.
        """
        assert self.entries is not None
        recurrent = [entry for entry in self.entries if entry.recurrent]
        if layer is not None:
            recurrent = [entry for entry in recurrent if entry.name == layer] or recurrent
        found = [layer_of(entry, self.arrays(entry), () if weights_only else self.entries) for entry in recurrent]
        chain = all(above.reads(below, self.entries) for below, above in pairwise(recurrent))
        return chosen(found, chain, layer, self.name)

    def bare(self, layer: str | None) -> list[Array]:
        """The weights of a layer of a file without a description of the model."""
        paths = hdf5.layers(self.weights, keys=True)
        found = {name: hdf5.arrays(self.weights, path) for name, path in paths.items()}
        found = {name: arrays for name, arrays in found.items() if _may_be_recurrent(arrays)}
        names = ", ".join(found) or "none"
        if layer is None and len(found) == 1:
            return next(iter(found.values()))
        if layer is None:
            raise UsageError(f"choose a layer of {self.name}; with the weights of a recurrent layer there are {names}")
        if layer not in found:
            raise UsageError(f"{self.name} has no recurrent layer {layer}; there are {names}")
        return found[layer]


def _may_be_recurrent(arrays: Sequence[Array]) -> bool:
    """Whether these can be the kernel and the recurrent kernel of a layer."""
    if len(arrays) < 2 or arrays[0].ndim != 2 or arrays[1].ndim != 2:
        return False
    (_, columns), (units, others) = arrays[0].shape, arrays[1].shape
    return bool(columns == others and units and columns % units == 0)


@contextmanager
def opened(path: str | Path) -> Iterator[KerasFile]:
    """A file of Keras.

    Raises:
        UsageError: it can't be read, is none, or is too large.
    """
    try:
        if Path(path).suffix.lower() == ".keras":
            with zipfile.ZipFile(path) as archive:
                yield from _of_archive(archive, str(path))
        else:
            with hdf5.opened(path, str(path)) as weights:
                about = hdf5.configuration(weights)
                entries = listed(_json(about["model_config"], str(path)), about) if "model_config" in about else None
                yield KerasFile(str(path), entries, weights)
    except UsageError:
        raise
    except OSError as error:
        raise UsageError(f"{path} can't be read: {error.strerror or error}") from error
    except Exception as error:  # zipfile, zlib and h5py raise different errors for damaged files
        raise UsageError(f"{path} can't be read as a file of Keras: {' '.join(str(error).split())[:200]}") from error


def _of_archive(archive: zipfile.ZipFile, name: str) -> Iterator[KerasFile]:
    members = archive.namelist()
    if "model.weights.h5" not in members or "config.json" not in members:
        raise UsageError(
            f"{name} has no config.json and model.weights.h5; it has {', '.join(members[:5]) or 'nothing'}"
        )
    about = _json(_text(archive, "metadata.json"), name) if "metadata.json" in members else {}
    entries = listed(_json(_text(archive, "config.json"), name), about)
    with tempfile.TemporaryFile() as file, archive.open("model.weights.h5") as source:
        _copy(source, file, name)
        with hdf5.opened(file, name) as weights:
            yield KerasFile(name, entries, weights)


def _text(archive: zipfile.ZipFile, member: str) -> bytes:
    """A member, of which no more than the bound is unpacked."""
    with archive.open(member) as file:
        found = file.read(GREATEST_TEXT + 1)
    if len(found) > GREATEST_TEXT:
        raise UsageError(
            f"{member} has more than {GREATEST_TEXT} bytes, which is too large for a description of a model"
        )
    return found


def _copy(source: IO[bytes], target: IO[bytes], name: str) -> None:
    """Unpack the weights, chunk by chunk, since the size that an archive states may be wrong."""
    total = 0
    while chunk := source.read(CHUNK):
        total += len(chunk)
        if total > GREATEST_WEIGHTS:
            raise UsageError(f"the weights of {name} have more than {GREATEST_WEIGHTS} bytes")
        target.write(chunk)
    target.seek(0)


def _json(text: str | bytes, name: str) -> Any:
    try:
        if len(text) > GREATEST_TEXT:
            raise UsageError(f"the description of the model in {name} has more than {GREATEST_TEXT} bytes")
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"the description of the model in {name} is no JSON: {error}") from error
