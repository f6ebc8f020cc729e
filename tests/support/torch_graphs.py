"""Graphs for the PyTorch backend, checked against the interpreter."""

from __future__ import annotations

import functools

import pytest
from recurrency.backends.torch.backend import backend

from tests.backends.numpy import test_backend
from tests.support import graphs

torch = pytest.importorskip("torch")

check = functools.partial(test_backend.check, on=backend)

each_graph = pytest.mark.parametrize("name", graphs.GRAPHS)
