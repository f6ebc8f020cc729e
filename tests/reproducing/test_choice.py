"""Parts of studies by name: STUDY/TABLE and STUDY/TABLE/RUN."""

from __future__ import annotations

from pathlib import Path

import pytest

from recurrency.errors import UsageError
from recurrency.reproducing.choice import choices
from recurrency.reproducing.command import Request, reproduce
from recurrency.reproducing.starting import in_this_process
from tests.support.studying import STUDY, write_study

TWO = STUDY + STUDY[STUDY.index("[[table]]") :].replace('"losses"', '"again"').replace("H = 2", "H = 5")


def run(out: Path, *names: str) -> tuple[list[str], str]:
    """The runs that are started, as `study: name`, and the report."""
    said: list[str] = []
    reproduce(Request(names, scale="tiny", out=str(out), start=in_this_process, processes=1), said.append)
    started = [words.removesuffix(" starts") for words in said if words.endswith(" starts")]
    return started, (out / "report.md").read_text(encoding="utf-8")


def test_a_table_is_run_and_shown_alone(tmp_path: Path) -> None:
    path = write_study(tmp_path, TWO)
    started, text = run(tmp_path / "out", f"{path}/again")
    assert len(started) == 3, "three units, and two rates of the other"
    assert "Losses of both" in text
    assert text.count("| three units |") == 1
    assert "(pictures/nobody-2020-again-curves-tiny.png)" in text
    assert "nobody-2020-losses" not in text


def test_a_run_is_shown_within_its_table(tmp_path: Path) -> None:
    path = write_study(tmp_path, TWO)
    started, text = run(tmp_path / "out", f"{path}/losses/three units")
    assert len(started) == 1
    assert "three-units" in started[0]
    assert "| two units |" in text, "the row is there, without a number"
    assert "undecided" in text


def test_parts_of_one_study_add_up(tmp_path: Path) -> None:
    path = write_study(tmp_path, TWO)
    started, text = run(tmp_path / "out", f"{path}/losses/three units", f"{path}/again/two units")
    assert len(started) == 3
    assert text.count("## Nobody 2020") == 1
    assert text.count("| three units |") == 2


def test_what_a_part_has_run_is_done_for_the_study(tmp_path: Path) -> None:
    path = write_study(tmp_path)
    run(tmp_path / "out", f"{path}/losses/two units")
    started, _ = run(tmp_path / "out", str(path))
    assert len(started) == 1


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("le-2015/adding-15", "le-2015 has no table adding-15; there are adding-150, .* did you mean adding-150"),
        ("le-2015/adding-150/IRN", "table adding-150 of le-2015 has no run IRN; there are IRNN, .* did you mean IRNN"),
        ("le-201/adding-150", "there is no study le-201; there are .* did you mean le-2015"),
        ("le-2015/", "'le-2015/' is no name of a study: STUDY, STUDY/TABLE or STUDY/TABLE/RUN"),
        ("/", "'/' is no name of a study"),
        ("", "there is no study ;"),
    ],
)
def test_a_name_that_does_not_exist_is_refused_with_the_nearest(name: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        choices([name])


def test_a_part_that_the_scale_leaves_out_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="what is named is left out at the scale small"):
        reproduce(Request(("le-2015/pixels-784",), out=str(tmp_path), start=in_this_process), print)


def test_names_may_be_given_twice() -> None:
    one, two = choices(["le-2015", "le-2015/adding-150", "le-2015"])
    assert (one.study, one.table, two.table) == (two.study, None, "adding-150")


def test_a_page_shows_the_next_scale_while_rows_are_missing_at_the_largest(tmp_path: Path) -> None:
    text = STUDY.replace("[scales.tiny]", "[scales.paper]\nseeds = [0]\ntraining = { epochs = 3 }\n[scales.tiny]")
    path, page = write_study(tmp_path, text), tmp_path / "kept.md"

    def kept(name: str, scale: str) -> str:
        out, keep = str(tmp_path / "out"), str(tmp_path / "kept")
        request = Request((name,), scale=scale, out=out, keep=keep, start=in_this_process, processes=1)
        reproduce(request, lambda words: None)
        return page.read_text(encoding="utf-8")

    kept(str(path), "small")
    both = kept(f"{path}/losses/three units", "paper")
    assert both.index("scale `paper`") < both.index("scale `small`")
    assert both.count("| three units |") == 2
    assert "undecided" in both.split("scale `small`")[0], "one of the two rows has run at the scale paper"
    assert "holds" in both.split("scale `small`")[1]
    for picture in ("nobody-2020-losses-curves.png", "nobody-2020-losses-curves-paper.png"):
        assert f"(kept/pictures/{picture})" in both
        assert (tmp_path / "kept" / "pictures" / picture).is_file()
    whole = kept(str(path), "paper")
    assert "scale `small`" not in whole
    assert whole.count("| three units |") == 1


def test_a_page_shows_a_scale_only_if_it_has_a_run_of_its_own(tmp_path: Path) -> None:
    """A row whose recipe is the same at two scales is done at both; where that is all, the smaller scale says more."""
    text = STUDY.replace("[scales.tiny]", "[scales.paper]\nseeds = [0]\ntraining = { epochs = 3 }\n[scales.tiny]")
    same = "minutes = 0.1\npaper = { training = { epochs = 2 } }"
    path = write_study(tmp_path, text.replace("minutes = 0.1", same, 1))
    request = Request(
        (f"{path}/losses/three units",),
        scale="small",
        out=str(tmp_path / "out"),
        keep=str(tmp_path / "kept"),
        start=in_this_process,
    )
    reproduce(request, lambda words: None)
    text = (tmp_path / "kept.md").read_text(encoding="utf-8")
    assert "scale `small`" in text
    assert "scale `paper`" not in text
