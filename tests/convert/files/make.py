"""Makes the files of other libraries in this folder, and what those libraries compute with them.

    python -m tests.convert.files.make

It needs Keras and onnxruntime. `lstm.h5` has the layout of Keras 2, which it writes itself: that one needs TensorFlow.
"""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from tests.support import keras_models, onnx_nodes

HERE = Path(__file__).parent
X = np.random.default_rng(7).normal(size=(4, 2, 3)).astype(np.float32)


def small(content: bytes) -> bytes:
    """An HDF5 file without its free space."""
    out = io.BytesIO()
    with h5py.File(io.BytesIO(content)) as old, h5py.File(out, "w", libver="latest") as new:
        for key, value in old.attrs.items():
            new.attrs[key] = value
        for key in old:
            old.copy(key, new)
    return out.getvalue()


def packed(path: Path) -> None:
    """Compress the members of an archive."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    members["model.weights.h5"] = small(members["model.weights.h5"])
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)


def keras_2(model: Any, path: Path) -> None:
    """The LSTM of a model as `model.save("lstm.h5")` of Keras 2.15 writes it."""
    layer = model.layers[0]
    config = {key: value for key, value in layer.get_config().items() if isinstance(value, int | str | bool)}
    entries = [
        {"class_name": "InputLayer", "config": {"batch_input_shape": [None, None, 3], "name": "input_1"}},
        {"class_name": "LSTM", "config": {**config, "time_major": False, "implementation": 2}},
    ]
    described = {"class_name": "Sequential", "config": {"name": "sequential", "layers": entries}}
    names = [f"{layer.name}/lstm_cell/{what}:0" for what in ("kernel", "recurrent_kernel", "bias")]
    with h5py.File(path, "w", libver="latest") as file:
        file.attrs["keras_version"], file.attrs["backend"] = b"2.15.0", b"tensorflow"
        file.attrs["model_config"] = json.dumps(described)
        group = file.create_group("model_weights")
        group.attrs["layer_names"] = [layer.name.encode()]
        group.create_group(layer.name).attrs["weight_names"] = [name.encode() for name in names]
        for name, array in zip(names, layer.get_weights(), strict=True):
            group[f"{layer.name}/{name}"] = array


def main() -> None:
    """Write the files."""
    expected = {"x": X}
    gru = keras_models.model(lambda k: [k.GRU(2, return_sequences=True, name="encoder")], dtype="float32")
    keras_models.saved(gru, HERE / "gru.keras")
    packed(HERE / "gru.keras")
    keras_models.saved(gru, HERE / "gru.weights.h5")
    (HERE / "gru.weights.h5").write_bytes(small((HERE / "gru.weights.h5").read_bytes()))
    expected["gru"] = keras_models.outputs(gru, X)
    lstm = keras_models.model(
        lambda k: [k.LSTM(2, return_sequences=True, name="reader", recurrent_activation="sigmoid")], dtype="float32"
    )
    keras_2(lstm, HERE / "lstm.h5")
    expected["lstm"] = keras_models.outputs(lstm, X)
    node = onnx_nodes.single("LSTM", onnx_nodes.weights("LSTM", 3, 2))
    (HERE / "peepholes.onnx").write_bytes(node.SerializeToString())
    expected["peepholes"] = onnx_nodes.side_by_side(onnx_nodes.outputs(node, X))
    np.savez(HERE / "expected.npz", **expected)


if __name__ == "__main__":
    main()
