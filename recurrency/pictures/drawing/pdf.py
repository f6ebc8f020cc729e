"""Converts the SVG of `svg.py`, which has outlines only, to PDF: each element becomes a few operators."""

from __future__ import annotations

import math
import re
import xml.etree.ElementTree as ET
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

NUMBER = re.compile(r"[A-Za-z]|-?(?:\d+\.?\d*|\.\d+)(?:e-?\d+)?")
ARGUMENTS = {"M": 2, "L": 2, "Q": 4, "C": 6, "A": 7, "Z": 0}
CAPS = {"butt": 0, "round": 1, "square": 2}
CIRCLE = 0.5522847498
"""The length of the handles of a cubic curve that approximates a quarter of the unit circle."""

Style = Mapping[str, str]
INHERITED = ("fill", "stroke", "stroke-width", "stroke-linecap", "stroke-dasharray")


def render_pdf(svg: str) -> bytes:
    """One page as large as the picture, in units of 1/72 inch; equal pictures give equal bytes."""
    root = ET.fromstring(svg)
    width, height = (float(root.get(name, "0")) for name in ("width", "height"))
    title = next((e.text or "" for e in root if _tag(e) == "title"), "")
    symbols = {f"#{e.get('id')}": e for e in root.iter() if _tag(e) == "symbol"}
    body = "\n".join([f"1 0 0 -1 0 {_n(height)} cm", *Writer(symbols).group(root, {"fill": "#000000"})])
    page = f"<</Type/Page/Parent 2 0 R/MediaBox[0 0 {_n(width)} {_n(height)}]/Contents 4 0 R/Resources<<>>>>"
    packed = zlib.compress(body.encode("ascii"), 9)
    stream = f"<</Length {len(packed)}/Filter/FlateDecode>>stream\n".encode() + packed + b"\nendstream"
    hexed = ("\ufeff" + title).encode("utf-16-be").hex().upper()
    pages = [b"<</Type/Catalog/Pages 2 0 R>>", b"<</Type/Pages/Kids[3 0 R]/Count 1>>", page.encode()]
    return _file([*pages, stream, f"<</Title<{hexed}>/Producer(recurrency)>>".encode()])


def _file(objects: list[bytes]) -> bytes:
    """A file of these objects with its cross-reference table; the last object is the document information."""
    out = b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n"
    places = []
    for number, text in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj" % number + text + b"\nendobj\n"
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    head = b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    tail = b"trailer<</Size %d/Root 1 0 R/Info %d 0 R>>\nstartxref\n%d\n%%%%EOF\n"
    return out + head + table + tail % (len(objects) + 1, len(objects), len(out))


def _tag(element: ET.Element) -> str:
    return element.tag.rpartition("}")[2]


def _n(value: float) -> str:
    return f"{value:.4f}".rstrip("0").rstrip(".") if value else "0"


@dataclass(frozen=True)
class Writer:
    """Writes elements; `symbols` has the outlines that `use` elements refer to."""

    symbols: Mapping[str, ET.Element]

    def group(self, parent: ET.Element, style: Style) -> Iterator[str]:
        """The operators of all children of an element."""
        for element in parent:
            own = {**style, **{name: element.attrib[name] for name in INHERITED if name in element.attrib}}
            match _tag(element):
                case "g":
                    yield from self.group(element, own)
                case "use":
                    yield from self._use(element, own)
                case "path":
                    yield from _painted(_path(element.get("d", "")), own)
                case "rect":
                    yield from _painted(_rect(element), own)
                case "title" | "desc" | "defs" | "symbol":
                    pass
                case other:
                    raise ValueError(f"no operators for <{other}>")

    def _use(self, element: ET.Element, style: Style) -> Iterator[str]:
        """A symbol scaled to fit its box, and centred."""
        symbol = self.symbols[element.get("href", "")]
        left, top, across, down = map(float, symbol.get("viewBox", "").split())
        x, y, width, height = (float(element.get(name, "0")) for name in ("x", "y", "width", "height"))
        if not across or not down:
            return
        scale = min(width / across, height / down)
        dx = x + (width - scale * across) / 2 - scale * left
        dy = y + (height - scale * down) / 2 - scale * top
        yield f"q {_n(scale)} 0 0 {_n(scale)} {_n(dx)} {_n(dy)} cm"
        yield from self.group(symbol, style)
        yield "Q"


def _painted(outline: Iterator[str], style: Style) -> Iterator[str]:
    """An outline that is filled, stroked, or both."""
    filled, drawn = (style.get(name, "none") != "none" for name in ("fill", "stroke"))
    if not filled and not drawn:
        return
    yield "q"
    if filled:
        yield f"{_colour(style['fill'])} rg"
    if drawn:
        dashes = style.get("stroke-dasharray", "none")
        dashes = "" if dashes == "none" else " ".join(dashes.replace(",", " ").split())
        yield f"{_colour(style['stroke'])} RG {style.get('stroke-width', '1')} w"
        yield f"{CAPS[style.get('stroke-linecap', 'butt')]} J [{dashes}] 0 d"
    yield from outline
    yield "B" if filled and drawn else "f" if filled else "S"
    yield "Q"


def _colour(text: str) -> str:
    text = {"black": "#000000", "white": "#ffffff"}.get(text, text)
    return " ".join(_n(int(text[k : k + 2], 16) / 255) for k in (1, 3, 5))


def _rect(element: ET.Element) -> Iterator[str]:
    """A rectangle, with rounded corners if it has a radius."""
    x, y, w, h = (float(element.get(name, "0")) for name in ("x", "y", "width", "height"))
    r = min(float(element.get("rx", "0")), w / 2, h / 2)
    if not r:
        yield f"{_n(x)} {_n(y)} {_n(w)} {_n(h)} re"
        return
    k = r * (1 - CIRCLE)
    yield _op("m", x + r, y)
    for corner, first, second, last, start in (
        ((x + w - r, y), (x + w - k, y), (x + w, y + k), (x + w, y + r), "l"),
        ((x + w, y + h - r), (x + w, y + h - k), (x + w - k, y + h), (x + w - r, y + h), "l"),
        ((x + r, y + h), (x + k, y + h), (x, y + h - k), (x, y + h - r), "l"),
        ((x, y + r), (x, y + k), (x + k, y), (x + r, y), "l"),
    ):
        yield _op(start, *corner)
        yield _op("c", *first, *second, *last)
    yield "h"


def _op(name: str, *numbers: float) -> str:
    return f"{' '.join(map(_n, numbers))} {name}"


def _path(text: str) -> Iterator[str]:
    """A path, converted to lines and cubic curves."""
    x = y = 0.0
    for command, values in _commands(text):
        if command.islower() and command != "z":
            values = [v + (x, y)[n % 2] for n, v in enumerate(values)]
        match command.upper():
            case "M" | "L":
                yield _op("m" if command.upper() == "M" else "l", *values)
            case "Q":
                cx, cy, ex, ey = values
                handles = ((a + 2 * (b - a) / 3) for a, b in ((x, cx), (y, cy), (ex, cx), (ey, cy)))
                yield _op("c", *handles, ex, ey)
            case "C":
                yield _op("c", *values)
            case "A":
                yield from _arc(x, y, values)
            case "Z":
                yield "h"
        if values:
            x, y = values[-2:]


def _commands(text: str) -> Iterator[tuple[str, list[float]]]:
    """Each command with its numbers; numbers after those of `M` without a letter are lines."""
    words = NUMBER.findall(text)
    command, at = "", 0
    while at < len(words):
        if words[at].isalpha():
            command, at = words[at], at + 1
        count = ARGUMENTS[command.upper()]
        yield command, [float(word) for word in words[at : at + count]]
        at += count
        command = {"M": "L", "m": "l"}.get(command, command)


def _arc(x: float, y: float, values: list[float]) -> Iterator[str]:
    """A circular arc as cubic curves of at most a quarter each."""
    r, _, _, large, sweep, ex, ey = values
    half = math.hypot(ex - x, ey - y) / 2
    if not half:
        return
    r = max(r, half)
    away = math.sqrt(r * r - half * half) * (1 if bool(large) != bool(sweep) else -1)
    cx = (x + ex) / 2 - away * (ey - y) / (2 * half)
    cy = (y + ey) / 2 + away * (ex - x) / (2 * half)
    start, end = math.atan2(y - cy, x - cx), math.atan2(ey - cy, ex - cx)
    turn = (end - start) % (2 * math.pi) if sweep else -((start - end) % (2 * math.pi))
    pieces = max(1, math.ceil(abs(turn) / (math.pi / 2)))
    step = turn / pieces
    reach = 4 / 3 * math.tan(step / 4) * r
    for n in range(pieces):
        a, b = start + n * step, start + (n + 1) * step
        (ax, ay), (bx, by) = ((cx + r * math.cos(c), cy + r * math.sin(c)) for c in (a, b))
        first = ax - reach * math.sin(a), ay + reach * math.cos(a)
        yield _op("c", *first, bx + reach * math.sin(b), by - reach * math.cos(b), bx, by)
