"""No name of a spec is ever one of generated code, of a language, or of a header, wherever it stands in the spec."""

from __future__ import annotations

import ast
import io
import re
import shutil
import subprocess
import tokenize
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from recurrency.backends.names import ascii_name

from recurrency.backend import describe, find
from recurrency.graph.op import Array
from tests.support import words
from tests.support.words import Packed, exported, model_of, packed, plain

Arrays = dict[str, Array]

COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.DOTALL)
SRC = re.compile(r"SRC = r'''(.*?)'''", re.DOTALL)
SIGN = re.compile(r"\w+(?:##\w+)*|[^\w\s]")


KINDS = ("forward_kept", "backward")


def texts(spec: Packed, kinds: Sequence[str] = KINDS) -> dict[tuple[str, str], list[str]]:
    """The words and signs of each function, by kind and backend."""
    programs = model_of(spec.spec, spec.dimensions, "numpy").programs
    out = {}
    for kind in kinds:
        for backend in words.BACKENDS:
            writer: Any = find(backend, run=False)
            dtype = () if backend == "torch" else ("float64",)
            found = writer.emit([(kind, programs.graph(kind, ()))], programs.layout, *dtype)
            out[kind, backend] = tokens(found if isinstance(found, str) else found[0], backend)
    return out


def tokens(text: str, backend: str) -> list[str]:
    """The words and signs of a text, without comments, and without strings of Python."""
    if backend == "c":
        return SIGN.findall(COMMENT.sub(" ", text))
    kernels = "".join(SRC.findall(text))
    found = tokenize.generate_tokens(io.StringIO(SRC.sub("SRC = 0", text)).readline)
    left_out = (tokenize.COMMENT, tokenize.STRING, tokenize.NL)
    python = [token.string for token in found if token.type not in left_out]
    if backend != "cupy-emulated":  # methods of PyTorch such as `.copy_` are no names, but arrays are attributes there
        python = [f".{word}" if before == "." else word for before, word in pairwise(["", *python])]
    return python + SIGN.findall(COMMENT.sub(" ", kernels))


@cache
def of_plain(width: int) -> dict[tuple[str, str], list[str]]:
    """The texts for a spec with names that nothing else has."""
    return texts(plain(width))


def difference(found: Iterable[str], wanted: Iterable[str]) -> str:
    """Where two texts differ in more than in names that end in `_`, each of which stands for one in the other text."""
    there: dict[str, str] = {}
    back: dict[str, str] = {}
    for word, other in zip(found, wanted, strict=True):
        if word in ("static", "extern"):  # another function of C, or kernel
            there, back = {}, {}
        named = word.endswith("_") and other.endswith("_") and word.isidentifier()
        if word != other and not named:
            return f"{word} in the place of {other}"
        if named and (there.setdefault(word, other) != other or back.setdefault(other, word) != word):
            return f"{word} stands for {there[word]} and {other}, which stands for {back.get(other)}"
    return ""


def assert_same_code(spec: Packed, width: int, kinds: Sequence[str] = KINDS) -> None:
    """Code does not depend on what things are called, but for the names that end in `_`."""
    for key, found in texts(spec, kinds).items():
        apart = difference(found, of_plain(width)[key])
        assert not apart, (*key, apart)


def test_other_names_give_the_same_code() -> None:
    for spec in packed(words.short(), 12):
        assert_same_code(spec, 12)


@pytest.mark.long
def test_any_other_names_give_the_same_code() -> None:
    for number, spec in enumerate(packed(words.every(), 60)):
        assert_same_code(spec, 60, KINDS[: 1 if number % 3 else 2])


# -------------------------------------------------------------------------------------------------- what is exported


def wanted(spec: Packed) -> tuple[Arrays, Array, Arrays, Array]:
    """Inputs and parameters, and the interpreter's outputs and gradient for them."""
    model = spec.spec.compile(backend="interpreter", dtype="float64", dimensions=spec.dimensions)
    rng = np.random.default_rng(3)
    inputs = {name: rng.standard_normal((3, 2, *port.shape)) for name, port in model.inputs.items()}
    params = rng.standard_normal(model.size)
    run = model.forward(params, inputs)
    seeds = {name: np.ones_like(array) for name, array in run.outputs.items()}
    return inputs, params, run.outputs, model.backward(run, seeds).params


def assert_near(found: Any, wanted: Any) -> None:
    """Within what rounding may do: sums of a few products, over three steps."""
    np.testing.assert_allclose(found, wanted, rtol=1e-12, atol=1e-12)


def run_module(module: dict[str, Any], spec: Packed) -> None:
    """A module of NumPy or CuPy computes what the interpreter does."""
    inputs, params, outputs, gradient = wanted(spec)
    found, _, call = module["forward"](params, inputs)
    for name, array in outputs.items():
        assert_near(host(found[name]), array)
    assert_near(host(module["backward"](call, {n: np.ones_like(a) for n, a in outputs.items()})[0]), gradient)
    module["step"](params, {name: array[0] for name, array in inputs.items()})


def host(array: Any) -> Any:
    """An array of NumPy."""
    return getattr(array, "host", array)


def run_network(module: dict[str, Any], spec: Packed) -> None:
    """So does a module of PyTorch, which is still a module."""
    import torch

    (made,) = [v for v in module.values() if isinstance(v, type) and module["Network"] in v.__mro__[1:]]
    network = made(dtype=torch.float64)
    inputs, params, outputs, gradient = wanted(spec)
    layout = network.program.parameters
    with torch.no_grad():
        for name, parameter in network.parameters_by_name().items():
            start, shape = layout[name]
            parameter.copy_(torch.from_numpy(params[start : start + parameter.numel()].reshape(shape)))
    network.eval().train().requires_grad_(True)
    found, _ = network({name: torch.from_numpy(array) for name, array in inputs.items()})
    sum(y.sum() for y in found.values()).backward()
    for name, array in outputs.items():
        assert_near(found[name].detach(), array)
    flat = {layout[name][0]: p.grad.reshape(-1) for name, p in network.parameters_by_name().items()}
    assert_near(torch.cat([flat[start] for start in sorted(flat)]), gradient)
    again = made(dtype=torch.float64)
    again.load_state_dict(network.state_dict())
    assert all(torch.equal(a, b) for a, b in zip(again.parameters(), network.parameters(), strict=True))


def run_cupy(module: dict[str, Any], spec: Packed) -> None:
    """On the stand-in for CuPy."""
    from recurrency.backends.cupy.emulated.stand_in import StandIn

    module["use"](StandIn())
    run_module(module, spec)


RUNS = {"numpy": run_module, "torch": run_network, "cupy-emulated": run_cupy}
MODULES = "outputs tape self training forward class len None n seed inputs _parameters time gradient".split()


@pytest.mark.parametrize("backend", RUNS)
def test_a_module_computes_whatever_things_are_called(backend: str) -> None:
    reason = describe(emulated=True)[backend]
    if reason:
        pytest.skip(f"{backend}: {reason}")
    for spec in list(packed(MODULES, 2))[:: 3 if backend == "torch" else 1]:  # whose files take longest to write
        module: dict[str, Any] = {"__name__": "generated"}
        exec(exported(spec.spec, spec.dimensions, backend).source, module)
        RUNS[backend](module, spec)


# -------------------------------------------------------------------------------------------------------- C and C++

STRICT = ("-Wall", "-Wextra", "-Wpedantic", "-Werror")


def accepted(folder: Path, compiler: str, text: str, suffix: str, *flags: str) -> None:
    """A compiler takes a text without a warning."""
    (folder / f"text{suffix}").write_text(text)
    done = subprocess.run(
        [compiler, "-fsyntax-only", *flags, *STRICT, f"text{suffix}"], cwd=folder, capture_output=True, text=True
    )
    assert not done.returncode, done.stderr[:2000]


def included(headers: Iterable[str]) -> str:
    """A text with headers of the system that are there, and others after them."""
    system = "".join(f"#if __has_include(<{name}.h>)\n#include <{name}.h>\n#endif\n" for name in words.HEADERS)
    return "\n".join([system, *headers, ""])


def files_of(specs: Iterable[Packed]) -> tuple[list[str], list[str]]:
    """Sources and headers in C."""
    found = [exported(spec.spec, spec.dimensions, "c") for spec in specs]
    return [files.source for files in found], [str(files.header) for files in found]


def assert_taken(folder: Path, sources: Iterable[str], headers: Iterable[str]) -> None:
    """C takes the sources, C and C++ the headers, after those of the system."""
    needed = {name: shutil.which(name) for name in ("cc", "c++")}
    if needed["cc"] is None:
        pytest.skip("there is no cc")
    for source in sources:
        accepted(folder, "cc", source, ".c", "-std=gnu11", "-D_GNU_SOURCE")
    accepted(folder, "cc", included(headers), ".c", "-std=gnu11", "-D_GNU_SOURCE", "-Wno-long-long")
    if needed["c++"] is None:
        pytest.skip("headers not tried with C++: there is no c++")
    accepted(folder, "c++", included(headers), ".cpp", "-std=c++17", "-D_GNU_SOURCE")


def test_c_and_cpp_take_a_file_and_its_header_whatever_things_are_called(tmp_path: Path) -> None:
    sources, headers = files_of(packed(words.KNOWN[:42], 6))
    assert_taken(tmp_path, sources[:1], headers)


@pytest.mark.long
def test_c_and_cpp_take_a_file_and_its_header_with_any_names(tmp_path: Path) -> None:
    for spec in packed(words.every(), 60):
        assert_taken(tmp_path, *files_of([spec]))


TINY = (
    "cell NAME(x: []) -> (y: []) {\n    param p : [] ~ ones\n    state h : [] = 0\n    h = x\n    y = p * h[t-1]\n}\n"
)


def cells(names: Iterable[str]) -> list[Packed]:
    """A small cell of each name, of those that are one in lower case the first."""
    first = {ascii_name(name).lower(): name for name in reversed(list(names))}
    return [Packed(TINY.replace("NAME", name), name, {}, (name,)) for name in first.values()]


CELLS = "R W X F rec rec_wait REC Page SIG FP int new class std main math LSTM α step forward E".split()


def test_a_cell_may_be_called_anything_in_c(tmp_path: Path) -> None:
    sources, headers = files_of(cells(CELLS))
    assert_taken(tmp_path, sources[:4], headers)


def test_a_cell_may_be_called_anything_in_python() -> None:
    for name in ("len", "class", "Network"):
        (spec,) = cells([name])
        for backend in ("torch", "numpy"):
            module: dict[str, Any] = {"__name__": "generated"}
            exec(exported(spec.spec, spec.dimensions, backend).source, module)
            if backend == "torch":
                made = module.get(f"{name}_", module.get(name))
                made()(module["torch"].zeros(2, 1, dtype=module["torch"].float64))


# ------------------------------------------------------------------------------------------------------------- clocks

CLOCKS = "B T T_t _s alpha class h n new size ragged t_ steps w α".split()


def over_clocks(clocks: Sequence[str]) -> Packed:
    """A spec with a stream over each of some clocks."""
    ports = [", ".join(f"{x}{k}: [2] over {clock}" for k, clock in enumerate(clocks)) for x in "xy"]
    inner = "cell R(u: [2]) -> (h: [2]) {\n    state h : [2] = 0\n    h = tanh(u + h[t-1])\n}"
    lines = [f"    y{k} = R(x{k})" for k in range(len(clocks))]
    return Packed("\n".join([inner, f"cell C({ports[0]}) -> ({ports[1]}) {{", *lines, "}\n"]), "C", {}, tuple(clocks))


def test_a_clock_may_be_called_anything() -> None:
    clocks = sorted(CLOCKS)
    plain_clocks = texts(over_clocks([f"q{k:02}" for k in range(len(clocks))]))
    for key, found in texts(over_clocks(clocks)).items():
        assert not difference(found, plain_clocks[key]), key


@pytest.mark.parametrize("backend", ["torch", "cupy-emulated"])
def test_no_name_is_defined_twice_in_a_file(backend: str) -> None:
    """Files of a runtime are put together there, which are checked by themselves only."""
    (spec,) = cells(["Cell"])
    found: Counter[str] = Counter()
    for node in ast.parse(exported(spec.spec, spec.dimensions, backend).source).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found[node.name] += 1
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            found.update(n.id for target in targets for n in ast.walk(target) if isinstance(n, ast.Name))
    assert [name for name, count in found.items() if count > 1] == []
