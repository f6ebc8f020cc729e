"""Shipped cells that draw in training: what they drew is read off, and their transcription is given the same."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest

import recurrency as rc
from tests.support.cells import random_params
from tests.transcriptions import lstm_variants
from tests.transcriptions.trace import below

STEPS, BATCH = 40, 3
TEXTS = {
    "RecurrentDropoutLSTM": """
        use RecurrentDropoutLSTM from library
        cell Probe(x: [4]) -> (h: [5], kept: [5]) {
            u    = RecurrentDropoutLSTM[5, p = 0.25](x)
            h    = u
            kept = u.kept
        }""",
    "VariationalLSTM": """
        use VariationalLSTM from library
        cell Probe(x: [4]) -> (h: [5], x_kept: [4], h_kept: [5]) {
            u      = VariationalLSTM[5, p_x = 0.4, p_h = 0.25](x)
            h      = u
            x_kept = u.x_kept
            h_kept = u.h_kept
        }""",
    "ZoneoutLSTM": """
        use ZoneoutLSTM from library
        cell Probe(x: [4]) -> (h: [5], c: [5], memory: [5]) {
            u      = ZoneoutLSTM[5, p_c = 0.4, p_h = 0.25](x)
            h      = u
            c      = u.c
            memory = u.new
        }""",
}
each_backend = pytest.mark.parametrize("backend", ["interpreter", "numpy", "torch"])


@cache
def model(cell: str, backend: str) -> Any:
    return rc.parse(TEXTS[cell], f"{cell} with its draws").compile(backend=backend, dtype="float64")


def trained(cell: str, backend: str) -> tuple[dict[str, Any], Any, Any]:
    """Parameters of the cell, inputs, and a run in training."""
    rng = np.random.default_rng(0)
    params, x = random_params(model(cell, backend), rng), rng.standard_normal((STEPS, BATCH, 4))
    return below(model(cell, backend).views(params), "u"), x, model(cell, backend).forward(params, x, training=True)


def before(y: Any) -> Any:
    """A stream one step earlier; zero at first."""
    return np.concatenate([np.zeros_like(y[:1]), y[:-1]])


def assert_drawn(events: Any, p: float) -> None:
    """About as often as it should be: within six deviations of a count."""
    assert abs(events.sum() - p * events.size) < 6 * np.sqrt(p * (1 - p) * events.size)


@each_backend
def test_variational_dropout_drops_the_same_at_all_steps_and_for_all_gates(backend: str) -> None:
    p, x, run = trained("VariationalLSTM", backend)
    z_x = run.outputs["x_kept"] / x
    z_h = run.outputs["h_kept"][1:] / run.outputs["h"][:-1]
    for mask, kept in (z_x, 0.6), (z_h, 0.75):
        np.testing.assert_allclose(mask, np.broadcast_to(mask[0], mask.shape), atol=1e-12)
        assert set(np.round(np.unique(mask), 9)) == {0, round(1 / kept, 9)}
    assert len({tuple(mask) for mask in z_x[0] > 0} | {tuple(mask) for mask in z_h[0] > 0}) > 2
    for b in range(BATCH):
        wanted = lstm_variants.variational(p, {}, x[:, b], z_x[0, b], z_h[0, b])
        np.testing.assert_allclose(run.outputs["h"][:, b], wanted.outputs["h"], rtol=1e-12, atol=1e-12)


@each_backend
def test_recurrent_dropout_draws_a_mask_for_each_step_of_what_is_read_of_itself(backend: str) -> None:
    p, x, run = trained("RecurrentDropoutLSTM", backend)
    z = np.ones_like(run.outputs["h"])
    z[1:] = run.outputs["kept"][1:] / run.outputs["h"][:-1]
    assert set(np.round(np.unique(z[1:]), 9)) == {0, round(4 / 3, 9)}
    assert_drawn(z[1:] == 0, 0.25)
    assert (z[1] != z[2]).any()
    for b in range(BATCH):
        wanted = lstm_variants.recurrent_dropout(p, {}, x[:, b], z[:, b])
        np.testing.assert_allclose(run.outputs["h"][:, b], wanted.outputs["h"], rtol=1e-12, atol=1e-12)


@each_backend
def test_zoneout_keeps_old_values_of_single_units_and_reads_the_memory_before_it(backend: str) -> None:
    p, x, run = trained("ZoneoutLSTM", backend)
    h, c, memory = (run.outputs[name] for name in ("h", "c", "memory"))
    d_c, d_h = (y == before(y) for y in (c, h))
    np.testing.assert_array_equal(np.where(d_c, before(c), memory), c)
    assert_drawn(d_c, 0.4)
    assert_drawn(d_h, 0.25)
    for b in range(BATCH):
        wanted = lstm_variants.zoneout(p, {}, x[:, b], d_c[:, b], d_h[:, b])
        np.testing.assert_allclose(h[:, b], wanted.outputs["h"], rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(c[-1, b], wanted.state["c"], rtol=1e-12, atol=1e-12)


@each_backend
@pytest.mark.parametrize("cell", TEXTS)
def test_what_is_drawn_does_not_depend_on_how_a_sequence_is_cut(cell: str, backend: str) -> None:
    compiled = model(cell, backend)
    rng = np.random.default_rng(1)
    params, x = random_params(compiled, rng), rng.standard_normal((STEPS, BATCH, 4))
    whole = compiled.forward(params, x, training=True, seed=5)
    early = compiled.forward(params, x[:13], training=True, seed=5)
    late = compiled.forward(params, x[13:], state=early.state, training=True, seed=5)
    for name, y in whole.outputs.items():
        found = np.concatenate([early.outputs[name], late.outputs[name]])
        np.testing.assert_allclose(found, y, rtol=1e-12, atol=1e-12)
    assert np.abs(compiled.forward(params, x, training=True, seed=6).outputs["h"] - whole.outputs["h"]).max() > 0.01
