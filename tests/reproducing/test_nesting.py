"""Accuracies by nesting and length are those of single programs, and the picture draws them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from recurrency.errors import UsageError
from recurrency.generating.folder import trained
from recurrency.reproducing.nesting import accuracies, drawn, percent_right
from recurrency.reproducing.pictures import PICTURES
from recurrency.reproducing.readings import Reading, Run
from recurrency.reproducing.scenes import Scene, Shown
from recurrency.reproducing.values import VALUES
from recurrency.training.runs.command import Request, run
from recurrency.training.tasks.programs import PRINTED, WRITTEN

FILE = """
spec = "EncoderDecoder"
task = "programs"
[dimensions]
V = 41
K = 12
N = 4
H = 6
[training]
epochs = 1
batch = 8
rate = 0.03
dtype = "float64"
backend = "numpy"
log-form = "quiet"
[task-options]
steps = 20
held = 8
nesting = 3
length = 2
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run."""
    place = tmp_path_factory.mktemp("nesting")
    (place / "mine.toml").write_text(FILE, encoding="utf-8")
    run(Request(str(place / "mine.toml"), folder=str(place / "run")), lambda words: None)
    return place / "run"


def test_a_cell_counts_the_characters_of_its_programs_one_by_one(folder: Path) -> None:
    found, one = accuracies(folder, sequences=5), trained(folder)
    assert found.accuracy.shape == found.characters.shape == (3, 2)
    for nesting, length in ((1, 1), (3, 2)):
        right = count = 0
        for batch in drawn(0, nesting, length, 5):
            for k, (source, target) in enumerate(zip(batch.steps("src", "s"), batch.steps("tgt"), strict=True)):
                inputs = {
                    "src": batch.inputs["src"][:source, k : k + 1],
                    "tgt": batch.inputs["tgt"][:target, k : k + 1],
                }
                said = np.asarray(one.model.forward(one.params, inputs).output).argmax(-1)
                right += int((said == inputs["tgt"]).sum())
                count += int(target)
        assert found.characters[nesting - 1, length - 1] == count
        assert found.accuracy[nesting - 1, length - 1] == pytest.approx(right / count)
    assert 0 < found.accuracy.mean() < 1, "a model that is always wrong, or always right, shows nothing"


def test_a_cell_has_programs_of_its_nesting_and_length_whatever_else_is_asked() -> None:
    def texts(count: int) -> list[str]:
        batches = drawn(0, 2, 3, count)
        columns = [
            (batch.inputs["src"][:, k], batch.steps("src", "s")[k]) for batch in batches for k in range(batch.size)
        ]
        return ["".join(WRITTEN[symbol] for symbol in column[:steps]) for column, steps in columns]

    many = texts(120)
    assert texts(60) == many[:60]
    assert len(set(many)) > 100
    digits = [word for text in many for word in "".join(c if c.isdigit() else " " for c in text).split()]
    assert max(map(len, digits)) == 3
    assert all(text.endswith(")@") for text in many)
    results = drawn(0, 2, 3, 120)[0].inputs["tgt"]
    assert PRINTED[int(results[0, 0])] in PRINTED[:11]


def test_the_value_of_a_study_is_the_mean_in_percent(folder: Path) -> None:
    reading = percent_right(Run.at(folder), 5, 0, 0)
    found = accuracies(folder, sequences=5)
    assert reading.value == pytest.approx(100 * found.accuracy.mean())
    np.testing.assert_allclose(reading.detail["accuracy"], found.accuracy, atol=1e-6)
    assert (reading.detail["sequences"], reading.detail["seed"]) == (5, 0)
    smaller = accuracies(folder, nesting=1, length=1, sequences=5)
    assert smaller.accuracy.tolist() == found.accuracy[:1, :1].tolist()


def test_what_can_not_be_evaluated_is_told(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nesting must be from 1 to 10, or 0 for that of the training, not 11"):
        accuracies(folder, nesting=11)
    with pytest.raises(UsageError, match="sequences must be 1 or more, not 0"):
        accuracies(folder, sequences=0)
    (tmp_path / "run.toml").write_text('spec = "Music"\ntask = "jsb"\n', encoding="utf-8")
    with pytest.raises(UsageError, match="was trained on jsb; this needs a run of programs"):
        accuracies(tmp_path)


def scene(*rows: tuple[str, Reading | None], **options: str) -> Scene:
    shown = tuple(Shown(name, None, ((0, Run(Path(), ()), found),)) for name, found in rows)
    return Scene(VALUES["nesting"], "", shown, {"better": "", "worse": "", **options})


def test_the_picture_has_a_map_for_each_row_and_one_of_the_difference(tmp_path: Path) -> None:
    figure = pytest.importorskip("matplotlib.figure").Figure()
    one, two = ({"accuracy": [[0.9, 0.5], [a, 0.25]]} for a in (0.75, 0.5))
    rows = (("GF", Reading(1, "", one)), ("stack", Reading(1, "", two)))
    PICTURES["nesting"].draw(scene(*rows, better="GF", worse="stack"), figure)
    titles = [axes.get_title() for axes in figure.axes if axes.get_title()]
    assert titles == ["GF", "stack", "GF minus stack"]
    assert [text.get_text() for text in figure.axes[2].texts] == ["+0", "+0", "+25", "+0"]
    for number, rest in enumerate([rows[:1], (("missing", None), ("damaged", Reading(1, "", {"accuracy": [1]})))]):
        path = tmp_path / f"{number}.png"
        PICTURES["nesting"].save(scene(*rest), path)
        assert path.read_bytes()[:4] == b"\x89PNG"
    with pytest.raises(UsageError, match=r"there is no run GRU in the table"):
        PICTURES["nesting"].draw(scene(*rows, better="GF", worse="GRU"), figure)
