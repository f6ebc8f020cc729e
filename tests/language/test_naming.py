"""Print is injective: no two names of a cell look alike, in LaTeX and in pictures, and every letter has its LaTeX."""

from __future__ import annotations

import re
import shutil
import subprocess
import unicodedata
from itertools import pairwise, product
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import recurrency as rc
from recurrency.language.reading.tree import RESERVED
from recurrency.language.words import reserved, spellings
from recurrency.language.writing.latex import equations_of_cell
from recurrency.language.writing.letters import ACCENTS, SIGNS, clusters, letter
from recurrency.language.writing.naming import naming_of
from recurrency.language.writing.notation import split_name
from recurrency.pictures import draw
from recurrency.pictures.drawing.labels import typeset

PARTS = """
h c x ab 1 0 2 t _ __ i alpha α Δ Delta hat tilde ĥ é omicron o О Ο ж 学 ٢ prime init relu T
""".split()
WORDS = {spellings()[name] for name in reserved()} | set(RESERVED) | {"x", "index", "library", "σ"}


def usable(name: str) -> bool:
    return name.isidentifier() and name not in WORDS and not name[0].isdigit()


NAMES = st.lists(
    st.lists(st.sampled_from(PARTS), min_size=1, max_size=3)
    .map("".join)
    .map(lambda name: unicodedata.normalize("NFKC", name))
    .filter(usable),
    min_size=2,
    max_size=6,
    unique=True,
)
ALIKE = [
    names.split()
    for names in """h_ h; c1 c_1; alpha α; h0 h; h_t h; h_hat ĥ; omicron o; Ο O; h__ h_ _h h; x2_1 x_2_1; t_ h;
    _ __ ___; h_0_0 h_0 h0 h; sigma σσ; Ж Zhe""".split(";")
]
"""Names that look alike, or like what another one is at some step."""


def cell_of(names: list[str]) -> rc.Spec:
    """A cell in which each name is a state, with a first value, an earlier step, and a reader."""
    states = "".join(f"    state {name} : [N] = {k}\n" for k, name in enumerate(names))
    equations = "".join(f"    {name} = sigmoid(x + {k}) + {name}[t-1]\n" for k, name in enumerate(names))
    outputs = ", ".join(names)
    return rc.parse(f"cell Alike[N](x: [N]) -> ({outputs}: [N]) {{\n{states}{equations}}}\n")


def prints(names: list[str]) -> dict[str, tuple[str, str, str]]:
    """All that may be printed of these names: bare, at steps, first values, members of families."""
    naming = naming_of(cell_of(names).cell)
    found: dict[str, tuple[str, str, str]] = {}
    for name, time, members in product(names, ("", "t", "t-1", "t+1", "0"), ("", "1", "0", "i,j")):
        text = naming.symbol(name, time, members)
        assert text not in found, (found[text], (name, time, members), text)
        found[text] = (name, time, members)
    return found


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(NAMES)
def test_no_two_names_look_alike(names: list[str]) -> None:
    prints(names)
    rows = equations_of_cell(cell_of(names).cell)
    left = [part for row in rows for part in row.split(" &=")[0].split(" = ")]
    assert len(set(left)) == len(left) == 2 * len(names)


@pytest.mark.parametrize("names", ALIKE, ids="-".join)
def test_names_that_look_alike_are_told_apart(names: list[str]) -> None:
    names = [n for n in names if n != "σσ"]
    prints(names)
    spec = cell_of(names)
    picture = draw(spec.definition)
    labels = [node.label for node in picture.sketch.nodes.values() if not node.id.startswith("output:")]
    assert len(set(labels)) == len(labels) >= 2 * len(names)
    for label in labels:
        typeset(re.sub(r"\x1f\d", "", label), 12.0)
    primed = [n for n in names if n in naming_of(spec.cell).symbols]
    assert all(f" is {name}\n" in spec.latex() for name in primed)


def test_the_shorter_name_keeps_its_usual_print() -> None:
    naming = naming_of(cell_of(["h_", "h", "c_1", "c1", "alpha", "α", "h0"]).cell)
    assert [naming.symbol(n, "t") for n in ("h", "h_", "c1", "c_1")] == [
        *("h_{t}", r"h^{\prime}_{t}", "c_{1,t}", r"c^{\prime}_{1,t}"),
    ]
    assert [naming.symbol(n, "t") for n in ("α", "alpha")] == [r"\alpha_{t}", r"\alpha^{\prime}_{t}"]
    assert naming.symbol("h0", "t") == r"h^{\prime\prime}_{0,t}", "with one prime it would be the first value of h_"


def test_a_name_that_looks_like_a_function_is_told_apart() -> None:
    spec = rc.parse("cell S[N](x: [N]) -> (y: [N]) {\n    sigma = 2 * x\n    y = sigmoid(sigma)\n}")
    assert r"y_{t} &= \sigma(\sigma^{\prime}_{t})" in spec.latex()
    assert "% \\sigma^{\\prime} is sigma\n" in spec.latex()


UNDERSCORES = """cell Inner[N, a_b_c = tanh, H_2 = 3](x_1_2: [N]) -> (y__z_: [N]) {
    y__z_ = a_b_c(x_1_2) * H_2
}
cell Outer[N](x: [N]) -> (z: [N]) {
    fn f_g_h(a_b_) = 2 * a_b_
    u_v_w = Inner[a_b_c = relu, H_2 = 4](x_1_2 = x)
    z = f_g_h(u_v_w.y__z_) + Inner[N, relu, 4](x)
}
"""
"""Underscores in every place: of an argument's name, a function, a stream inside a use."""

# ------------------------------------------------------------------------------------------------------------- letters

KNOWN = {command.strip("\\") for sign in SIGNS.values() for command in re.findall(r"\\[a-z]+", sign, re.IGNORECASE)}
COMMANDS = KNOWN | set(ACCENTS.values()) | {"mathrm", "mathit", "prime"}
PLAIN = (
    "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi pi rho sigma tau upsilon phi chi psi "
    "omega varsigma Gamma Delta Theta Lambda Xi Pi Sigma Upsilon Phi Psi Omega imath jmath aleph "
    "grave acute hat tilde bar breve dot ddot check mathring vec mathrm mathit prime"
)
"""What LaTeX has without any package."""


def test_every_command_belongs_to_latex() -> None:
    assert set(PLAIN.split()) >= COMMANDS


def test_every_letter_has_its_latex() -> None:
    """All letters that a name may have: nothing but ASCII and known commands stands in their print."""
    allowed = re.compile(r"(?:\\(?:" + "|".join(sorted(COMMANDS)) + r")|[A-Za-z0-9{}?])*")
    count = 0
    for code in range(0x110000):
        char = chr(code)
        if not (char.isalpha() or char.isdecimal()) or not f"a{read_name_of(char)}".isidentifier():
            continue
        text = "".join(letter(*cluster) for cluster in clusters(read_name_of(char)))
        assert allowed.fullmatch(text), (hex(code), char, text)
        count += 1
    assert count > 100_000


def read_name_of(char: str) -> str:
    return unicodedata.normalize("NFKC", char)


def test_marks_that_no_accent_stands_for_are_spelt() -> None:
    assert split_name("c̲") == (r"\mathrm{ccombininglowline}", [])
    assert split_name("Δt") == (r"{{\Delta}t}", [])


def specimens() -> list[str]:
    letters = [*SIGNS, *(unicodedata.normalize("NFC", f"e{m}") for m in ACCENTS if len(m) == 1), "学", "Ж", "ß", "٢"]
    return [*letters, "Δt", "x_αβ", "h_hat", "h_ddot", "h_vec", "жα_é"]


def test_no_underscore_is_left_in_a_word() -> None:
    for spec in (rc.parse(UNDERSCORES), rc.parse(UNDERSCORES, cell="Inner")):
        equations = "\n".join(line for line in spec.latex().split("\n") if not line.startswith("%"))
        assert not re.search(r"(?:mathrm|mathit|operatorname)\{[^{}]*_", equations)
        assert not re.search(r"_\{[^{}]*\}_", equations)


def test_pictures_know_every_command() -> None:
    naming = naming_of(cell_of(["h_", "h"]).cell)
    for text in [naming.symbol(name, "t", "1") for name in [*specimens(), "h_", "h"]]:
        assert typeset(text, 12.0).getsize()[0] > 0


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="pdflatex is not installed")
def test_pdflatex_takes_every_letter(tmp_path: Path) -> None:
    names = [name for name in specimens() if usable(unicodedata.normalize("NFKC", name))]
    rows = [
        cell_of([a, b]).latex() for a, b in pairwise(dict.fromkeys(unicodedata.normalize("NFKC", n) for n in names))
    ]
    rows.append(rc.parse(UNDERSCORES).latex())
    body = "\n".join([*rows, *(cell_of([n for n in alike if n != "σσ"]).latex() for alike in ALIKE)])
    text = f"\\documentclass{{article}}\n\\usepackage{{amsmath}}\n\\begin{{document}}\n{body}\n\\end{{document}}\n"
    (tmp_path / "all.tex").write_text(text)
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "all.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, errors="replace", check=False)
    assert done.returncode == 0, done.stdout[-2000:]
