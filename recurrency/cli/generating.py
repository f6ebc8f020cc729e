"""`recurrency generate`."""

from __future__ import annotations

import sys
from typing import Any

import click

from recurrency.cli.common import echo

EPILOG = """\b
Examples:
  recurrency generate runs/plays
  recurrency generate runs/plays --prompt "ROMEO:" --temperature 0.7 --steps 400
  recurrency generate runs/plays --greedy
  recurrency generate runs/german --source "ein mann schläft ." --beam 5 --length-penalty 1
  recurrency generate runs/german --source < german.txt > english.txt
  recurrency generate runs/jsb --samples 3 -o chorales.npz
  recurrency generate runs/kanji --samples 16 --temperature 0.3 -o kanji.svg
  recurrency generate runs/hershey --source "hello" --bias 1 -o hello.svg
"""


def _check(
    greedy: bool,
    temperature: float | None,
    bias: float | None,
    top_k: int | None,
    beam: int | None,
    length_penalty: float | None,
) -> None:
    """Refuse options that exclude one another."""
    if greedy and temperature:
        raise click.UsageError("--greedy is --temperature 0: leave one of them out")
    sampling = {
        "--greedy": greedy,
        "--temperature": temperature is not None,
        "--bias": bias,
        "--top-k": top_k is not None,
    }
    drawn = [name for name, given in sampling.items() if given]
    if beam is not None and drawn:
        raise click.UsageError(f"--beam draws nothing: leave {' and '.join(drawn)} out")
    if beam is None and length_penalty is not None:
        raise click.UsageError("--length-penalty is for --beam")


@click.command("generate", epilog=EPILOG)
@click.argument("folder", metavar="RUN_FOLDER")
@click.option("--steps", type=click.IntRange(min=1), help="The most symbols, frames or pen steps.")
@click.option("--prompt", metavar="TEXT", help="The text to continue.")
@click.option(
    "--source",
    metavar="[TEXT]",
    is_flag=False,
    flag_value="-",
    help="The sentence to translate, program to run, or text to write; without TEXT, each line of standard input.",
)
@click.option("--source-file", metavar="FILE", help="Translate each line of this file.")
@click.option("--greedy", is_flag=True, help="Take the most likely at each step, as with --temperature 0.")
@click.option("--temperature", type=click.FloatRange(min=0), help="Below 1 less diverse, above 1 more.  [default: 1]")
@click.option("--bias", type=click.FloatRange(min=0), help="Of strokes: above 0 neater, less diverse.  [default: 0]")
@click.option("--top-k", type=click.IntRange(min=1), help="Sample among this many of the most likely symbols.")
@click.option(
    "--beam", type=click.IntRange(min=1), metavar="WIDTH", help="Search for the most likely text; nothing is sampled."
)
@click.option(
    "--length-penalty", type=click.FloatRange(min=0), help="How much --beam favours longer texts.  [default: 0]"
)
@click.option("--samples", type=click.IntRange(min=1), default=1, show_default=True, help="How many to generate.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Seed of the samples.")
@click.option("-o", "--output", "path", metavar="FILE", help="File to write: text, .npz for music, .svg for strokes.")
@click.option("--backend", metavar="NAME", help="Use another backend than the run.")
def generate(
    folder: str,
    greedy: bool,
    temperature: float | None,
    bias: float | None,
    top_k: int | None,
    beam: int | None,
    length_penalty: float | None,
    source: str | None,
    source_file: str | None,
    **rest: Any,
) -> None:
    """Generate text, music or handwriting with a trained model.

    RUN_FOLDER is the folder of `recurrency train WHAT --run RUN_FOLDER`. Text is printed, or written to -o FILE; music
    becomes an .npz file and a picture beside it, handwriting an .svg file. Each symbol is sampled with the probability
    that the model gives it, unless an option changes that.
    """
    from recurrency.generating.choice import Choice
    from recurrency.generating.command import Request, run
    from recurrency.generating.search import Beam

    _check(greedy, temperature, bias, top_k, beam, length_penalty)
    lines = _lines(source, source_file)
    if lines is not None:
        if temperature or top_k or bias:
            raise click.UsageError("lines are translated by beam search: use --beam or --greedy")
        source, beam = None, 1 if greedy else beam
    choice = Choice(0.0 if greedy else 1.0 if temperature is None else temperature, top_k, bias or 0.0)
    found = None if beam is None else Beam(beam, length_penalty or 0.0)
    run(
        Request(folder, choice=choice, beam=found, source=source, lines=lines, **rest),
        echo,
        lambda words: echo(words, err=True),
    )


def _lines(source: str | None, path: str | None) -> list[str] | None:
    """The sources, if they are many."""
    from recurrency.training.data.places import lines_of, read_lines, text_of

    if source is not None and path is not None:
        raise click.UsageError("--source and --source-file are two sources: leave one of them out")
    if path is not None:
        return read_lines(path)
    if source == "-":
        return lines_of(text_of(sys.stdin.buffer.read(), "standard input"))
    return None
