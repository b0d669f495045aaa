"""The picture of an evaluation: what it holds, at any size, whatever the model says."""

import io
import re

import msgspec
import pytest
from rich.cells import cell_len
from rich.console import Console

from harness.progress.evaluation_view import DECIDES_NOTHING, UNTRUSTED, Evaluation, LiveStage
from harness.progress.progress import StageShare
from harness.sanitize import is_hidden
from harness.schema import Completion, Record
from tests.harness.scored import ACCURACY, RECALL, record

HOSTILE = "\x1b[2J\x1b]0;owned\x07[red]bold[/red] [/] \u202egnp.exe\x9b31m\rover\u200b\n\n# PASSED :warning: [link=file:///etc]x[/link]"
NAMES = ("plan", "answers", "gates", "writing")
SIZES = [(20, 6), (40, 12), (40, 24), (80, 24), (200, 60), (1, 1)]


def wrong(number: int, text: str, variant: str = "tuned", case_id: str = "") -> Record:
    """A record whose answer falls short."""
    made = record(number, 0, variant=variant, expected=["lien"])
    completion = msgspec.structs.replace(made.completion, text=text)
    case = msgspec.structs.replace(made.case, id=case_id or made.case.id)
    return msgspec.structs.replace(made, completion=completion, case=case)


def shares(count: int = 1) -> list[StageShare]:
    return [
        StageShare(suite=f"legal/suite{n}", variant=variant, total=40, metric=(ACCURACY, RECALL)[n % 2])
        for n in range(count)
        for variant in ("baseline", "tuned")
    ]


def busy(suites: int = 1, text: str = "tax", case_id: str = "") -> Evaluation:
    """An evaluation in which every third answer is wrong."""
    evaluation = Evaluation(NAMES)
    evaluation.begin(LiveStage("plan", None, "answers", ()))
    stage = LiveStage("answers (fake 1)", 80 * suites, "answers", shares(suites))
    evaluation.begin(stage)
    for suite in range(suites):
        for variant in ("baseline", "tuned"):
            for number in range(30):
                one = wrong(number, text, variant, case_id) if number % 3 == 0 else record(number, 1, variant=variant)
                finish = "length" if number == 0 else "stop"
                stage.answered(msgspec.structs.replace(one.completion, finish_reason=finish), kept=number % 10 == 0)
                stage.scored(f"legal/suite{suite}", one)
    return evaluation


def drawn(evaluation: Evaluation, columns: int = 100, rows: int = 30) -> list[str]:
    """The rows of the picture, with their control sequences."""
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=columns, height=rows, legacy_windows=False)
    console.print(evaluation.draw(columns, rows))
    return out.getvalue().removesuffix("\n").split("\n")


def plain(rows: list[str]) -> str:
    return re.sub(r"\x1b\[[0-9;]*m", "", "\n".join(rows))


def test_it_holds_stage_count_cache_cuts_estimates_and_misses() -> None:
    evaluation = busy()
    drawn(evaluation)
    seen = plain(drawn(evaluation))
    assert "plan > answers > gates > writing" in seen
    assert "60/80 answers" in seen
    assert "tuned is answering" in seen
    assert "6 from the cache" in seen and "2 cut at the token limit" in seen
    assert DECIDES_NOTHING in seen and "legal/suite0 accuracy" in seen
    assert re.search(r"baseline +30/40 +66\.7% +\d+\.\d to \d+\.\d%", seen)
    assert re.search(r"tuned +30/40 +66\.7% +\d+\.\d to \d+\.\d%", seen)
    assert UNTRUSTED in seen
    assert "tuned case-27 accuracy\n  expected lien; got tax" in seen


def test_an_engine_that_loads_is_waited_for() -> None:
    evaluation = Evaluation(NAMES)
    stage = LiveStage("answers (vllm 1)", 80, "answers", shares())
    evaluation.begin(stage)
    assert "waiting for the first new answer" in plain(drawn(evaluation))
    done = Completion(key="k", text="x", finish_reason="stop", prompt_tokens=1, output_tokens=1)
    stage.answered(done, kept=True)
    assert "answers come from the cache" in plain(drawn(evaluation))
    assert "waiting for the first new answer" in plain(drawn(evaluation))
    stage.answered(done, kept=False)
    assert "waiting" not in plain(drawn(evaluation))


def test_rates_and_the_time_left_are_those_of_new_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    evaluation = Evaluation(NAMES)
    stage = LiveStage("answers (vllm 1)", 100, "answers", ())
    evaluation.begin(stage)
    done = Completion(key="k", text="x", finish_reason="stop", prompt_tokens=90, output_tokens=10)
    for _ in range(40):
        stage.answered(done, kept=True)
    drawn(evaluation)
    now[0] += 10
    for _ in range(20):
        stage.answered(done, kept=False)
    seen = plain(drawn(evaluation))
    assert "2.0 answers/s · 200 tokens/s · 10 s · about 20 s left · 40 from the cache" in seen


def test_scoring_again_is_not_called_answering() -> None:
    evaluation = Evaluation(["scores"])
    stage = LiveStage("scores", 2, "answers", shares())
    evaluation.begin(stage)
    stage.scored("legal/suite0", record(1, 1))
    stage.advance()
    seen = plain(drawn(evaluation))
    assert "scores · tuned is scored" in seen and "1/2 answers" in seen and "plan" not in seen


def test_estimates_stay_while_gates_are_judged() -> None:
    evaluation = busy()
    assert evaluation.stage is not None
    evaluation.stage.is_over = True
    evaluation.begin(LiveStage("gates", None, "answers", ()))
    seen = plain(drawn(evaluation))
    assert "gates, 0 s" in seen and "66.7%" in seen


@pytest.mark.parametrize(("columns", "rows"), SIZES)
@pytest.mark.parametrize("suites", [1, 12])
def test_it_fits_any_terminal(columns: int, rows: int, suites: int) -> None:
    found = plain(drawn(busy(suites), columns, rows)).split("\n")
    assert max(map(cell_len, found)) <= columns
    assert rows < 6 or len(found) < rows


def test_suites_without_room_are_counted() -> None:
    assert re.search(r"suites without room here: \d+", plain(drawn(busy(12), 80, 24)))
    assert "without room" not in plain(drawn(busy(2), 80, 40))


@pytest.mark.parametrize(("columns", "rows"), [(200, 60), (40, 24)])
def test_hostile_text_of_a_model_is_inert(columns: int, rows: int) -> None:
    found = drawn(busy(text=HOSTILE, case_id=HOSTILE), columns, rows)
    assert {code for row in found for code in re.findall(r"\x1b(?!\[[0-9;]*m)", row)} == set()
    rest = plain(found)
    assert not [c for c in rest if c != "\n" and is_hidden(c)]
    assert "⟨U+001B⟩[2J" in rest
    assert (
        columns < 200 or "[red]bold[/red] [/] ⟨U+202E⟩gnp.exe⟨U+009B⟩31m⟨U+000D⟩over⟨U+200B⟩ # PASSED :warning:" in rest
    )


def test_the_line_that_stays_says_what_was_done() -> None:
    stage = busy().stage
    assert stage is not None
    assert stage.summary.startswith("answers (fake 1): 60/80 answers, 6 from the cache, ")
