"""A graph with its inputs and outputs as an ONNX model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from onnx import ModelProto, TensorProto, ValueInfoProto, helper

from recurrency.graph.types import Kind, Type
from recurrency.version import VERSION

from .writer import Tensor, Writer

OPSET, FORMAT = 17, 8
"""The versions of the operators and of the file format: those that onnxruntime has read since 1.12."""
GREATEST_FILE = (1 << 31) - 1
"""Bound on the bytes of a file."""


@dataclass
class Ports:
    """The inputs and outputs of a model; `defaults` are the inputs that may be left out, which are empty then."""

    writer: Writer
    inputs: list[ValueInfoProto] = field(default_factory=list)
    outputs: list[ValueInfoProto] = field(default_factory=list)
    defaults: list[TensorProto] = field(default_factory=list)

    def input(self, name: str, kind: int, shape: Sequence[int | str], optional: bool = False) -> Tensor:
        """An input of the model."""
        self.inputs.append(helper.make_tensor_value_info(name, kind, list(shape)))
        if optional:
            empty = [0, *(d if isinstance(d, int) else 0 for d in shape[1:])]
            self.defaults.append(helper.make_tensor(name, kind, empty, []))
        return Tensor(self.writer, name)

    def output(self, name: str, tensor: Tensor, kind: int, shape: Sequence[int | str]) -> None:
        """A value as an output of the model."""
        self.writer.main.append(helper.make_node("Identity", [tensor.name], [name], name=f"output {name}"))
        self.outputs.append(helper.make_tensor_value_info(name, kind, list(shape)))

    def kind(self, type_: Type) -> int:
        """The element type of a value."""
        return self.writer.kind if type_.index is None else int(TensorProto.INT64)

    def model(self, name: str, text: str = "") -> ModelProto:
        """The model of all that was written."""
        w = self.writer
        graph = helper.make_graph(
            w.main, name, self.inputs, self.outputs, [*w.constants.values(), *self.defaults], doc_string=text
        )
        return helper.make_model(
            graph,
            producer_name="recurrency",
            producer_version=VERSION,
            opset_imports=[helper.make_opsetid("", OPSET)],
            ir_version=FORMAT,
        )


def axes_of(type_: Type, steps: dict[str, str], batch: str, single: bool = False) -> list[int | str]:
    """The sizes of the axes of a value, with names for the numbers that are known when the model runs."""
    lead: list[int | str] = []
    if type_.kind is Kind.STREAM and not single:
        lead = [steps[str(type_.clock)]]
    if type_.kind is not Kind.STATIC:
        lead.append(batch)
    return [*lead, *(steps[d] if isinstance(d, str) else int(str(d)) for d in type_.shape)]
