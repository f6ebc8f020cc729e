"""The systems of the studies are those of their papers: sizes, and what their equations say."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import recurrency as rc
from recurrency.reproducing.plan import Case
from recurrency.reproducing.studies import find

BANDS, DIGITS, KEYS = 40, 10, 88


def sizes(name: str, table: str) -> dict[str, dict[str, Any]]:
    """The dimensions of each run of a table."""
    study = find(name)
    (found,) = (one for one in study.tables if one.name == table)
    rows = {row.name: Case(study, found, row, "small").experiment for row in found.rows}
    return {name: {"spec": e.spec, **e.dimensions} for name, e in rows.items()}


def weights(size: dict[str, Any]) -> int:
    """Parameters of an acoustic model by the formulas of Sak et al. 2014, sections 2 and 3, with biases."""
    h, r, p = size["H"], size.get("R", 0), size.get("P", 0)
    kind = size["spec"].split(":")[1]
    if kind == "Recurrent":
        return h * h + BANDS * h + h + h * DIGITS + DIGITS
    if kind == "LSTM":
        return 4 * h * h + 4 * BANDS * h + h * DIGITS + 3 * h + 4 * h + DIGITS
    layers = [BANDS, r] if kind == "DeepLSTMP" else [BANDS]
    each = [4 * h * r + 4 * n * h + h * (r + p) + 3 * h + 4 * h for n in layers]
    return sum(each) + (r + p) * DIGITS + DIGITS


def test_acoustic_models_have_equal_numbers_of_parameters() -> None:
    study, counts = find("sak-2014"), {}
    for name, size in sizes("sak-2014", "architectures").items():
        file, cell = size["spec"].split(":")
        net = rc.load(study.folder / file, cell).compile(**{k: v for k, v in size.items() if k != "spec"})
        assert net.size == weights(size)
        counts[name] = net.size
    assert len(counts) == 5
    assert max(counts.values()) < 1.005 * min(counts.values())


@pytest.mark.parametrize("cell", ["Memory", "Projected", "ProjectedTwice"])
def test_memory_cells_are_cut_to_50(cell: str) -> None:
    more = {"Memory": {}, "Projected": {"R": 2}, "ProjectedTwice": {"R": 2, "P": 3}}[cell]
    net = rc.load(find("sak-2014").folder / "sak-2014.rnn", cell).compile(N=1, H=2, dtype="float64", **more)
    params = {name: np.zeros(np.shape(array)) for name, array in net.views(net.init(0)).items()}
    params |= {"b_i": np.full(2, 30.0), "b_f": np.full(2, 30.0), "b_c": np.array([30.0, -30.0])}
    c = net.forward(net.pack(params), np.zeros((60, 1, 1)), streams=["c"])["c"][:, 0]
    np.testing.assert_allclose(c[:50, 0], np.arange(1, 51))
    np.testing.assert_allclose(c[50:], [[50, -50]] * 10)


def test_music_models_have_the_sizes_of_chung_et_al() -> None:
    """The paper prints 19.8e3 parameters for the LSTM: with 100 inputs, biases and diagonal peepholes."""
    study = find("chung-2014")
    for table in study.tables:
        assert {name: size["H"] for name, size in sizes("chung-2014", table.name).items()} == {
            "tanh 100": 100,
            "GRU 46": 46,
            "LSTM 36": 36,
        }
    library = {"Elman": (100, 20_100), "GRU": (46, 20_286), "LSTM": (36, 19_836)}
    for name, (units, count) in library.items():
        assert rc.library.spec(name).compile(N=100, H=units).size == count
