"""The picture of an evaluation: what it shows, at any size."""

import io
import re

import pytest
from rich.cells import cell_len
from rich.console import Console

from harness.progress.evaluation_view import LiveStage, Picture
from harness.progress.progress import Lines
from harness.schema import Completion

NAMES = ("plan", "answers", "gates", "writing")
SIZES = [(20, 6), (40, 12), (80, 24), (200, 60), (1, 1)]


def completion(finish: str = "stop") -> Completion:
    return Completion(key="k", text="x", finish_reason=finish, prompt_tokens=90, output_tokens=10)  # type: ignore[arg-type]


def stage_of(total: int | None = 80, name: str = "answers (fake 1)") -> tuple[Picture, LiveStage]:
    picture, stage = Picture(NAMES), LiveStage(name, total, "answers")
    picture.begin(LiveStage("plan", None, "answers"))
    picture.begin(stage)
    return picture, stage


def drawn(picture: Picture, columns: int = 100, rows: int = 30) -> str:
    """The rows of the picture without colours."""
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=columns, height=rows, legacy_windows=False)
    console.print(picture.draw(columns, rows))
    return re.sub(r"\x1b\[[0-9;]*m", "", out.getvalue().removesuffix("\n"))


def test_it_shows_stage_count_cache_cuts_and_errors() -> None:
    picture, stage = stage_of()
    for number in range(60):
        finish = {0: "length", 1: "error"}.get(number % 20, "stop")
        stage.answered(completion(finish), cached=number < 6)
    seen = drawn(picture)
    assert "plan > answers > gates > writing" in seen
    assert "answers (fake 1)" in seen and "60/80" in seen
    assert "6 from the cache" in seen and "3 cut at the token limit" in seen and "3 errors" in seen


def test_loading_the_engine_is_shown_as_waiting() -> None:
    picture, stage = stage_of()
    assert "waiting for the first new answer" in drawn(picture)
    stage.answered(completion(), cached=True)
    assert "waiting for the first new answer" in drawn(picture)
    stage.answered(completion(), cached=False)
    assert "waiting" not in drawn(picture)


def test_the_rate_and_the_time_left_are_those_of_new_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    picture, stage = stage_of(total=200)
    for _ in range(40):
        stage.answered(completion(), cached=True)
    now[0] += 60  # the engine loads
    stage.answered(completion(), cached=False)
    seen = []
    for _ in range(4):
        for _ in range(20):
            now[0] += 0.5
            stage.answered(completion(), cached=False)
        seen.append(drawn(picture))
    assert "2.0 answers/s" in seen[0] and not any(" left" in text for text in seen[:3]), "30 s are too few to tell"
    assert "about 40 s left" in seen[3], "79 answers are left, two a second"


def test_the_rate_of_plain_lines_is_that_of_new_answers(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = [1000.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    with Lines().stage("answers (fake 1)", 80, "answers") as stage:
        for number in range(80):
            stage.answered(completion(), cached=number < 60 or number == 70)
        now[0] += 10
    assert capsys.readouterr().err == "answers (fake 1): 80/80 answers, 61 from the cache, 190 tokens/s, 10 s\n"


def test_a_stage_of_unknown_length_shows_its_name_and_time() -> None:
    picture, _ = stage_of(total=None, name="gates")
    assert "gates, 0 s" in drawn(picture)


@pytest.mark.parametrize(("columns", "rows"), SIZES)
def test_it_fits_any_terminal(columns: int, rows: int) -> None:
    picture, stage = stage_of()
    for _ in range(30):
        stage.answered(completion("length"), cached=False)
    found = drawn(picture, columns, rows).split("\n")
    assert max(map(cell_len, found)) <= columns
    assert rows < 6 or len(found) < rows


def test_names_are_text_and_no_markup() -> None:
    picture, _ = stage_of(name="answers ([red]x[/red])")
    assert "answers ([red]x[/red])" in drawn(picture, columns=160)


def test_the_line_that_stays_says_what_was_done() -> None:
    _, stage = stage_of()
    for number in range(60):
        stage.answered(completion(), cached=number < 6)
    assert stage.summary.startswith("answers (fake 1): 60/80 answers, 6 from the cache, ")
