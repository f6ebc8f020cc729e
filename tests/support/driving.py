"""An LSTM written by hand in the form of a generated module: kernels in CUDA C and a driver on an array module."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

KERNELS = """
static __device__ __forceinline__ float sigmoid(float x) { return 1.0f / (1.0f + expf(-x)); }

// G [B, 4 H]: what the gates are of; the gates themselves take its place.
extern "C" __global__ void lstm_forward(float* __restrict__ G, const float* __restrict__ before,
                                        float* __restrict__ c, float* __restrict__ h, int B, int H) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= B * H) return;
    float* g = G + (long long)(i / H) * 4 * H + i % H;
    g[0] = sigmoid(g[0]); g[H] = sigmoid(g[H]); g[2 * H] = tanhf(g[2 * H]); g[3 * H] = sigmoid(g[3 * H]);
    c[i] = g[H] * before[i] + g[0] * g[2 * H];
    h[i] = g[3 * H] * tanhf(c[i]);
}

// G: the gates; the gradients of what they are of take their place. dc: of c at this step, and then at the last one.
extern "C" __global__ void lstm_backward(float* __restrict__ G, const float* __restrict__ before,
                                         const float* __restrict__ c, const float* __restrict__ dy,
                                         const float* __restrict__ dh, float* __restrict__ dc, int B, int H) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= B * H) return;
    float* g = G + (long long)(i / H) * 4 * H + i % H;
    float a = g[0], f = g[H], n = g[2 * H], o = g[3 * H], t = tanhf(c[i]), d = dy[i] + dh[i];
    float e = dc[i] + d * o * (1.0f - t * t);
    g[0] = e * n * a * (1.0f - a);
    g[H] = e * before[i] * f * (1.0f - f);
    g[2 * H] = e * a * (1.0f - n * n);
    g[3 * H] = d * t * o * (1.0f - o);
    dc[i] = e * f;
}

extern "C" __global__ void copy(float* __restrict__ out, const float* __restrict__ from, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) out[i] = from[i];
}
"""

DRIVER = '''
class Lstm:
    """Parameters W [N, 4 H] and R [H, 4 H]; x [T, B, N]; first states h and c [B, H]; all on the device."""

    def __init__(self, xp):
        module = xp.RawModule(code=KERNELS, options=("--std=c++17",))
        self.xp = xp
        self.step, self.back, self.copy = map(module.get_function, ("lstm_forward", "lstm_backward", "copy"))

    def put(self, out, from_):
        n = from_.size
        self.copy(((n + 255) // 256,), (256,), (out, from_, self.xp.int32(n)))

    def forward(self, p, x, h0, c0):
        xp = self.xp
        (T, B, N), H = x.shape, h0.shape[1]
        G, h, c = (xp.empty(shape, xp.float32) for shape in ((T, B, 4 * H), (T + 1, B, H), (T + 1, B, H)))
        self.put(h[0], h0)
        self.put(c[0], c0)
        xp.matmul(x.reshape(T * B, N), p["W"], out=G.reshape(T * B, 4 * H))
        grid, block, sizes = ((B * H + 255) // 256,), (256,), (xp.int32(B), xp.int32(H))
        for t in range(T):
            xp.cublas.gemm("N", "N", h[t], p["R"], out=G[t], alpha=1.0, beta=1.0)
            self.step(grid, block, (G[t], c[t], c[t + 1], h[t + 1], *sizes))
        return h[1:], (G, h, c, x)

    def backward(self, p, saved, dy):
        xp, (G, h, c, x) = self.xp, saved
        T, B, H = dy.shape
        N = x.shape[2]
        dh, dc = xp.zeros((B, H), xp.float32), xp.zeros((B, H), xp.float32)
        grid, block, sizes = ((B * H + 255) // 256,), (256,), (xp.int32(B), xp.int32(H))
        for t in range(T - 1, -1, -1):
            self.back(grid, block, (G[t], c[t], c[t + 1], dy[t], dh, dc, *sizes))
            xp.cublas.gemm("N", "T", G[t], p["R"], out=dh)
        dG = G.reshape(T * B, 4 * H)
        dR, dW = xp.empty((H, 4 * H), xp.float32), xp.empty((N, 4 * H), xp.float32)
        xp.cublas.gemm("T", "N", h[:T].reshape(T * B, H), dG, out=dR)
        xp.cublas.gemm("T", "N", x.reshape(T * B, N), dG, out=dW)
        return {"W": dW, "R": dR, "h": dh, "c": dc}
'''

SIZES = {"T": 4, "B": 5, "N": 11, "H": 111}
"""Pairwise different; B H is more than a block, and no multiple of it."""


def lstm(xp: Any, driver: str = DRIVER, kernels: str = KERNELS) -> Any:
    """The driver, made from its text as a generated module would be."""
    module: dict[str, Any] = {"KERNELS": kernels}
    exec(driver, module)
    return module["Lstm"](xp)


def data(seed: int = 0) -> dict[str, Array]:
    """Parameters, input, first states, and the gradient of the output, in float32."""
    T, B, N, H = SIZES.values()
    shapes = {"W": (N, 4 * H), "R": (H, 4 * H), "x": (T, B, N), "h": (B, H), "c": (B, H), "dy": (T, B, H)}
    rng = np.random.default_rng(seed)
    return {name: (0.2 * rng.standard_normal(shape)).astype("f4") for name, shape in shapes.items()}


def results(xp: Any, **texts: str) -> dict[str, Array]:
    """Output and gradients, by driver and kernels."""
    model = lstm(xp, **texts)
    on = {name: xp.asarray(a) for name, a in data().items()}
    y, saved = model.forward(on, on["x"], on["h"], on["c"])
    out = xp.asnumpy(y)
    return {"y": out, **{name: xp.asnumpy(a) for name, a in model.backward(on, saved, on["dy"]).items()}}


def wanted() -> dict[str, Array]:
    """The same in float64 by NumPy, gradients by central differences along the directions that `project` uses."""
    a = {name: value.astype("f8") for name, value in data().items()}
    return {"y": outputs(a), **{n: slope(a, n) for n in ("W", "R", "h", "c")}}


def outputs(a: dict[str, Array]) -> Array:
    """y [T, B, H] in float64."""
    h, c, out = a["h"], a["c"], []
    for x in a["x"]:
        i, f, n, o = np.split(x @ a["W"] + h @ a["R"], 4, 1)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(n)
        h = sigmoid(o) * np.tanh(c)
        out.append(h)
    return np.stack(out)


def sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


def direction(shape: tuple[int, ...]) -> Array:
    return np.random.default_rng(7).standard_normal(shape)


def slope(a: dict[str, Array], name: str, step: float = 1e-5) -> Array:
    """The derivative of <dy, y> along a direction of one array."""
    along = step * direction(a[name].shape)
    ends = [np.sum(a["dy"] * outputs({**a, name: a[name] + sign * along})) for sign in (1, -1)]
    return np.array((ends[0] - ends[1]) / (2 * step))


def project(found: dict[str, Array]) -> dict[str, Array]:
    """Gradients as what `wanted` knows of them: their products with a direction."""
    return {n: a if n == "y" else np.array(np.sum(a * direction(a.shape))) for n, a in found.items()}
