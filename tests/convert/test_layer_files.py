"""Files of Keras and ONNX from `tests/convert/files`, without those libraries; and files from anywhere."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

import recurrency as rc
from recurrency.cli.convert import convert as command
from recurrency.convert import from_keras, keras_files

h5py = pytest.importorskip("h5py")

FILES = Path(__file__).parent / "files"
KNOWN = {
    "gru.keras": ("TorchGRU", "keras", "gru"),
    "gru.weights.h5": ("TorchGRU", "keras-gru", "gru"),
    "lstm.h5": ("PlainLSTM", "keras", "lstm"),
    "peepholes.onnx": ("LSTM", "onnx", "peepholes"),
}
TOLERANCE = 2e-6
"""Of float32: eps * (4 steps + 5 columns) of outputs below 1; the libraries approximate tanh to as much."""


def said(call: Callable[[], Any]) -> str:
    with pytest.raises(rc.UsageError) as caught:
        call()
    return str(caught.value)


@pytest.mark.parametrize("file", KNOWN)
def test_the_command_reads_files_of_other_libraries(file: str, tmp_path: Path) -> None:
    if file.endswith(".onnx"):
        pytest.importorskip("onnx")
    name, kind, result = KNOWN[file]
    out = str(tmp_path / "w.safetensors")
    done = CliRunner().invoke(command, [name, "--from", kind, str(FILES / file), "-o", out], catch_exceptions=False)
    assert "wrote" in done.output
    with np.load(FILES / "expected.npz") as expected:
        x, wanted = expected["x"], expected[result]
    model = rc.library.spec(name).compile(backend="numpy", N=3, H=2)
    found = model.forward(model.pack(rc.convert.files.read(out)), x, keep=False).outputs["h"]
    np.testing.assert_allclose(found, wanted, rtol=0, atol=TOLERANCE)


def test_neither_keras_nor_torch_is_needed() -> None:
    code = (
        "import sys, recurrency as rc\n"
        f"p = rc.convert.from_keras(rc.library.TorchGRU, {str(FILES / 'gru.keras')!r}, layer='encoder')\n"
        "assert p['W_z'].shape == (2, 3) and not {'keras', 'torch', 'tensorflow'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_weights_alone_need_a_kind() -> None:
    text = said(lambda: from_keras(rc.library.TorchGRU, FILES / "gru.weights.h5"))
    assert "has weights alone and does not describe its layers: say the kind, one of keras-lstm" in text


# --------------------------------------------------------------------------------------------- files from anywhere


def edited(path: Path, change: Callable[[dict[str, bytes]], Any]) -> Path:
    """`gru.keras` with other members."""
    with zipfile.ZipFile(FILES / "gru.keras") as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    change(members)
    out = path / "a.keras"
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return out


def reconfigured(path: Path, **options: Any) -> Path:
    """`gru.keras` with other options of its layer."""

    def change(members: dict[str, bytes]) -> None:
        model = json.loads(members["config.json"])
        model["config"]["layers"][-1]["config"] |= options
        members["config.json"] = json.dumps(model).encode()

    return edited(path, change)


def embedded(members: dict[str, bytes]) -> None:
    """An embedding below the layer, which masks symbol 0."""
    model = json.loads(members["config.json"])
    model["config"]["layers"].insert(1, {"class_name": "Embedding", "config": {"name": "words", "mask_zero": True}})
    members["config.json"] = json.dumps(model).encode()


def rewritten(path: Path, change: Callable[[Any, Any], None]) -> Path:
    """`lstm.h5` with another kernel."""
    out = path / "a.h5"
    out.write_bytes((FILES / "lstm.h5").read_bytes())
    with h5py.File(out, "r+") as file:
        group = file["model_weights/reader/reader/lstm_cell"]
        old = group["kernel:0"][()]
        del group["kernel:0"]
        change(group, old)
    return out


def linked(group: Any, old: Any) -> None:
    group["kernel:0"] = h5py.ExternalLink("/etc/other.h5", "/kernel")


def enormous(group: Any, old: Any) -> None:
    group.create_dataset("kernel:0", (2**20, 2**20), "f4", chunks=(1024, 1024))


def outside(group: Any, old: Any) -> None:
    group.create_dataset("kernel:0", old.shape, "f4", external=[("/etc/passwd", 0, 4 * old.size)])


def whole(group: Any, old: Any) -> None:
    group["kernel:0"] = old.astype(int)


DEEP = b"[" * 100_000
BAD: dict[str, tuple[Callable[[Path], Path], str]] = {
    "no file": (lambda f: f / "no.keras", "can't be read: No such file"),
    "no archive": (lambda f: (f / "a.keras").write_text("x") and f / "a.keras", "can't be read as a file of Keras"),
    "no HDF5": (lambda f: (f / "a.h5").write_text("x") and f / "a.h5", "can't be read as HDF5"),
    "no weights": (lambda f: edited(f, lambda m: m.pop("model.weights.h5")), "has no config.json and model.weights.h5"),
    "cut weights": (
        lambda f: edited(f, lambda m: m.update({"model.weights.h5": m["model.weights.h5"][:2000]})),
        "can't be read",
    ),
    "no JSON": (lambda f: edited(f, lambda m: m.update({"config.json": b"{"})), "the model in"),
    "deep JSON": (lambda f: edited(f, lambda m: m.update({"config.json": DEEP})), "is no JSON"),
    "a bomb": (lambda f: edited(f, lambda m: m.update({"config.json": b" " * 2**27})), "too large for a description"),
    "no model": (lambda f: edited(f, lambda m: m.update({"config.json": b"[1]"})), "does not list the layers"),
    "a state": (lambda f: reconfigured(f, stateful=True), "layer encoder can't be converted: it has stateful=True"),
    "a mask": (lambda f: edited(f, embedded), "layer encoder can't be converted: words makes a mask"),
    "units": (lambda f: reconfigured(f, units=3), "units is 3, but its kernel has the shape [3, 6]"),
    "a bias": (lambda f: reconfigured(f, reset_after=False), "its bias has the shape [2, 6], but reset_after=False"),
    "code": (
        lambda f: reconfigured(f, activation={"class_name": "__lambda__", "config": {"code": "aW1wb3J0IG9z"}}),
        "its activation is no function of Keras",
    ),
    "another name": (lambda f: reconfigured(f, name="other"), "the file has 0 arrays for it"),
    "a link": (lambda f: rewritten(f, linked), "is a link, which is not followed"),
    "another file": (lambda f: rewritten(f, outside), "is stored in another file, which is not read"),
    "an enormous array": (lambda f: rewritten(f, enormous), "elements; at most"),
    "whole numbers": (lambda f: rewritten(f, whole), "numbers of type int64"),
    "no kernel": (lambda f: rewritten(f, lambda group, old: None), "is no array"),
}


@pytest.mark.parametrize("title", BAD)
def test_bad_files_are_refused(title: str, tmp_path: Path) -> None:
    make, words = BAD[title]
    path = make(tmp_path)
    cell = rc.library.TorchGRU if path.suffix == ".keras" else rc.library.PlainLSTM
    assert words in said(lambda: from_keras(cell, path))


def test_the_weights_of_an_archive_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keras_files, "GREATEST_WEIGHTS", 1000)
    assert "have more than 1000 bytes" in said(lambda: from_keras(rc.library.TorchGRU, FILES / "gru.keras"))
