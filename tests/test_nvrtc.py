"""NVIDIA's compiler takes every kernel of every shipped cell, and none of them spills; no GPU is needed."""

from __future__ import annotations

import pytest
from recurrency.backends import _cuda_check as nvrtc

from recurrency.errors import UsageError
from tests import driving

needs_nvrtc = pytest.mark.skipif(nvrtc.obstacle() is not None, reason=f"kernels not compiled: {nvrtc.obstacle()}")

SPILLING = f"""
extern "C" __global__ void __launch_bounds__(1024) many(float* x, int n) {{
    float {", ".join(f"a{i} = x[{i}]" for i in range(256))};
    for (int t = 0; t < n; t++) {{
        float s = x[t];
        {" ".join(f"a{i} = a{i} * s + a{(i + 7) % 256};" for i in range(256))}
        x[t] = a0;
    }}
}}"""
"""1024 threads share 65536 registers: 256 values in each of them are too many."""


def module(code: str) -> str:
    """The source of a module with these kernels."""
    return f"SRC = r'''{code}'''\n\n\ndef forward():\n    pass\n"


@needs_nvrtc
def test_kernels_are_compiled_for_three_generations() -> None:
    lines = nvrtc.check(module(driving.KERNELS))
    assert [line.split(", ")[0] for line in lines] == [f"sm_{n}: 3 kernels" for n in (80, 90, 100)]
    assert all("registers, spills 0" in line for line in lines)


@needs_nvrtc
def test_an_undefined_function_is_found_with_its_line() -> None:
    line = driving.KERNELS[: driving.KERNELS.index("tanhf")].count("\n") + 1
    message = rf'NVRTC refuses the kernels for sm_80:\nkernels.cu\({line}\): .*"tanhh" is undefined'
    with pytest.raises(UsageError, match=message):
        nvrtc.check(module(driving.KERNELS.replace("tanhf", "tanhh")))


@needs_nvrtc
def test_a_kernel_that_spills_is_named() -> None:
    with pytest.raises(
        UsageError, match=r"sm_80: these kernels need more registers than there are: many \(\d+ bytes\)"
    ):
        nvrtc.check(module(SPILLING))


def test_a_module_without_kernels_has_nothing_to_compile() -> None:
    assert nvrtc.check("x = 'text'") == ["it has no CUDA kernels"]
