"""Every shipped cell a second time: plain NumPy, one sequence, loops over t, from the papers and not from the specs.

`CASES` is the registry that the tests run over; a new cell is one row, beside its transcription or below.
"""

from __future__ import annotations

from tests.transcriptions import elapsed, gated, gated_feedback, gru, heads, linear, lstm, networks, parts, simple
from tests.transcriptions.case import Case, Input
from tests.transcriptions.trace import Trace, transcribe

__all__ = ["CASES", "Case", "Input", "Trace", "transcribe"]

BIT = Input((1,), bits=True)
PAIR = {"src": Input(symbols=7, clock="s"), "tgt": Input(symbols=6)}
TAGS = {"w": Input(symbols=7), "tag": Input(symbols=3)}

CASES = (
    Case("Elman", simple.elman, {"N": 4, "H": 5}),
    Case("IRNN", simple.irnn, {"N": 4, "H": 5}),
    Case("PlainLSTM", lstm.plain_lstm, {"N": 4, "H": 5}),
    Case("LSTM", lstm.lstm, {"N": 4, "H": 5}),
    Case("LSTMP", lstm.lstmp, {"N": 4, "H": 5, "R": 3}),
    Case("LSTMPBoth", lstm.lstmp_both, {"N": 4, "H": 5, "R": 3, "P": 2}),
    Case("LSTMOutputProjection", lstm.lstm_output_projection, {"N": 4, "H": 5, "P": 2}),
    Case("GRU", gru.gru, {"N": 4, "H": 5}),
    Case("GRUAfter", gru.gru_after, {"N": 4, "H": 5}),
    Case("TorchGRU", gru.torch_gru, {"N": 4, "H": 5}),
    Case("GatedFeedback", gated_feedback.gated_feedback, {"N": 4, "H": 3, "L": 3}),
    Case("Tagger", networks.tagger, {"V": 7, "K": 3, "N": 4, "H": 5}, TAGS, causal=False),
    Case("Translate", networks.translate, {"V": 7, "K": 6, "N": 4, "H": 5, "L": 2}, PAIR, causal=False, handed=False),
    Case("FirstElement", networks.first_element, {"H": 5}, {"x": BIT}),
    Case("FirstElementAbsolute", networks.first_element_absolute, {"H": 5}, {"x": BIT}),
    Case("Music", networks.music, {"N": 6, "H": 5}, {"x": Input((6,), bits=True)}),
    *elapsed.CASES,
    *gated.CASES,
    *heads.CASES,
    *linear.CASES,
    *parts.CASES,
)
