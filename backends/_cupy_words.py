"""Words that arrays and values can't be called in generated kernels and drivers."""

from __future__ import annotations

CPP = (
    "alignas alignof and asm bitand bitor bool catch char8_t char16_t char32_t class compl concept const_cast "
    "consteval constexpr constinit decltype delete dynamic_cast explicit export friend mutable namespace new noexcept "
    "not nullptr operator or private protected public reinterpret_cast requires static_assert static_cast template "
    "this thread_local throw try typeid typename using virtual wchar_t xor"
)
"""Of C++ those that C has not."""

CUDA = "blockIdx blockDim threadIdx gridDim warpSize dim3 half philox main"

MATHS = (
    "abs acos asin atan atan2 cbrt ceil copysign cos cosh erf erfc exp exp2 expm1 fabs floor fma fmax fmin fmod hypot "
    "isfinite isinf isnan j0 j1 jn ldexp lgamma log log10 log1p log2 max min modf nearbyint pow remainder rint round "
    "sin sinh sqrt tan tanh tgamma trunc y0 y1 yn"
)
"""Functions that kernels may call or that every C++ compiler knows; in single precision with an f behind."""

KERNELS = "T B t b tb i n k first second training seed row at before left total chosen params gradient"
"""What kernels call things that every one of them has."""

DRIVER = "p xp self launch product steps sizes real results ragged key given static plan graphs symbols np copy clean"
"""What drivers call theirs."""

RESERVED = frozenset(
    [*CPP.split(), *CUDA.split(), *MATHS.split(), *(f"{name}f" for name in MATHS.split()), *KERNELS.split(),
     *DRIVER.split(), *(f"i{axis}" for axis in range(10))]
)  # fmt: skip
