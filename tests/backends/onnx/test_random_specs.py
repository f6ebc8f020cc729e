"""Random specs in onnxruntime against the interpreter: this is how wrong fusions of onnxruntime are found."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import hypothesis
import pytest
from hypothesis import HealthCheck, Phase

from recurrency.testing.compare import compared
from recurrency.testing.fuzz.trials import trials

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

KINDS = ["streams", "chunks", "steps", "loss"]
REFUSED = "draws random numbers out of training"


@pytest.mark.long
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_random_specs_compute_what_the_interpreter_does(dtype: str) -> None:
    numbers = 0

    @hypothesis.settings(
        max_examples=150,
        deadline=None,
        database=None,
        derandomize=True,
        phases=(Phase.generate,),
        suppress_health_check=list(HealthCheck),
    )
    @hypothesis.given(trials(("onnx",)))
    def check(trial: Any) -> None:
        nonlocal numbers
        assert trial.case is not None
        found = compared(trial.program.spec(), replace(trial.case, dtype=dtype), "onnx", KINDS, trial.without)
        numbers += found.compared
        wrong = [str(d) for d in found.differences if REFUSED not in str(d)]
        assert not wrong, "\n".join([trial.program.text, repr(trial.case), *wrong[:5]])

    check()
    assert numbers > 10_000
