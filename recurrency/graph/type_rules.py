"""Type rules: the type of a result, from the types of the arguments and the attributes of the node."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from recurrency.graph.dimensions import Dim, plus
from recurrency.graph.op import Attrs
from recurrency.graph.types import Kind, Type, join


def same(types: tuple[Type, ...], attrs: Attrs) -> Type:
    """All arguments have one shape, and the result has it too."""
    shapes = {t.shape for t in types}
    if len(shapes) != 1:
        raise TypeError(f"shapes differ: {' and '.join(str(t) for t in types)}")
    return Type(join(*types)[0], types[0].shape, join(*types)[1])


def selected(types: tuple[Type, ...], attrs: Attrs) -> Type:
    """One of the last two arguments for each element: symbols, if both are symbols of one vocabulary."""
    index = types[1].index if types[1].index == types[2].index else None
    return replace(same(types, attrs), index=index)


def stated(types: tuple[Type, ...], attrs: Attrs) -> Type:
    """The type is the attribute `type`."""
    result: Type = attrs["type"]
    return result


def scalar_of(kind: Kind) -> Callable[[tuple[Type, ...], Attrs], Type]:
    """A number of this kind."""
    return lambda types, attrs: Type(kind)


def product_type(types: tuple[Type, ...], attrs: Attrs) -> Type:
    """The letters of `spec` name axes; equal letters must have equal sizes."""
    left, result = attrs["spec"].split("->")
    sizes: dict[str, Dim] = {}
    for letters, type_ in zip(left.split(","), types, strict=True):
        if len(letters) != len(type_.shape):
            raise TypeError(f"{type_} has not {len(letters)} axes")
        for letter, size in zip(letters, type_.shape, strict=True):
            if sizes.setdefault(letter, size) != size:
                raise TypeError(f"the inner dimensions {sizes[letter]} and {size} differ")
    return Type(join(*types)[0], tuple(sizes[letter] for letter in result), join(*types)[1])


def reduced(types: tuple[Type, ...], attrs: Attrs) -> Type:
    """The type without the axes `axes`."""
    return types[0].with_shape(*(d for i, d in enumerate(types[0].shape) if i not in attrs["axes"]))


def expanded(types: tuple[Type, ...], attrs: Attrs) -> Type:
    """The type with new axes, at the positions `axes` of the result, of the sizes `sizes`."""
    shape = list(types[0].shape)
    for axis, size in zip(attrs["axes"], attrs["sizes"], strict=True):
        shape.insert(axis, size)
    return _of_sequence(arranged(types[0], *shape))


def _of_sequence(type_: Type) -> Type:
    """At least a sequence value, if the size of an axis is the number of steps of a sequence."""
    timed = type_.kind is Kind.STATIC and any(isinstance(d, str) for d in type_.shape)
    return replace(type_, kind=Kind.SEQUENCE) if timed else type_


def concatenated(types: tuple[Type, ...], attrs: Attrs) -> Type:
    """The arguments side by side along the first axis."""
    if len({t.shape[1:] for t in types}) != 1:
        raise TypeError("the other dimensions differ")
    total: Dim = 0
    for type_ in types:
        total = plus(total, type_.shape[0])
    kind, clock = join(*types)
    symbols = {type_.index for type_ in types}
    return Type(kind, (total, *types[0].shape[1:]), clock, types[0].index if len(symbols) == 1 else None)


def arranged(type_: Type, *shape: Dim) -> Type:
    """The same elements, real numbers or symbols, in another shape."""
    return replace(type_, shape=shape)


def permuted(types: tuple[Type, ...], attrs: Attrs) -> Type:
    """The type with its axes in the order `axes`; without this attribute, in reverse order."""
    shape = types[0].shape
    return types[0].with_shape(*(shape[a] for a in attrs.get("axes") or reversed(range(len(shape)))))


def inverse(axes: tuple[int, ...] | None) -> tuple[int, ...] | None:
    """The order of axes that undoes another one."""
    return None if axes is None else tuple(axes.index(k) for k in range(len(axes)))


def resized(types: tuple[Type, ...], attrs: Attrs) -> Type:
    """The type with another size of the first axis."""
    return _of_sequence(types[0].with_shape(attrs["size"], *types[0].shape[1:]))


def stepped(types: tuple[Type, ...], attrs: Attrs) -> Type:
    """The type of the first argument, which must be a stream."""
    if types[0].kind is not Kind.STREAM:
        raise TypeError(f"{types[0]} has no steps")
    return types[0]


def sequence_of(types: tuple[Type, ...], attrs: Attrs) -> Type:
    """One value for each sequence."""
    return Type(Kind.SEQUENCE, types[0].shape, None, types[0].index)


def clocked(types: tuple[Type, ...], attrs: Attrs) -> Type:
    """A stream over the clock `clock`."""
    return Type(Kind.STREAM, types[0].shape, attrs["clock"], types[0].index)
