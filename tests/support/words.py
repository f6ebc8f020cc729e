"""Words that generated code or a compiler could take for its own, and specs that are full of them."""

from __future__ import annotations

import builtins
import keyword
import re
import shutil
import subprocess
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from recurrency import library, parse
from recurrency.backend import find
from recurrency.language.reading.tree import RESERVED
from recurrency.language.words import reserved, spellings
from recurrency.model.export import ModuleFiles, module_files
from recurrency.model.model import Model
from recurrency.model.spec import Spec

BACKENDS = ("numpy", "torch", "c", "cupy-emulated")
"""Whose code is swept."""

C = (
    "alignas alignof asm auto bool break case char const constexpr continue default do double else enum extern false "
    "float for fortran goto if inline int long nullptr register restrict return short signed sizeof static "
    "static_assert struct switch thread_local true typedef typeof typeof_unqual union unsigned void volatile while "
    "_Alignas _Alignof _Atomic _BitInt _Bool _Complex _Decimal128 _Generic _Imaginary _Noreturn _Pragma "
    "_Static_assert _Thread_local main errno stdin stdout stderr unix linux i386 I complex assert offsetof"
).split()
CPP = (
    "and and_eq bitand bitor catch char8_t char16_t char32_t class co_await co_return co_yield compl concept "
    "const_cast consteval constinit contract_assert decltype delete dynamic_cast explicit export final friend import "
    "module mutable namespace new noexcept not not_eq operator or or_eq override private protected public reflexpr "
    "reinterpret_cast requires static_cast synchronized template this throw transaction_safe try typeid typename "
    "using virtual wchar_t xor xor_eq std"
).split()
CUDA = (
    "__global__ __device__ __host__ __shared__ __constant__ __managed__ __restrict__ __launch_bounds__ __syncthreads "
    "__shfl_sync __ldg __half2float blockIdx blockDim threadIdx gridDim warpSize dim3 half float2 float4 int2 uint "
    "atomicAdd atomicCAS cudaMalloc cudaStream_t cooperative_groups nvcuda clock clock64 min max rsqrt sincos j0 y1"
).split()
ALIKE = (
    "h h_ _h h__ h_2 h_start h_t h_T h_room h_before c_1 α alpha Δ δ delta 变量 _ x_final d_x tape_0 rec rec_i "
    "REC_WIDTH T_t n_t given_h T B t0 i0"
).split()
"""Names that are one after some mangling, or what generated code calls something else."""
KNOWN = (
    "new delete this class int asm M_E I NULL INFINITY errno stdin unix y0 main philox None lambda len type self "
    "outputs tape inputs params given steps batch seed gradient real inf memory np torch dot kept call work w id k "
    "xp result training forward file __metadata__"
).split()
"""Names that were other things before."""
HEADERS = "assert complex ctype errno fenv float inttypes iso646 limits locale math setjmp signal stdarg stddef stdint \
stdio stdlib string time unistd pthread sched".split()


@cache
def macros() -> tuple[str, ...]:
    """The macros of the system's headers; none where there is no compiler."""
    if shutil.which("cc") is None:
        return ()
    text = "".join(f"#if __has_include(<{h}.h>)\n#include <{h}.h>\n#endif\n" for h in HEADERS)
    done = subprocess.run(
        ["cc", "-std=gnu11", "-D_GNU_SOURCE", "-dM", "-E", "-"], input=text, capture_output=True, text=True
    )
    return tuple(re.findall(r"#define (?!__)(\w+)", done.stdout))


def of_modules() -> set[str]:
    """All attributes of modules of PyTorch, where it is installed."""
    try:
        from torch import nn
    except ImportError:
        return set()
    return set(dir(nn.Module()))


SAID = re.compile(r'"""(?:.|\n)*?"""|/\*(?:.|\n)*?\*/|//[^\n]*|  # [^\n]*')
"""What is said in generated code for those who read it."""


@cache
def of_generated_code() -> frozenset[str]:
    """Every identifier in what each backend writes for a few cells."""
    found: set[str] = set()
    for name, sizes in {"LSTM": {"N": 2, "H": 3}, "SymbolClassifier": {"V": 3, "K": 2, "H": 2, "N": 2}}.items():
        for backend in BACKENDS:
            files = exported(library.spec(name), sizes, backend)
            found |= set(re.findall(r"[^\W\d]\w*", SAID.sub(" ", files.source)))
    return frozenset(found)


def model_of(spec: Spec, sizes: Mapping[str, int], backend: str) -> Model:
    """A cell in float64, whether or not its backend runs here."""
    return Model(spec, spec.elaborate(**sizes), find(backend, run=False), "float64")


def exported(spec: Spec, sizes: Mapping[str, int], backend: str) -> ModuleFiles:
    """The files of a cell."""
    return module_files(model_of(spec, sizes, backend))


def names(words: Iterable[str]) -> list[str]:
    """Those that the language takes for names, once each, in order."""
    known = (unicodedata.normalize("NFKC", word) for word in words)
    plain = (word for word in known if re.fullmatch(r"[^\W\d]\w*", word) and len(word) <= 200)
    taken = {*RESERVED, *(spellings()[name] for name in reserved())}
    return [word for word in dict.fromkeys(plain) if word not in taken]


def short() -> list[str]:
    """Some words of each kind."""
    python, own = names([*keyword.kwlist, *dir(builtins)]), names([*C, *CPP, *CUDA])
    sampled = (word for table in (python, own) for word in table[:: max(1, len(table) // 4)])
    return names([*ALIKE, *KNOWN, *sampled])[:84]


def every() -> list[str]:
    """All words."""
    languages = [*keyword.kwlist, *keyword.softkwlist, *dir(builtins), *C, *CPP, *CUDA]
    return names(
        [
            *ALIKE,
            *KNOWN,
            "T_destination",
            "dump_patches",
            *languages,
            *sorted({*macros(), *of_modules(), *of_generated_code()}),
        ]
    )


@dataclass(frozen=True)
class Packed:
    """A spec with a word in each of its places: the text, its cell, and the words that stand there."""

    text: str
    cell: str
    dimensions: dict[str, int]
    words: tuple[str, ...]

    @property
    def spec(self) -> Spec:
        """The cell."""
        return parse(self.text, cell=self.cell)


PLACES = ("dimension", "input", "parameter", "state", "output", "sub-cell", "cell")


def packed(words: Sequence[str], width: int) -> Iterator[Packed]:
    """Specs in which every word stands in every place but the last, where one word of each spec stands."""
    padded = [*words, *(f"filler{k}" for k in range(-len(words) % width))]
    parts = [padded[k : k + width] for k in range(0, len(padded), width)]
    parts += [[f"filler{k}x{j}" for j in range(width)] for k in range(len(parts), 7)]
    for k in range(len(parts)):
        yield _spec([parts[(k + j) % len(parts)] for j in range(6)], parts[(k + 6) % len(parts)][k % width])


def plain(width: int) -> Packed:
    """The same with names that nothing else could have."""
    return _spec([[f"q{place}z{k}" for k in range(width)] for place in range(6)], "Qcell")


def _spec(six: Sequence[Sequence[str]], name: str) -> Packed:
    """One spec. Every output comes from a use of a sub-cell, whose parameter so has a dotted name."""
    dimensions, inputs, _, states, outputs, cells = six
    rows = list(zip(*six, [*states[1:], states[0]], strict=True))
    lines = [f"cell {c}[Z](u: [Z]) -> (v: [Z]) {{\n    param w : [Z] ~ ones\n    v = w * u\n}}\n" for c in cells]
    ports = ", ".join(f"{x}: [2]" for x in inputs)
    results = ", ".join(f"{y}: [2]" for y in outputs)
    lines.append(f"cell {name}[{', '.join(dimensions)}]({ports}) -> ({results}) {{")
    for d, x, p, s, y, c, before in rows:
        lines += [f"    param {p} : [{d}] ~ ones", f"    state {s} : [2] = 0"]
        lines += [f"    {s} = {x} - mean({p}) * {before}[t-1]", f"    {y} = {c}[2]({s})"]
    return Packed(
        "\n".join([*lines, "}\n"]), name, dict.fromkeys(dimensions, 2), (*(w for part in six for w in part), name)
    )
