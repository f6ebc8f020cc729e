"""A folder with a few sequences for each task that reads files, in the form in which they are published."""

from __future__ import annotations

import string
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from tests.support.idx import idx


class Sizes(NamedTuple):
    """Numbers of lines, sentences and images."""

    treebank: tuple[int, int, int] = (60, 25, 25)
    texts: int = 300
    sentences: int = 20
    images: tuple[int, int] = (24, 11)


ENOUGH = Sizes((15000, 400, 400), 3000, 400, (400, 50))
"""As many as the short forms of studies need, which take small parts of the published data."""


GLYPH = "    8  9MWOMOV RUMUV ROQUQ"
"""The letter H, as the notice of the Hershey fonts explains it; the last letter is a coordinate."""

FEW = Sizes()


def write(folder: Path, sizes: Sizes = FEW) -> Path:
    """Every file that a task looks for; returns the folder."""
    rng = np.random.default_rng(0)
    for name in ("JSB_Chorales", "Nottingham", "Piano_midi", "MuseData"):
        _ragged(folder / f"{name}.npz", lambda steps: rng.integers(0, 2, (steps, 88)).astype(np.uint8), rng)
    for name in ("omniglot", "kanji_short"):
        _ragged(folder / f"{name}.npz", lambda steps: rng.integers(-9, 9, (steps, 3)).astype(np.int16), rng)
    _speech(folder, rng)
    words = [*string.ascii_lowercase[:9], "the", "<unk>"]
    for part, lines in zip(("train", "valid", "test"), sizes.treebank, strict=True):
        _text(folder / f"ptb.{part}.txt", words, lines, rng)
    for name in ("tinyshakespeare.txt", "enwiki2016_head6MB.xml", "my.txt"):
        _text(folder / name, words, sizes.texts, rng)
    for part in ("train", "val", "test_2016_flickr"):
        for language in ("en", "de", "fr", "cs"):
            _text(folder / f"{part}.lc.norm.tok.{language}", words, sizes.sentences, rng)
    _dna(folder / "promoters.data", "acgt", ("+", "-"), rng)
    _dna(folder / "splice.data", "ACGTDNRS", ("EI", "IE", "N"), rng)
    for number, font in enumerate(("rowmans", "futural", "cursive", "scripts", "scriptc")):
        glyph = f"{GLYPH[:-1]}{chr(ord(GLYPH[-1]) + number)}"
        (folder / f"hershey_{font}.jhf").write_text("\n".join(["  699  1JZ", *[glyph] * 95, ""]), encoding="latin-1")
    for part, count in zip(("train", "t10k"), sizes.images, strict=True):
        (folder / f"{part}-images-idx3-ubyte").write_bytes(idx(rng.integers(0, 256, (count, 28, 28))))
        (folder / f"{part}-labels-idx1-ubyte").write_bytes(idx(np.arange(count) % 10))
    return folder


def _ragged(path: Path, rows: Any, rng: np.random.Generator) -> None:
    arrays = {}
    for part, count in (("train", 12), ("valid", 7), ("test", 5)):
        lengths = rng.integers(3, 9, count)
        arrays |= {part: rows(int(lengths.sum())), f"{part}_len": lengths}
    np.savez(path, **arrays)


def _speech(folder: Path, rng: np.random.Generator) -> None:
    index = np.repeat(np.arange(14), 2)
    lengths = rng.integers(3, 9, len(index))
    frames = rng.integers(0, 256, (int(lengths.sum()), 40)).astype(np.uint8)
    digit = rng.integers(0, 10, len(index))
    np.savez(
        folder / "fsdd_logmel40.npz", frames=frames, lengths=lengths, digit=digit, index=index, db_lo=0.0, db_step=0.5
    )


def _text(path: Path, words: list[str], lines: int, rng: np.random.Generator) -> None:
    lengths = rng.integers(1, 7, lines)
    drawn = iter(rng.choice(words, int(lengths.sum())).tolist())
    rows = [" ".join(islice(drawn, int(length))) for length in lengths]
    path.write_text("".join(f"{row}\n" for row in rows), encoding="utf-8")


def _dna(path: Path, letters: str, labels: tuple[str, ...], rng: np.random.Generator) -> None:
    """Forty sequences, of which a few are there twice, and one with two labels."""
    rows = [f"{rng.choice(labels)}, n{i}, {''.join(rng.choice(list(letters), 6))}" for i in range(40)]
    other = next(label for label in labels if not rows[3].startswith(f"{label},"))
    path.write_text("\n".join([*rows, *rows[:9], f"{other}, m, {rows[3].rpartition(', ')[2]}"]), encoding="utf-8")
