"""How a generated CuPy module checks arguments, and what it needs to run."""

from typing import Any

import numpy as np

LARGEST = 2**31 - 2**10
"""The greatest number of elements of an array: kernels count in 32 bits."""

HOST = 1
"""The number of the host's memory in DLPack."""

SAID = {"start:": "the initial ", "d:output:": "the gradient of ", "d:final:": "the gradient of the final "}
"""The words for the beginnings of array names in messages."""

INSTALL = "pip install 'cupy-cuda13x[ctk]', or 'cupy-cuda12x[ctk]' where the driver is one for CUDA 12"


def installed() -> Any:
    """CuPy, after checking that it has a device and its libraries.

    Raises:
        ImportError: CuPy or one of its libraries is missing; the message says how to install it. RuntimeError: there is
            no device.
    """
    try:
        import cupy
    except ImportError as error:
        missing = "is not installed" if error.name == "cupy" else f"can't be imported ({error})"
        raise ImportError(f"cupy {missing}: {INSTALL}") from error
    if not cupy.cuda.is_available():
        raise RuntimeError("there is no CUDA device, or its driver is too old for this cupy")
    try:
        cupy.cuda.nvrtc.getVersion()
        import cupy.cublas
    except (ImportError, RuntimeError) as error:  # its loader raises a RuntimeError
        raise ImportError(f"cupy finds no NVRTC or no cuBLAS: {INSTALL} ({str(error).strip()})") from error
    return cupy


def size_of(array: Any) -> int:
    """The number of elements of an array."""
    size = 1
    for extent in array.shape:
        size *= extent
    return size


def said(name: str) -> str:
    """The name of an array in messages."""
    prefix = next((p for p in SAID if name.startswith(p)), "")
    return SAID.get(prefix, "") + name[len(prefix) :]


def from_host(array: Any, dtype: Any, name: str, symbols: int | None) -> Any:
    """A host array in C order, of this type; `symbols` is the number of symbols, if it holds symbols.

    Raises:
        TypeError: its elements cannot be converted. ValueError: it holds unknown symbols.
    """
    foreign = hasattr(array, "__dlpack__") and not isinstance(array, np.ndarray)
    found = np.from_dlpack(array) if foreign else np.asarray(array)
    countable(said(name), found.size)
    if found.size and not np.can_cast(found.dtype, dtype, "same_kind"):
        raise TypeError(f"{said(name)} holds {found.dtype}; this module needs {np.dtype(dtype)}")
    if symbols is not None and found.size and not -1 <= found.min() <= found.max() < symbols:
        raise ValueError(f"{said(name)} holds {found.min()} to {found.max()}; symbols go from 0 to {symbols - 1}")
    return np.asarray(found, dtype, order="C")


def countable(name: str, elements: int) -> None:
    """Raise ValueError for more elements than 32 bits can count."""
    if elements > LARGEST:
        raise ValueError(f"{name} has {elements:,} elements; at most {LARGEST:,} are possible: split it up")
