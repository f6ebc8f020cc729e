"""Equations in a normal form: polynomials, matching and printing, for conversion and comparison."""

from __future__ import annotations

from pathlib import Path

ONNX = Path(__file__).parent / "onnx.rnn"
"""The equations of the recurrent operators of ONNX, for those who read and who write them."""
