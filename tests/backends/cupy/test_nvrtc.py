"""NVIDIA's compiler takes every kernel of every shipped cell, and none of them spills; no GPU is needed."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from recurrency.backends.cupy import check as nvrtc

from recurrency import backend, library
from recurrency.cli import cli
from recurrency.errors import SpecError, UsageError
from recurrency.extras import install
from recurrency.model.export import module_text
from recurrency.model.model import Model
from recurrency.testing.dimensions import dimension_sets
from tests.support import driving

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
    assert all("registers, spills 0, at least" in line for line in lines)


CROWDED = """
extern "C" __global__ void __launch_bounds__(1024, 1) crowded(float* x) {
    __shared__ float much[12000];
    much[threadIdx.x] = x[threadIdx.x];
    __syncthreads();
    x[threadIdx.x] = much[1023 - threadIdx.x];
}"""


@needs_nvrtc
def test_the_occupancy_is_that_of_cudas_calculator() -> None:
    """Of registers, shared memory, threads and blocks of a multiprocessor, the one that runs out first counts."""
    (usage,) = nvrtc.compiled(CROWDED, 90)
    assert (usage.shared, usage.threads) == (48000, 1024)
    assert nvrtc.occupancy(usage, 80) == 2  # 2048 threads on a multiprocessor
    assert nvrtc.occupancy(nvrtc.Usage("a", 168, 0, 0, 384), 90) == 1
    assert nvrtc.occupancy(nvrtc.Usage("a", 128, 0, 0, 128), 90) == 4
    assert nvrtc.occupancy(nvrtc.Usage("a", 16, 0, 0, 32), 90) == 32
    assert nvrtc.occupancy(nvrtc.Usage("a", 16, 0, 100_000, 128), 90) == 2


@needs_nvrtc
def test_a_kernel_that_no_multiprocessor_can_hold_often_enough_is_named() -> None:
    """Its launch bounds promise the compiler four blocks, for which there is too little shared memory."""
    code = CROWDED.replace("(1024, 1)", "(128, 4)").replace("12000", "11000").replace("1023", "127")
    assert "at least 3 blocks" in nvrtc.check(module(code), (80,))[0]


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


SIZES: dict[str, Callable[[int], int]] = {"odd": lambda n: n + 100, "one": lambda n: 1, "large": lambda n: 1024}
"""What becomes of small dimensions that all differ. Loops of 1024 turns and none at all are compiled differently."""


def cuda_text(name: str, dtype: str, size: str) -> str:
    """The module of a shipped cell, its dimensions (but the number of layers) of some size."""
    spec, chosen = library.spec(name), backend.find("cupy", run=False)
    small = dimension_sets(spec, 2)[-1]
    sizes = {n: SIZES[size](v) if isinstance(v, int) and n != "L" else v for n, v in small.items()}
    try:
        cell = spec.elaborate(**sizes)
    except SpecError:  # 1 has no half
        assert size == "one"
        cell = spec.elaborate(**{n: 2 if v == 1 else v for n, v in sizes.items()})
    return module_text(Model(spec, cell, chosen, dtype))


ALL = list(product(("float64", "float32"), SIZES, nvrtc.ARCHITECTURES))
USUAL = 5
COMBINATIONS = [
    pytest.param(name, *combination, marks=() if number % USUAL == 0 else pytest.mark.long)
    for number, name in enumerate(library.names())
    for combination in (ALL if os.environ.get("RECURRENCY_ALL_KERNELS") else [ALL[7 * number % len(ALL)]])
]
"""Each cell for one architecture, in one dtype, at one size, so that all of these meet one another in some cell.

`make test` takes every fifth cell, among which each combination is one time as well. All of everything
(RECURRENCY_ALL_KERNELS=1) takes half an hour.
"""


def test_the_usual_cells_have_each_combination() -> None:
    usual = [ALL[7 * number % len(ALL)] for number in range(0, len(library.names()), USUAL)]
    assert set(usual) == set(ALL)


@needs_nvrtc
@pytest.mark.parametrize(("name", "dtype", "size", "arch"), COMBINATIONS)
def test_no_kernel_of_a_shipped_cell_spills(name: str, dtype: str, size: str, arch: int) -> None:
    source = cuda_text(name, dtype, size)
    promised = {n: int(blocks) for blocks, n in re.findall(r"__launch_bounds__\(\d+, (\d+)\) (\w+)\(", source)}
    for text in nvrtc.kernel_texts(source):
        for usage in nvrtc.compiled(text, arch):
            assert (usage.name, usage.spilled) == (usage.name, 0)
            assert nvrtc.occupancy(usage, arch) >= promised.get(usage.name, 1), usage


# -------------------------------------------------------------------------------------------------------- the command


def said(folder: Path, *more: str, cell: str = "Elman", to: str = "cupy") -> Any:
    """What `recurrency compile` says of a cell, and how it ends."""
    words = ["compile", cell, "--backend", to, "-D", "N=2", "-D", "H=3", "-o", str(folder / "cell.py"), *more]
    return CliRunner().invoke(cli, words)


@needs_nvrtc
def test_the_command_compiles_the_kernels_of_what_it_writes(tmp_path: Path) -> None:
    result = said(tmp_path, "--check")
    assert result.exit_code == 0
    assert [line.split(":")[0] for line in result.output.splitlines()[1:]] == ["sm_80", "sm_90", "sm_100"]


def test_without_nvrtc_the_module_is_written_and_it_is_told_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nvrtc, "_nvrtc", lambda: None)
    result = said(tmp_path, "--check")
    assert result.exit_code != 0
    assert "NVRTC is not installed" in result.output + str(result.exception)
    assert install("cuda-check") in result.output + str(result.exception)
    assert "RawModule" in (tmp_path / "cell.py").read_text()


def test_a_backend_without_kernels_has_nothing_to_check(tmp_path: Path) -> None:
    result = said(tmp_path, "--check", to="numpy")
    assert result.exit_code != 0
    assert "the backend numpy writes no CUDA kernels that --check could compile" in result.output + str(
        result.exception
    )
    assert not (tmp_path / "cell.py").exists()
