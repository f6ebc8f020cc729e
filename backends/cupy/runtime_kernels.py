"""The kernels that the runtime of a CuPy module launches."""

from __future__ import annotations

COPY = """
extern "C" __global__ void copy_NAME(TYPE* out, const TYPE* x, int n) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) out[i] = x[i];
}
"""
CLEAN = """
extern "C" __global__ void clean_NAME(TYPE* out, const TYPE* x, const int* lengths, int B, int row, int n) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) out[i] = i / row / B < lengths[i / row % B] ? x[i] : (TYPE)NOTHING;
}
"""
FILL = """
extern "C" __global__ void fill_NAME(TYPE* out, TYPE value, int n) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) out[i] = value;
}
"""
WITHIN = """
extern "C" __global__ void within(int* out, const long long* x, int most, int n) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) out[i] = x[i] < 0 ? 0 : x[i] > most ? most : (int)x[i];
}
"""
"""The kernels that the runtime launches: copies, copies of streams with cleared padding, one number, lengths."""


def runtime_kernels(real: str, symbols: bool, random: bool) -> str:
    """The kernels of the runtime; modules with symbols or random numbers have further ones for their types."""
    copied = {"real": real, "int32": "int"}
    copied |= {"int64": "long long"} if symbols or random else {}
    copied |= {"uint64": "unsigned long long"} if random else {}
    cleaned = {"real": (real, "0")} | ({"symbols": ("long long", "-1")} if symbols else {})
    rows = [(COPY, name, type_, "") for name, type_ in copied.items()]
    rows += [(CLEAN, name, type_, nothing) for name, (type_, nothing) in cleaned.items()]
    rows += [(FILL, name, type_, "") for name, type_ in copied.items() if name != "real"]
    rows += [(WITHIN, "", "", "")]
    filled = [code.replace("NAME", name).replace("TYPE", type_).replace("NOTHING", n) for code, name, type_, n in rows]
    return "".join(filled)
