"""How backends are found, and what is said of those that can't run."""

from __future__ import annotations

from importlib.metadata import EntryPoint
from typing import Any

import pytest

import recurrency as rc
from recurrency import backend
from tests.support.specimens import BACKENDS, each_backend


class Stub:
    """A third party's backend that wants something which is not here."""

    name = "stub"
    reason: str | None = "no quantum processor; pip install qubits"

    def available(self) -> str | None:
        return self.reason

    def build(self, *_: Any, **__: Any) -> Any:
        return lambda *_: {}


stub = Stub()


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two more backends: one that can't run here, one that can't even be imported."""
    here = {"stub": f"{__name__}:stub", "broken": "recurrency.no_such_module:backend"}
    points = [EntryPoint(name, value, backend.GROUP) for name, value in here.items()]
    points[0].__dict__["load"] = lambda: stub
    found = {**backend._points(), **{p.name: p for p in points}}
    monkeypatch.setattr(backend, "_points", lambda group=backend.GROUP: found if group == backend.GROUP else {})


def test_the_interpreter_and_numpy_are_always_there() -> None:
    assert {"interpreter", "numpy"} <= set(backend.names())
    assert backend.describe()["interpreter"] is None
    assert backend.describe()["numpy"] is None
    assert [p.values[0] for p in BACKENDS] == list(backend.describe(emulated=True))


def test_an_emulated_backend_is_found_by_its_own_name_only() -> None:
    assert "cupy-emulated" not in backend.names()
    assert "cupy-emulated" not in backend.describe()
    assert backend.find("cupy-emulated").name == "cupy-emulated"


@each_backend
def test_a_backend_is_found_by_its_name(backend: str) -> None:
    found = rc.backend.find(backend)
    assert found.name == backend
    assert found.available() is None


def test_an_unknown_backend_is_refused_with_those_that_are_installed() -> None:
    with pytest.raises(rc.UsageError) as caught:
        rc.library.Elman.compile("nunpy", N=1, H=1)
    assert str(caught.value) == f"there is no backend nunpy; installed are {', '.join(backend.names())}"


@pytest.mark.usefixtures("installed")
def test_a_backend_that_can_not_run_here_says_why() -> None:
    with pytest.raises(rc.UsageError) as caught:
        rc.library.Elman.compile("stub", N=1, H=1)
    assert str(caught.value) == "the backend stub can't run here: no quantum processor; pip install qubits"
    with pytest.raises(rc.UsageError) as caught:
        backend.find("broken")
    assert str(caught.value) == (
        "the backend broken can't run here: it can't be imported: No module named 'recurrency.no_such_module'"
    )


@pytest.mark.usefixtures("installed")
def test_all_backends_are_described_though_some_can_not_run() -> None:
    found = backend.describe()
    assert list(found) == sorted(found)
    assert found["stub"] == "no quantum processor; pip install qubits"
    assert str(found["broken"]).startswith("it can't be imported")
