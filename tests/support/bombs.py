"""Texts that are small and legal, or nearly so, and much work for whoever is careless: one for each construct."""

from __future__ import annotations

from collections.abc import Callable

HEADER = "cell B[N](x: [N]) -> (y: [N]) {\n"


def cell(*lines: str, header: str = HEADER) -> str:
    """A cell with these lines."""
    return header + "".join(f"    {line}\n" for line in lines) + "}\n"


def chain(count: int, step: str = "tanh(?)") -> str:
    """Equations of which each reads the one before."""
    lines = ["a0 = x", *(f"a{i} = {step.replace('?', f'a{i - 1}')}" for i in range(1, count + 1))]
    return cell(*lines, f"y = a{count}")


def unknown(count: int) -> str:
    """Names that nobody has defined."""
    return cell(*(f"b{i} = undefined_{i}_name + x" for i in range(count)), "y = x")


def uses(count: int) -> str:
    """Uses of one cell, one after the other."""
    inner = cell("state h : [N] = 0", "h = tanh(x + h[t-1])", "y = h", header="cell A[N](x: [N]) -> (y: [N]) {\n")
    return inner + cell("a0 = x", *(f"a{i} = A(a{i - 1})" for i in range(1, count + 1)), f"y = a{count}")


def cells(count: int) -> str:
    """Cells of which each uses the one before."""
    head = "cell A{}[N](x: [N]) -> (y: [N]) {{\n"
    first = cell("y = x", header=head.format(0))
    return first + "".join(cell(f"y = A{i}(x)", header=head.format(i + 1)) for i in range(count))


def functions(count: int) -> str:
    """Functions of which each calls the one before."""
    lines = ["fn f0(a) = a + 1", *(f"fn f{i}(a) = f{i - 1}(a) * 2" for i in range(1, count + 1))]
    return "\n".join(lines) + "\n" + cell(f"y = f{count}(x)")


def states(count: int) -> str:
    """A recurrence of many states."""
    lines = [f"state h{i} : [N] = 0" for i in range(count)]
    lines += [f"h{i} = tanh(x + h{(i + 1) % count}[t-1])" for i in range(count)]
    return cell(*lines, "y = h0")


def params(count: int) -> str:
    """Parameters, each of which is read once."""
    return cell(
        *(f"param w{i} : [N] ~ zeros" for i in range(count)), f"y = x * ({' + '.join(f'w{i}' for i in range(count))})"
    )


BOMBS: dict[str, Callable[[], str]] = {
    "chained equations": lambda: chain(1500),
    "a long chain": lambda: chain(2800),
    "a chain in a loop": lambda: cell("a[0] = x", "for i in 1..6000 { a[i] = tanh(a[i-1]) }", "y = a[6000]"),
    "unknown names": lambda: unknown(3300),
    "unknown long names": lambda: cell(*(f"b{i} = {'q' * 90}{i}" for i in range(2000)), "y = x"),
    "uses of a cell": lambda: uses(1500),
    "chained cells": lambda: cells(600),
    "chained functions": lambda: functions(900),
    "states": lambda: states(800),
    "parameters": lambda: params(2000),
    "a long sum": lambda: cell(f"y = {' + '.join(['x'] * 6000)}"),
    "a long product": lambda: cell(f"y = {' * '.join(['x'] * 6000)}"),
    "brackets": lambda: cell(f"y = {'(' * 3000}x{')' * 3000}"),
    "calls in calls": lambda: cell(f"y = {'tanh(' * 3000}x{')' * 3000}"),
    "minus signs": lambda: cell(f"y = {'-' * 9000}x"),
    "powers": lambda: cell(f"y = x {'** 2 ' * 4000}"),
    "conditions": lambda: cell(f"y = {'x if 1 < 2 else ' * 2000}x"),
    "a wide concat": lambda: cell(f"z = concat({', '.join(['x'] * 4000)})", "y = slice(z, 1, N)"),
    "a long docstring": lambda: cell('"""' + "words " * 100_000 + '"""', "y = x"),
    "a long comment": lambda: "#" * 900_000 + "\n" + cell("y = x"),
    "a long name": lambda: cell(f"{'a' * 400_000} = x", f"y = {'a' * 400_000}"),
    "a long number": lambda: cell(f"y = x * {'9' * 5000}"),
    "digits of a number": lambda: cell(f"y = x * 0.{'1' * 400_000}"),
    "open brackets": lambda: cell("y = " + "(" * 15_000),
    "closed brackets": lambda: cell("y = x" + ")" * 15_000),
    "headers": lambda: "cell " * 15_000,
    "empty lines": lambda: "\n" * 900_000,
    "strays": lambda: cell("y = x" + ";" * 15_000),
    "delays of delays": lambda: chain(900, "?[t-1]"),
    "states of states": lambda: cell(
        *(f"state h{i} : [N] = 0" for i in range(500)),
        "h0 = tanh(x + h0[t-1])",
        *(f"h{i} = tanh(h{i}[t-1] + h{i - 1}[t-1])" for i in range(1, 500)),
        "y = h499",
    ),
    "parts of parts": lambda: chain(900, "slice(concat(?, ?), 1, N)"),
    "wider and wider": lambda: cell(
        "a0 = x", *(f"a{i} = concat(a{i - 1}, x)" for i in range(1, 900)), "y = slice(a899, 1, N)"
    ),
    "gradients cut": lambda: chain(1500, "stop_grad(?)"),
    "reversals": lambda: chain(900, "reverse(?)"),
    "means": lambda: chain(900, "? - mean(?)"),
    "functions in loops": lambda: (
        "\n".join(["fn f0(a) = a", *(f"fn f{i}(a) = a if 1 < 2 else f{i - 1}(a) + f{i - 1}(a)" for i in range(1, 60))])
        + "\n"
        + cell("state h : [N] = 0", "h = f59(x + h[t-1])", "y = h")
    ),
    "nested functions": lambda: (
        "\n".join(["fn f0(a) = a + 1", *(f"fn f{i}(a) = {'(' * 20}f{i - 1}(a){' + 1)' * 20}" for i in range(1, 18))])
        + "\n"
        + cell("state h : [N] = 0", "h = f17(h[t-1] + x)", "y = h")
    ),
    "many sizes": lambda: cell(
        *(f"param w{i} : [{i + 1}] ~ zeros" for i in range(500)),
        "a0 = x",
        *(f"a{i + 1} = a{i} * sum(w{i})" for i in range(500)),
        "y = a500",
    ),
    "sums of sums": lambda: cell("a[0] = x", "for i in 1..150 { a[i] = sum(a[j] for j in 0..i-1) }", "y = a[150]"),
    "gates": lambda: cell(
        "param W[1..300] : [N, N] ~ zeros",
        "state h : [N] = 0",
        "for i in 1..300 { g[i] = sigmoid(W[i] @ x + W[i] @ h[t-1]) }",
        "h = sum(g[i] for i in 1..300)",
        "y = h",
    ),
    "long ways": lambda: cell("a[0] = x", "for i in 1..250 { a[i] = tanh(a[i-1]) }", "y = sum(a[i] for i in 0..250)"),
    "many cells": lambda: "".join(cell("y = x", header=f"cell C{i}[N](x: [N]) -> (y: [N]) {{\n") for i in range(900)),
    "many dimensions": lambda: cell(
        "y = x", header=f"cell B[{', '.join(f'N{i}' for i in range(2000))}, N](x: [N]) -> (y: [N]) {{\n"
    ),
    "many inputs": lambda: cell(
        "y = x0", header=f"cell B[N]({', '.join(f'x{i}: [N]' for i in range(1500))}) -> (y: [N]) {{\n"
    ),
    "many outputs": lambda: cell(
        *(f"y{i} = x" for i in range(1500)),
        header=f"cell B[N](x: [N]) -> ({', '.join(f'y{i}: [N]' for i in range(1500))}) {{\n",
    ),
    "losses": lambda: cell("y = x", *["loss l2(y)"] * 1500),
    "a family": lambda: cell("param w[1..5000] : [N] ~ zeros", "y = x * sum(w[i] for i in 1..5000)"),
    "products of matrices": lambda: cell(
        "param W : [N, N] ~ zeros", "a0 = x", *(f"a{i} = W @ a{i - 1} + a{i - 1}" for i in range(1, 800)), "y = a799"
    ),
    "long delays": lambda: cell(
        *(f"a{i} = x[t-{i}]" for i in range(1, 500)), f"y = {' + '.join(f'a{i}' for i in range(1, 500))}"
    ),
}
"""The texts by what there is much of."""
