"""The type of `Spec.module` for editors and type checkers: an `nn.Module` with the calls of a cell.

The class itself is `recurrency.backends.torch.module.SpecNetwork`, which needs PyTorch; docs/torch.md describes it.
"""

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from recurrency.model.model import Model

class CellModule(nn.Module):
    """A compiled cell as a module of PyTorch."""

    batch_first: bool
    flat: bool

    def forward(
        self,
        inputs: Any = None,
        state: Any = None,
        lengths: Any = None,
        *,
        seed: int | None = None,
        resets: Any = None,
        is_init: Any = None,
        mask: Any = None,
        **named: Any,
    ) -> Any:
        """The output and the states after the last step."""

    def loss(
        self,
        inputs: Any = None,
        state: Any = None,
        lengths: Any = None,
        *,
        seed: int | None = None,
        resets: Any = None,
        is_init: Any = None,
        mask: Any = None,
        **named: Any,
    ) -> Tensor:
        """The sum of the cell's loss lines, a scalar."""

    def loss_and_state(
        self,
        inputs: Any = None,
        state: Any = None,
        lengths: Any = None,
        *,
        seed: int | None = None,
        resets: Any = None,
        is_init: Any = None,
        mask: Any = None,
        **named: Any,
    ) -> tuple[Tensor, Any]:
        """The loss, and the states after the last step."""

    def curvature(
        self,
        inputs: Any = None,
        state: Any = None,
        lengths: Any = None,
        *,
        seed: int | None = None,
        damped: Sequence[str] = (),
        distance: str = "matching",
        sequences: int = 0,
        resets: Any = None,
        is_init: Any = None,
        mask: Any = None,
        **named: Any,
    ) -> Any:
        """The Gauss-Newton matrix of the loss, as a function that multiplies it with vectors."""

    def parameters_by_name(self) -> dict[str, Any]:
        """The parameters, by their names in the specification."""

    def reset_parameters(self, seed: int | None = None) -> None:
        """Draw all parameters from the initialisers of the specification."""

    @property
    def model(self) -> Model:
        """The compiled model, which works on NumPy arrays."""

    @property
    def path(self) -> str:
        """The code that computes: `generated torch code on cpu`."""
