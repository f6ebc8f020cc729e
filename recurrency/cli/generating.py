"""`recurrency generate`."""

from __future__ import annotations

import click

from recurrency.cli.common import echo

EPILOG = """\b
Examples:
  recurrency generate runs/plays
  recurrency generate runs/plays --prompt "ROMEO:" --temperature 0.7 --steps 400
  recurrency generate runs/plays --greedy
  recurrency generate runs/translation --source "a man sleeps ." --beam 5 --length-penalty 0.6
  recurrency generate runs/jsb --samples 3 -o chorales.npz
  recurrency generate runs/kanji --samples 16 --temperature 0.3 -o kanji.svg
"""


@click.command("generate", epilog=EPILOG)
@click.argument("folder", metavar="RUN_FOLDER")
@click.option("--steps", type=click.IntRange(min=1), help="Symbols, frames or steps of the pen at most.")
@click.option("--prompt", metavar="TEXT", help="What a text goes on from.")
@click.option("--source", metavar="TEXT", help="What is to be translated, or the program that is to be run.")
@click.option("--greedy", is_flag=True, help="Take the likeliest at each step, as with --temperature 0.")
@click.option("--temperature", type=click.FloatRange(min=0), help="Below 1 likelier, above 1 stranger.  [default: 1]")
@click.option("--top-k", type=click.IntRange(min=1), help="Draw among so many of the likeliest symbols.")
@click.option(
    "--beam", type=click.IntRange(min=1), metavar="WIDTH", help="Search the likeliest text; nothing is drawn."
)
@click.option(
    "--length-penalty", type=click.FloatRange(min=0), help="How much --beam favours longer texts.  [default: 0]"
)
@click.option("--samples", type=click.IntRange(min=1), default=1, show_default=True, help="How many are written.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of the draws.")
@click.option("-o", "--output", "path", metavar="FILE", help="Where to: text, .npz for music, .svg for strokes.")
@click.option("--backend", metavar="NAME", help="Compute by another backend than the run.")
def generate(
    folder: str,
    steps: int | None,
    prompt: str | None,
    source: str | None,
    greedy: bool,
    temperature: float | None,
    top_k: int | None,
    beam: int | None,
    length_penalty: float | None,
    samples: int,
    seed: int,
    path: str | None,
    backend: str | None,
) -> None:
    """Let a trained model write on by itself: text, music or strokes of a pen.

    RUN_FOLDER is what `recurrency train WHAT --run RUN_FOLDER` has made. Text is printed, or written to -o FILE; music
    becomes an .npz file and a picture beside it, strokes become an .svg file. Each symbol is drawn with the
    probability that the model gives it, unless one of the options says otherwise.
    """
    from recurrency.generating.choice import Choice
    from recurrency.generating.command import Request, run
    from recurrency.generating.search import Beam

    if greedy and temperature:
        raise click.UsageError("--greedy is --temperature 0: leave one of them out")
    drawn = [name for name, given in (("--greedy", greedy), ("--temperature", temperature is not None),
                                      ("--top-k", top_k is not None)) if given]  # fmt: skip
    if beam is not None and drawn:
        raise click.UsageError(f"--beam draws nothing: leave {' and '.join(drawn)} out")
    if beam is None and length_penalty is not None:
        raise click.UsageError("--length-penalty is for --beam")
    choice = Choice(0.0 if greedy else 1.0 if temperature is None else temperature, top_k)
    found = None if beam is None else Beam(beam, length_penalty or 0.0)
    request = Request(folder, steps, prompt, source, choice, found, samples, seed, path, backend)
    run(request, echo, lambda words: echo(words, err=True))
