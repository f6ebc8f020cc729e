"""A small cell to verify."""

from __future__ import annotations

import recurrency as rc

ELMAN = rc.library.Elman.source.text


def elman() -> rc.Spec:
    return rc.parse(ELMAN, "simple.rnn", "Elman")
