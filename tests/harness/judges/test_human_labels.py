"""People's labels: every bad line named, nothing written then; agreement as statsmodels has it."""

import json
from pathlib import Path

import pytest

from harness.errors import UserError
from harness.judges.human_labels import add_labels, agreement, judged_by
from harness.judges.rubric import JudgeRubric
from harness.runs.folder import RunData
from harness.runs.score_events import append
from harness.schema import Score, ScoreEvent
from tests.support.mini import compare

RUBRIC = JudgeRubric(name="grounded", question="Is it?", labels=("no", "partly", "yes"))


GOOD = {"suite": "legal/mini", "case_id": "c1", "variant": "tuned", "label": "yes"}
TWICE = json.dumps(GOOD).replace('"label"', '"label": "no", "label"')


@pytest.mark.slow
@pytest.mark.parametrize(
    ("lines", "encoding", "said"),
    [
        (
            [GOOD, GOOD | {"label": "maybe"}, GOOD | {"case_id": "c99"}, {"label": "yes"}, "no object", TWICE],
            "utf-8",
            [
                "labels.jsonl:2: the label is 'maybe', expected one of no, partly, yes",
                "labels.jsonl:3: the run has no answer of 'tuned' to legal/mini c99",
                "labels.jsonl:4: Object missing required field `suite`. A label has suite, case_id, variant,",
                "labels.jsonl:5",
                "labels.jsonl:6: has the key 'label' twice. Remove one of them",
            ],
        ),
        (
            [GOOD, GOOD | {"case_id": "c2"}, GOOD | {"label": "no"}],
            "utf-8",
            ["labels.jsonl:3: labels the answer of line 1 again; `repeat` tells answers to a case apart"],
        ),
        ([], "utf-8", ["has no label"]),
        ([GOOD], "utf-8-sig", ["starts with a byte order mark"]),
        (None, "", ["cannot be read"]),
    ],
)
def test_all_that_is_wrong_with_a_file_is_named_and_nothing_is_written(
    tmp_path: Path, lines: list[object] | None, encoding: str, said: list[str]
) -> None:
    run, file = compare(tmp_path), tmp_path / "labels.jsonl"
    if lines is not None:
        file.write_text("".join(f"{line if isinstance(line, str) else json.dumps(line)}\n" for line in lines), encoding)
    with pytest.raises(UserError) as error:
        add_labels(run, RUBRIC, file, "r1")
    assert all(part in str(error.value) for part in said)
    assert not (run.path / "later").exists()


def test_labels_of_nobody_are_refused(tmp_path: Path) -> None:
    run, file = compare(tmp_path), tmp_path / "labels.jsonl"
    file.write_text(json.dumps(GOOD))
    with pytest.raises(UserError, match="--reviewer is empty"):
        add_labels(run, RUBRIC, file, " ")
    assert not (run.path / "later").exists()


def test_without_a_judge_there_is_no_agreement(tmp_path: Path):
    run = compare(tmp_path)
    file = tmp_path / "labels.jsonl"
    file.write_text(json.dumps(GOOD | {"repeat": None, "comment": None}))
    add_labels(run, RUBRIC, file, "r1")
    assert agreement(run, RUBRIC) == []


def preferences(run: RunData, choices: dict[str, str]) -> None:
    """One person's preferences, as a review writes them."""
    value = {"tuned": 1.0, "baseline": 0.0}
    events = [
        event(case, "human", Score(name="human_preference", value=value.get(c, 0.5), extracted={"choice": [c]}))
        for case, c in choices.items()
    ]
    append(run.path, "human", events, {"kind": "review"})


def event(case: str, kind: str, score: Score, rubric: str = "") -> ScoreEvent:
    return ScoreEvent(
        suite="legal/mini", case_id=case, variant="tuned", repeat=1, kind=kind, score=score, author="r1", rubric=rubric
    )


def comparing_judge(run: RunData, labels: dict[str, str]) -> JudgeRubric:
    rubric = JudgeRubric(name="better", question="Which?", labels=("first", "second", "tie"), compare=True)
    events = [
        event(case, "judge", Score(name="judge_better", value=0.5, extracted={"label": [label]}), rubric.hash)
        for case, label in labels.items()
    ]
    about = {"name": rubric.name, "question": rubric.question, "labels": list(rubric.labels)}
    append(run.path, "judge", events, {"kind": "judge", "rubric": about})
    return rubric


@pytest.mark.parametrize(("said", "kappa"), [("tie", 1 - 6 / 34), ("second", 1 - 24 / 40)])
def test_a_comparing_judge_is_held_against_preferences_and_a_tie_lies_in_the_middle(
    tmp_path: Path, said: str, kappa: float
):
    """The judge differs on 6 of 40 pairs that the person decides for the tuned answer: by one step, or by two.

    Squared distances, second 0, tie 1, first 2: seen 6 * 1 or 6 * 4; by chance 1360 / 40 or 1600 / 40.
    """
    run = compare(tmp_path)
    choices = {f"c{i}": ("tuned", "baseline", "tie", "both_bad")[i % 4] for i in range(40)}
    preferences(run, choices)
    labels = {"tuned": "first", "baseline": "second", "tie": "tie", "both_bad": "tie"}
    judged = {case: labels[c] for case, c in choices.items()}
    judged |= {f"c{i}": said for i in range(0, 24, 4)}
    rubric = comparing_judge(run, judged)
    assert judged_by(run.path) == [rubric]
    (found,) = agreement(run, rubric)
    assert found.exact.value == pytest.approx(34 / 40)
    assert found.kappa.value == pytest.approx(kappa)


def test_one_person_is_not_two_by_a_capital_letter(tmp_path: Path) -> None:
    run, file = compare(tmp_path), tmp_path / "labels.jsonl"
    file.write_text(json.dumps(GOOD))
    add_labels(run, RUBRIC, file, "r1")
    add_labels(run, RUBRIC, file, "r1")
    with pytest.raises(UserError, match="--reviewer R1: this run has findings of r1, so one person would count as two"):
        add_labels(run, RUBRIC, file, "R1")
