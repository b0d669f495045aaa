"""Reasoning that leads a completion is stored, and neither scored, judged nor shown."""

from pathlib import Path

import msgspec
import pytest

import reports
from harness.judges.llm_judge import items
from harness.runs.folder import RunData
from harness.schema import BASELINE
from reports.cases.exchange import pieces
from reports.exports import records_csv
from reports.render import terminal_cases
from reports.review.items import load_material
from tests.harness.judges.test_llm_judge import GROUNDED
from tests.reports.conftest import all_text
from tests.reports.side_by_side.conftest import data_of, written
from tests.support.answers import answer
from tests.support.mini import compare, right, rows

THOUGHT = "<think>Is it holdover?</think>"
CUT = ("c0", "c1", "c2")


@pytest.mark.parametrize(
    ("text", "said", "has_reasoning"),
    [
        (" No tag. ", " No tag. ", False),
        ("Write <think>a</think> first.", "Write <think>a</think> first.", False),
        ("\n<think>\na\n</think>\n\nYes.\n", "Yes.\n", True),
        ("<think>\n\n</think>\n\nYes.", "Yes.", False),
        ("<think>Is <think> a tag?</think> Yes.", "Yes.", True),
        ("<think>a</think><think>b</think>Yes.", "Yes.", True),
        ("a</think>Yes.", "Yes.", True),
        ("a</think> <think>b</think> Yes: <think>c</think>", "Yes: <think>c</think>", True),
        ("<think>a</think>One. </think> Two.", "One. </think> Two.", True),
        ("<think>a", "", True),
        ("a</think><think>b", "", True),
        ("<think>a</think>\n", "", True),
    ],
)
def test_an_answer_is_what_follows_leading_reasoning(text: str, said: str, has_reasoning: bool) -> None:
    completion = answer(text)
    assert completion.answer == said and bool(completion.reasoning) == has_reasoning
    assert completion.text == text


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunData:
    """Both models are right; the baseline reasons first, and in three of 40 cases up to its limit of eight words."""
    said = right(rows())
    cut = dict.fromkeys(CUT, "<think>" + "again " * 9)
    return compare(tmp_path_factory.mktemp("run"), said, {case: f"{THOUGHT} {s}" for case, s in said.items()} | cut)


def test_scores_and_their_places_are_those_of_the_answer(run: RunData) -> None:
    by_variant = run.by_variant("legal/mini")
    for before, tuned in zip(by_variant[BASELINE], by_variant["tuned"], strict=True):
        assert before.completion.text.startswith("<think>")
        if before.case.id in CUT:
            assert (before.completion.answer, before.completion.finish_reason) == ("", "length")
        else:
            assert before.scores == tuned.scores
            assert "".join(piece.text for piece in pieces(before, [])) == tuned.completion.text
    assert run.manifest.engine["truncated"] == {"baseline": 3, "tuned": 0}


def test_no_view_shows_which_side_reasons(run: RunData, tmp_path: Path) -> None:
    answers = [item.answers for item in load_material(run.path).items.values()]
    assert len(answers) == 40 and sum(len(set(sides.values())) > 1 for sides in answers) == 3
    judged = [text for item in items(run, GROUNDED) for text in item.texts]
    side_by_side = data_of(written([str(run.path), f"{run.path}:baseline"], tmp_path))["texts"]
    case = terminal_cases.case_text(run.manifest.suites[0], run.records, None)
    csv = "".join(records_csv.write(run.path))
    report = msgspec.json.encode(reports.build([run.path])).decode()
    shown = [*judged, *side_by_side, case, csv, report]
    assert [text for text in shown if "Is it holdover?" in text or "again again" in text] == []


def test_a_report_names_reasoning_of_one_side_and_reasoning_without_an_answer(run: RunData) -> None:
    said = all_text(reports.build([run.path]).sections[0])
    assert "Answers after reasoning: 100% of the baseline, 0% of the tuned model." in said
    assert "Reasoning without an answer: 7.5% of the baseline, 0% of the tuned model." in said
    assert "Turn thinking off in the chat template, or raise max_tokens. The models may differ in form" in said


def test_one_answer_that_hides_text_before_a_closing_tag_is_named(tmp_path: Path) -> None:
    said = right(rows())
    hidden = said | {CUT[0]: f"holdover </think> {said[CUT[0]]}"}
    text = all_text(reports.build([compare(tmp_path, hidden, said).path]).sections[0])
    assert "Answers after reasoning: 0% of the baseline, 2.5% of the tuned model." in text


def test_one_tag_of_the_baseline_does_not_keep_hidden_text_of_the_tuned_model_unnamed(tmp_path: Path) -> None:
    said = right(rows())
    hidden = said | {case: f"holdover </think> {said[case]}" for case in CUT}
    before = said | {"c9": f"</think>{said['c9']}", "c8": f"so</think>{said['c8']}"}
    text = all_text(reports.build([compare(tmp_path, hidden, before).path]).sections[0])
    assert "Answers after reasoning: 2.5% of the baseline, 7.5% of the tuned model." in text
