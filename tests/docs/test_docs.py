"""The pages: every spec in them is checked, every message is the real one, Python and commands run as printed."""

from __future__ import annotations

import contextlib
import importlib
import io
import re
import shlex
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import click
import pytest
from click.testing import CliRunner

import recurrency
import recurrency as rc
from docs import tables
from docs.layers import picture
from recurrency.cli import COMMANDS, cli
from recurrency.errors import render
from tests.support.pages import FENCE, printed
from tests.test_layers import LEVEL, imports, package_of

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
LITERAL = {"tutorial.md", "predict.md"}
"""Pages whose commands and Python follow on one another: test_tutorial.py runs all of them."""
NEEDED = {"sklearn.md": "sklearn"}
"""What the Python of a page imports that need not be installed."""
QUICK = {"check", "fmt", "list", "new", "diff", "show", "compile", "backends"}
DIFFERENT = 1
"""The exit code of `recurrency diff` where two cells differ."""
MESSAGE = re.compile(
    r"(?P<spec>^```rnn-(?:error|warning).*?^```\n\n```text\n)(?P<said>.*?)(?P<end>^```$)", re.MULTILINE | re.DOTALL
)
IN_TEXT = re.compile(r"^(?:\$ )?(?:[\w-]+ .*-m )?(?P<command>recurrency [^\n<>\[\]]+)", re.MULTILINE)
"""A command in a block of text, which may have more around it."""
PRINTED = re.compile(
    r"(?P<head>^```sh\n(?P<command>[^\n]+)\n```\n\n```text\n)(?P<said>.*?)(?P<end>^```$)", re.MULTILINE | re.DOTALL
)
INLINE = re.compile(r"`(recurrency [^`\n]+)`")
CODE = re.compile(r"`[^`]+`")
SETTINGS = {"recurrency.command"}
"""Of the extension of VS Code."""
OPTION = re.compile(r"(?<![\w-])--[a-z][\w-]*")
PLACE = re.compile(r"(?<![\w/.-])(?:recurrency|tests|docs|backends|benchmarks|tools|specs|grammars)/[\w./-]*\w")
ATTRIBUTE = re.compile(r"(?<![\w.])(?:recurrency|rc)(?:\.\w+)+(?![\w/-])")
LINK = re.compile(r"\]\(([^)\s]+)\)")
SAID = re.compile(r"^(?:.*\bprint\(.*\)\s+)?# (?P<text>.*)$")

LINKED = [*PAGES, ROOT / "CHANGELOG.md"]

each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


class Fence(NamedTuple):
    """A piece of a page between two lines of back quotes."""

    page: Path
    line: int
    kind: str
    name: str | None
    text: str

    def __str__(self) -> str:
        return f"{self.page.name}:{self.line}"


def fences(page: Path, kind: str) -> list[Fence]:
    text = page.read_text(encoding="utf-8")
    found = (
        Fence(page, text.count("\n", 0, m.start()) + 1, m["kind"], m["name"], m["text"]) for m in FENCE.finditer(text)
    )
    return [fence for fence in found if fence.kind == kind]


def prepared(page: Path, folder: Path) -> None:
    """Put the files that a page shows into a folder."""
    for fence in fences(page, "rnn"):
        if fence.name:
            (folder / fence.name).write_text(fence.text, encoding="utf-8")


# ---------------------------------------------------------------------------------------------------------------- specs


@pytest.mark.parametrize("fence", [fence for page in PAGES for fence in fences(page, "rnn")], ids=str)
def test_every_spec_of_the_pages_is_well_formed_and_laid_out(fence: Fence, tmp_path: Path) -> None:
    """Among the other files of its page, which it may use."""
    from recurrency.language.writing.format import format_file

    prepared(fence.page, tmp_path)
    file = tmp_path / (fence.name or "without_a_name.rnn")
    file.write_text(fence.text, encoding="utf-8")
    rc.load(file).check()
    assert format_file(fence.text, fence.name or "<text>") == fence.text


@pytest.mark.parametrize("fence", [fence for page in PAGES for fence in fences(page, "toml")], ids=str)
def test_every_experiment_of_the_pages_can_be_read(fence: Fence) -> None:
    """A block named `study` is a study."""
    from recurrency.reproducing.studies import parsed
    from recurrency.training.runs.experiments import checked

    if fence.name == "study":
        assert parsed(tomllib.loads(fence.text), Path("study.toml")).tables
        return
    assert checked(tomllib.loads(fence.text), Path(fence.name or "experiment.toml")).options()


def message(fence: str) -> str:
    """The messages about the spec of a fence."""
    match = FENCE.search(fence)
    assert match is not None
    if match["kind"] == "rnn-warning":
        spec = rc.parse(match["text"], name=match["name"] or "spec.rnn")
        spec.check()
        return "\n\n".join(map(render, spec.lint())) + "\n"
    with pytest.raises(rc.SpecError) as caught:
        rc.parse(match["text"], name=match["name"] or "spec.rnn").check()
    return f"{caught.value}\n"


@each_page
def test_the_tables_and_messages_of_a_page_are_those_of_the_code(
    page: Path, golden: Callable[[Path, str], None]
) -> None:
    text = page.read_text(encoding="utf-8")
    text = MESSAGE.sub(lambda m: m["spec"] + message(m["spec"]) + m["end"], text)
    golden(page, tables.renewed(text))


def test_every_number_has_its_place_on_the_page() -> None:
    from recurrency.language.diagnostics import TABLE

    text = (ROOT / "docs" / "diagnostics.md").read_text(encoding="utf-8")
    assert [int(n) for n in re.findall(r"^### RNN(\d+):", text, re.MULTILINE)] == sorted(TABLE)


def test_a_table_that_does_not_exist_is_refused() -> None:
    with pytest.raises(rc.UsageError, match="no table nonsense"):
        tables.renewed("<!-- table: nonsense -->\n<!-- end of nonsense -->")


def test_the_picture_of_the_layers_is_what_the_imports_say(golden: Callable[[Path, str], None]) -> None:
    pairs = [(package_of(name), package_of(target)) for name, _, target in imports()]
    golden(ROOT / "docs" / "pictures" / "layers.svg", picture(LEVEL, pairs))


# --------------------------------------------------------------------------------------------------------------- Python


@pytest.mark.parametrize(
    "page", [page for page in PAGES if fences(page, "python") and page.name not in LITERAL], ids=lambda page: page.name
)
def test_the_python_of_a_page_prints_what_it_says(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The pieces of a page follow on one another; what is printed stands behind the call as a comment, or below it."""
    if page.name in NEEDED:
        pytest.importorskip(NEEDED[page.name])
    prepared(page, tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    names: dict[str, object] = {"__name__": "example"}
    for fence in fences(page, "python"):
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(fence.text, str(fence), "exec"), names)
        wanted = [m["text"] for line in fence.text.split("\n") if (m := SAID.match(line))]
        assert printed.getvalue().splitlines() == wanted, str(fence)


# ------------------------------------------------------------------------------------------------------------- commands


def commands(page: Path) -> Iterator[list[str]]:
    """All commands of a page, as words."""
    for fence in fences(page, "sh"):
        lines = fence.text.replace("\\\n", " ").split("\n")
        yield from (shlex.split(line, comments=True) for line in lines if line.strip())
    yield from (shlex.split(text) for text in INLINE.findall(page.read_text(encoding="utf-8")))


def refuse_unknown(words: list[str], page: Path) -> None:
    """Fail if a command that is not one of `recurrency` does not exist."""
    if words[0] == "make":
        assert all(re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE) for target in words[1:])
    elif words[:2] == ["pip", "install"]:
        project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        extras = {e for word in words[2:] for group in re.findall(r"\[(.*?)\]", word) for e in group.split(",")}
        assert extras <= set(project["optional-dependencies"])
    else:
        scripts = {"docs/tables.py", *(fence.name for fence in fences(page, "python"))}
        assert words[0] == "python", f"{words} is no command that a page may name"
        assert words[1] in scripts, f"{words[1]} is no script of {page.name}"


def refuse_wrong(words: list[str]) -> None:
    """Fail if a command of `recurrency` or one of its options does not exist, or an argument does not fit."""
    if words[1].startswith("-"):
        assert words[1] in {option for parameter in cli.params for option in parameter.opts}, words
        return
    assert words[1] in COMMANDS, words
    command = cli.get_command(click.Context(cli, **cli.context_settings), words[1])
    assert command is not None
    options = {option for parameter in command.params for option in parameter.opts}
    assert {word for word in words[2:] if word.startswith("-")} <= options | {"-h", "--help"}, words
    if len(words) > 2:
        command.make_context(words[1], list(words[2:]))


@pytest.mark.parametrize("page", [page for page in PAGES if page.name not in LITERAL], ids=lambda page: page.name)
def test_the_commands_of_a_page_exist_and_work(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The quick ones are run, among the files of the page, and print what stands below them.

    One that is only named (`recurrency check`), or reads the folder of a run, is not run.
    """
    prepared(page, tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    below = {m["command"]: m["said"] for m in PRINTED.finditer(page.read_text(encoding="utf-8"))}
    for words in commands(page):
        if words[0] != "recurrency":
            refuse_unknown(words, page)
            continue
        refuse_wrong(words)
        if words[1] in QUICK and (len(words) > 2 or words[1] in ("list", "backends")) and not reads_a_run(words):
            result = CliRunner().invoke(cli, words[1:])
            fine = {0, DIFFERENT} if words[1] == "diff" else {0}
            assert result.exit_code in fine, f"{shlex.join(words)}: {result.exception}\n{result.output}"
            printed(below.get(shlex.join(words), ""), result.output)


def reads_a_run(words: list[str]) -> bool:
    """Whether one of the words is the folder of a run."""
    return any(word.startswith("runs/") for word in words)


@each_page
def test_commands_within_other_text_exist(page: Path) -> None:
    for fence in fences(page, "text"):
        for match in IN_TEXT.finditer(fence.text.replace("\\\n", " ")):
            refuse_wrong(shlex.split(match["command"]))


@each_page
def test_options_places_and_names_that_a_page_speaks_of_exist(page: Path) -> None:
    """Those in pieces of code within a sentence, but for commands of other programs and names to be filled in."""
    context = click.Context(cli, **cli.context_settings)
    found = [cli, *(cli.get_command(context, name) for name in COMMANDS)]
    known = {o for command in found if command for p in command.params for o in (*p.opts, *p.secondary_opts)}
    known |= {"--help", "--save"}  # the second is one of `%%rnn`
    for code in CODE.findall(FENCE.sub("", page.read_text(encoding="utf-8"))):
        if not code[1:].startswith(("pip ", "python ", "pytest ", "torchrun ", "compute-sanitizer ")):
            assert set(OPTION.findall(code)) <= known, code
        for place in PLACE.findall(code):
            assert (ROOT / place).exists() or re.search(r"[A-Z]{3}", place), place
        for name in ATTRIBUTE.findall(code):
            assert exists(name) or name in SETTINGS, name


def exists(name: str) -> bool:
    """Whether a dotted name of the package is a module, or what a module or a class has."""
    parts = name.replace("rc.", "recurrency.", 1).split(".") if name.startswith("rc.") else name.split(".")
    value: object = recurrency
    for number, part in enumerate(parts[1:], 2):
        with contextlib.suppress(ImportError):
            importlib.import_module(".".join(parts[:number]))
        if not hasattr(value, part):
            return False
        value = getattr(value, part)
    return True


def test_the_page_of_cells_shows_what_the_commands_print(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, golden: Callable[[Path, str], None]
) -> None:
    """A block of text there is what the command above it prints, among the files of the page."""
    page = ROOT / "docs" / "cells.md"
    prepared(page, tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")

    def printed(match: re.Match[str]) -> str:
        result = CliRunner().invoke(cli, shlex.split(match["command"])[1:])
        return f"{match['head']}{result.output}{match['end']}"

    golden(page, PRINTED.sub(printed, page.read_text(encoding="utf-8")))


@pytest.mark.parametrize("command", COMMANDS)
def test_the_readme_has_an_example_of_every_command(command: str) -> None:
    assert any(words[:2] == ["recurrency", command] for words in commands(ROOT / "README.md"))


# ---------------------------------------------------------------------------------------------------------------- links


def anchors(page: Path) -> set[str]:
    """The headings of a page as they are linked to."""
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    titles = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", LINKED, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in LINK.findall(CODE.sub("", FENCE.sub("", page.read_text(encoding="utf-8")))):
        if re.match(r"\w+:", target):
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        assert file.exists(), f"{page.name} links to {target}"
        assert not anchor or anchor in anchors(file), f"{page.name} links to {target}"
