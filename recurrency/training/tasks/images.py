"""Handwritten digits read pixel by pixel, row by row, or at once (MNIST; Le et al. 2015)."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import DTypeLike

from recurrency.errors import UsageError
from recurrency.training.data.places import find_data, read_bytes
from recurrency.training.data.sequences import Array, Batch, Input
from recurrency.training.tasks.kinds import Kind, Option
from recurrency.training.tasks.measures import wrong_at_end
from recurrency.training.tasks.task import Settings, Task

CLASSES, SIDE = 10, 28
MNIST = "the files of LeCun, Cortes & Burges, mirrored by Keras, PyTorch and others; see docs/tasks.md"
FILES = {
    "train": ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
    "test": ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
}


def read_idx(path: object) -> Array:
    """The bytes of an IDX file as an array of its shape.

    Raises:
        UsageError: it is no such file, or has less in it than its head says.
    """
    content = read_bytes(str(path))
    head = 4 + 4 * content[3] if len(content) > 3 else 4
    if len(content) < head or content[:3] != b"\0\0\x08":
        raise UsageError(f"{path} is no IDX file of bytes")
    shape = tuple(int(n) for n in np.frombuffer(content[4:head], ">u4"))
    if len(content) != head + math.prod(shape):
        raise UsageError(f"{path} has {len(content) - head} bytes of data; its head says {list(shape)}")
    return np.frombuffer(content, np.uint8, offset=head).reshape(shape)


@dataclass(frozen=True)
class Images:
    """Images as sequences: pixels [count, T, N] of 0 to 255, which `scale` multiplies, and labels [count]."""

    pixels: Array
    labels: Array
    scale: float

    def batch(self, chosen: Array, dtype: DTypeLike) -> Batch:
        """The images with these numbers: x [T, B, N], and label [T, B] with the digit at every step."""
        x = self.pixels[chosen].transpose(1, 0, 2).astype(dtype)
        x *= self.scale
        label = np.broadcast_to(self.labels[chosen].astype(np.int64), x.shape[:2]).copy()
        return Batch({"x": x, "label": label})

    def batches(self, order: Array, size: int, dtype: DTypeLike) -> Iterator[Batch]:
        """All images with these numbers in their order."""
        return (self.batch(order[start : start + size], dtype) for start in range(0, len(order), size))


def images(settings: Settings, split: str, by: str, permuted: bool, pool: int, raw: bool) -> Images:
    """The images of one part, as sequences of pixels or of rows, or as a single step.

    Raises:
        UsageError: the files are missing or malformed, or the option pool does not divide the side of an image.
    """
    pixels, labels = (read_idx(find_data(f"mnist/{n}", settings.data, MNIST, alone=False)) for n in FILES[split])
    if pixels.shape != (len(labels), SIDE, SIDE) or labels.max(initial=0) >= CLASSES:
        raise UsageError(f"the {split} images of MNIST are {list(pixels.shape)} with {len(labels)} labels")
    if SIDE % pool:
        raise UsageError(f"the option pool of mnist must divide {SIDE}, not {pool}")
    side = SIDE // pool
    if pool > 1:
        pixels = pixels.reshape(-1, side, pool, side, pool).mean((2, 4), dtype=np.float32)
    flat = pixels.reshape(len(pixels), side * side)
    if permuted:
        flat = flat[:, np.random.RandomState(0).permutation(side * side)]
    width = {"pixel": 1, "row": side, "image": side * side}[by]
    return Images(flat.reshape(len(flat), -1, width), labels, 1.0 if raw else 1 / 255)


def mnist(settings: Settings, by: str, permuted: bool, pool: int, raw: bool, held: int, most: int) -> Task:
    """Read an image and classify the digit at its end; the last `held` training images are for validation."""
    learned, judged = (images(settings, split, by, permuted, pool, raw) for split in FILES)
    first, size = len(learned.labels) - held, settings.batch
    if first < 1:
        raise UsageError(f"the option held of mnist must be less than the {len(learned.labels)} training images")
    count = min(first, most or first)
    return Task(
        "mnist",
        lambda epoch, rng: learned.batches(rng.permutation(count), size, settings.dtype),
        -(-count // size),
        lambda: learned.batches(np.arange(first, first + held), size, settings.dtype),
        lambda: judged.batches(np.arange(len(judged.labels)), size, settings.dtype),
        {"x": Input(learned.pixels.shape[2:]), "label": Input((), CLASSES)},
        wrong_at_end("label"),
    )


KINDS = (
    Kind(
        "mnist",
        "read a handwritten digit pixel by pixel, row by row or at once, and classify it",
        "Le et al. 2015",
        {"x": "[1], or the pixels of a row, or of the image", "label": "symbol of 10, at every step"},
        mnist,
        (
            Option("by", "pixel", "what a step reads", words=("pixel", "row", "image")),
            Option("permuted", False, "whether the pixels are in a random order, the same for all images"),
            Option("pool", 1, "side of the squares of pixels of which the mean is taken: 1, 2, 4, 7 or 14", 1, 14),
            Option("raw", False, "whether pixels are 0 to 255; else 0 to 1"),
            Option("held", 5000, "training images to validate on, the last ones", 0),
            Option("most", 0, "the most images to train on, the first ones; 0: all", 0),
        ),
    ),
)
