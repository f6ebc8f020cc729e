"""What must hold of every random program: each check gives a finding, or nothing."""

from __future__ import annotations

import signal
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from recurrency.errors import RecurrencyError
from recurrency.graph.text import graph_text
from recurrency.graph.verify import verify
from recurrency.language.format import format_file
from recurrency.spec import parse
from recurrency.testing.case import Case
from recurrency.testing.compare import compared

if TYPE_CHECKING:
    from recurrency.spec import Spec
    from recurrency.testing.specs import Program

COMPILING = 20
"""Seconds that the compilation of a page of equations may take at most."""
COMPARING = 60
"""Seconds for one call, the interpreter's included."""
