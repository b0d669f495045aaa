"""The report's human review: what people said, with its agreement and intervals, and nothing that nobody said."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import reports
from harness.errors import UserError
from harness.judges.rubric import SIDES, JudgeRubric
from harness.runs.folder import load_run
from harness.runs.score_events import append
from harness.schema import Estimate, Score, ScoreEvent
from reports import number_format, sentences
from reports.assemble import gather
from reports.model import Cell, ReportModel, Section, Table, Text
from reports.render import html, markdown
from reports.sections import human_review, limits
from reports.sections.verdict import cautions
from reports.summary import summary
from tests.reports.conftest import Writer, table
from tests.reports.conftest import all_text as said
from tests.support.reviewed_run import answer, both, compared, fixed, review, skipped
from tests.support.sample import SUITE, make_record

TEXT = "Audit Rights, see O.C.G.A. § 44-99-999 for the duty to keep books."
IDS = [f"lease-{number:03d}" for number in range(30)]


@pytest.fixture
def path(write_run: Writer) -> Path:
    """A run of 30 contracts that both models answered."""
    records = [make_record(number, variant, TEXT) for number in range(30) for variant in ("baseline", "tuned")]
    return write_run(records=records)


def section(path: Path) -> Section:
    return human_review.section(gather(load_run(path)))


def limits_of(path: Path) -> Section:
    return limits.section(gather(load_run(path)))


def row(found: Table, head: str) -> list[Cell]:
    return next(cells for cells in found.rows if cells[0].text == head)


def captions(found: Section) -> list[str]:
    return [block.caption for block in found.blocks if isinstance(block, Table)]


def test_without_reviews_nothing_is_shown_and_that_is_said(path: Path) -> None:
    found = section(path)
    assert [type(block) for block in found.blocks] == [Text]
    assert "Nobody has reviewed these answers" in said(found)
    assert "No judge model and no person scored these answers." in said(limits_of(path))


def test_reviewers_stand_under_their_pseudonyms_and_no_profession_is_claimed(path: Path) -> None:
    review(path, SUITE, "r1", {case: both("tuned") for case in IDS}, not_reached=2)
    found = section(path)
    (cells,) = table(found, "Reviewers").rows
    assert [cell.text for cell in cells[:4]] == ["r1", "two answers, side by side", "30", "0"]
    assert cells[1].note == "blind\nA rubric" and cells[2].note == "2 not reached; after 2 practice items"
    assert cells[4].text == "2026-11-25 09:00:00 UTC"
    assert cells[5].note.endswith(".jsonl") and len(cells[5].text) == 12
    assert "Nobody has reviewed" not in said(found)
    for word in ("lawyer", "attorney", "expert", "counsel"):
        assert word not in said(found).lower()
    assert "No judge model scored these answers." in said(limits_of(path))


def test_the_preference_has_its_interval_and_every_choice_is_counted(path: Path) -> None:
    choices = ["tuned"] * 18 + ["baseline"] * 6 + ["tie"] * 4 + ["both_bad"] * 2
    review(path, SUITE, "r1", {case: both(choice) for case, choice in zip(IDS, choices, strict=True)})
    cells = row(table(section(path), "Which answer people prefer"), "Everybody")
    assert cells[1].text == "70.0%" and cells[1].estimate is not None and cells[1].estimate.clusters == 30
    assert cells[1].note.startswith("51.3% to 83.8%") and "30 contracts" in cells[1].note
    assert [cell.text for cell in cells[2:]] == ["tuned preferred", "6", "18", "4", "2"]


def test_what_people_prefer_stands_under_what_changed_and_so_in_the_summary(path: Path) -> None:
    assert "People's preference" not in said_in_summary(path)
    choices = ["tuned"] * 24 + ["baseline"] * 6
    review(path, SUITE, "r1", {case: both(choice) for case, choice in zip(IDS, choices, strict=True)})
    assert "People's preference" in said_in_summary(path)
    assert "Tuned preferred: the tuned model's answers in 80.0% (62.7% to 92.3%) of pairs" in said_in_summary(path)


def said_in_summary(path: Path) -> str:
    return markdown.render(summary(reports.build([path])))


def test_each_reviewer_is_noted_beside_everybody_and_decisions_count(path: Path) -> None:
    review(path, SUITE, "r1", {case: both("tuned") for case in IDS})
    review(path, SUITE, "r2", {case: both("baseline") for case in IDS})
    prefer = table(section(path), "Which answer people prefer")
    assert [cells[0].text for cells in prefer.rows] == ["Everybody", "r1", "r2"]
    assert [cells[1].text for cells in prefer.rows] == ["50.0%", "100%", "0%"]
    assert "People prefer" not in " ".join(cautions(gather(load_run(path))))
    review(path, SUITE, "r3", {case: both("tuned") for case in IDS[:15]}, kind="adjudication")
    prefer = table(section(path), "Which answer people prefer")
    assert row(prefer, "Everybody")[1].text == "75.0%"
    assert row(prefer, "r3")[0].note == "decided differences"


def test_a_reviewer_may_be_called_everybody(path: Path) -> None:
    review(path, SUITE, "Everybody", {case: both("tuned") for case in IDS})
    review(path, SUITE, "r2", {case: both("baseline") for case in IDS})
    rows = table(section(path), "Which answer people prefer").rows
    assert [(cells[0].text, cells[1].text) for cells in rows] == [
        ("Everybody", "50.0%"),
        ("Everybody", "100%"),
        ("r2", "0%"),
    ]


def test_scores_fabrications_and_missed_clauses_stand_by_model_with_the_paired_change(path: Path) -> None:
    invented = [(0, 12, "Audit Rights", "critical")]
    pairs = {
        case: compared(
            answer("tuned", 4, 3, missed=[]),
            answer("baseline", 2 + number % 2, 3, invented if number % 2 else [], missed=["Insurance"]),
            "tuned",
        )
        for number, case in enumerate(IDS)
    }
    review(path, SUITE, "r1", pairs)
    found = table(section(path), "What people found")
    accuracy = row(found, "Accuracy")
    assert [cell.text for cell in accuracy[1:5]] == ["2.5", "4", "+1.5", "better"]
    assert "Wilcoxon" in accuracy[4].note and "p < 0.001" in accuracy[4].note
    assert row(found, "Completeness")[4].text == "no clear change"
    critical = row(found, "Critical fabrications")
    assert [cell.text for cell in critical[1:5]] == ["0.5", "0", "−0.5", "better"]
    assert row(found, "Answers with a fabrication")[1].text == "50.0%"
    missed = row(found, "Listed clauses missed")  # all that a case expects, critical or not
    assert [cell.text for cell in missed[1:3]] == ["25.0%", "0%"] and missed[2].note.startswith("0% to 1")


def test_agreement_has_intervals_and_says_why_it_has_none(path: Path) -> None:
    scores = [1 + number % 5 for number in range(30)]
    for who, off in (("r1", 0), ("r2", 1)):
        review(
            path,
            SUITE,
            who,
            {
                case: compared(
                    answer("tuned", min(5, score + off * (number % 3 == 0)), 3, [(0, 5, "Audit", "minor")]),
                    answer("baseline", score, 3),
                    "tuned",
                )
                for number, (case, score) in enumerate(zip(IDS, scores, strict=True))
            },
        )
    found = table(section(path), "Agreement of reviewers")
    same, alpha, gwet = row(found, "Accuracy")[1:4]
    assert same.text == "86.7%" and "60 answers in 30 contracts" in same.note
    assert alpha.estimate is not None and alpha.estimate.low is not None
    assert 0.9 < float(alpha.text) < 1 and " to " in alpha.note and 0.7 < float(gwet.text) < 0.9
    assert row(found, "Completeness")[2].text == number_format.NOT_MEASURED
    assert "one label throughout" in row(found, "Completeness")[2].note
    assert row(found, "Same passage")[1].text == "100%"


def test_one_reviewer_alone_agrees_with_nobody(path: Path) -> None:
    review(path, SUITE, "r1", {case: both("tuned") for case in IDS})
    found = section(path)
    texts = [block.text for block in found.blocks if isinstance(block, Text) and "agreement" in block.text]
    assert [text.partition(": ")[2] for text in texts] == [
        "agreement of reviewers is not measured: no item was rated by two people."
    ]
    assert not any(isinstance(b, Table) and b.caption.startswith("Agreement of reviewers") for b in found.blocks)


def test_what_was_not_judged_is_listed_with_its_reason_and_stays_in_the_count(path: Path) -> None:
    pairs = {case: both("tuned") for case in IDS}
    pairs[IDS[0]] = skipped(pairs[IDS[0]], "cannot judge: not my field")
    review(path, SUITE, "r1", pairs)
    found = section(path)
    assert [cell.text for cell in table(found, "Not judged").rows[0]] == [IDS[0], "r1", "cannot judge: not my field"]
    assert table(found, "Reviewers").rows[0][3].text == "1"
    counted = row(table(found, "Which answer people prefer"), "Everybody")[1].estimate
    assert counted is not None and (counted.n, counted.unscored) == (29, 1)


def test_review_time_comes_from_editing_drafts_alone(path: Path) -> None:
    review(path, SUITE, "r1", {case: both("tuned") for case in IDS})
    found = section(path)
    assert not [caption for caption in captions(found) if caption.startswith("Time and edits")]
    assert "Review time is not measured" in said(found)
    drafts = {
        case: fixed("tuned" if number % 2 else "baseline", (60.0 if number % 2 else 120.0) + number, 10 * (number % 3))
        for number, case in enumerate(IDS)
    }
    drafts[IDS[0]] = skipped(drafts[IDS[0]], "skipped: too long")
    drafts[IDS[1]] = fixed("tuned", 90_000.0)
    review(path, SUITE, "r1", drafts, mode="fix")
    times = table(section(path), "Time and edits")
    ratio = row(times, "Ratio of active times")[3]
    assert ratio.text.endswith("×") and 0.5 < float(ratio.text[:-1]) < 0.75 and "29 contracts" in ratio.note
    assert "This capped 1 of 29 drafts." in times.note
    assert row(times, "Median active time")[1].text == "2 min 15 s"
    assert row(times, "Median wall-clock time")[1].text == "3 min 22 s"
    assert row(times, "Drafts unchanged")[1].text == "28.6%"
    assert "Review time is not measured" not in said(section(path))


def test_drafts_without_a_comparison_say_that_preference_is_not_measured(path: Path) -> None:
    review(path, SUITE, "r1", {case: fixed("tuned", 60.0) for case in IDS}, mode="fix")
    found = section(path)
    assert "preference and scores are not measured: nobody compared two answers" in said(found)
    assert [caption.partition(":")[0] for caption in captions(found)] == [
        "Reviewers",
        "Checks on the reviews",
        "Time and edits",
    ]


@pytest.mark.parametrize(
    ("right", "reading"),
    [
        (11, "no sign that reviewers could tell the models apart"),
        (19, "not blind: reviewers could tell the models apart"),
        (2, "not blind: reviewers could tell the models apart, and took one for the other"),
    ],
)
def test_guesses_tell_whether_the_blind_held(path: Path, right: int, reading: str) -> None:
    review(path, SUITE, "r1", {case: both("tuned") for case in IDS}, guess={"asked": 24, "said": 20, "right": right})
    cells = row(table(section(path), "Checks on the reviews"), "Tuned model guessed")
    assert cells[0].note == "4 of 24 left open" and cells[2].text == reading
    assert cells[1].estimate is not None and cells[1].estimate.value == pytest.approx(right / 20)


def test_items_seen_twice_show_whether_a_reviewer_says_the_same_again(path: Path) -> None:
    shown = [
        {"suite": SUITE, "case_id": case, "first": {"preference": "tuned"}, "second": {"preference": second}}
        for case, second in zip(IDS[:3], ("tuned", "tuned", "tie"), strict=True)
    ]
    shown.append({"suite": SUITE, "case_id": IDS[3], "first": {"not_judged": "skipped: x"}, "second": {}})
    review(path, SUITE, "r1", {case: both("tuned") for case in IDS}, repeats=shown)
    again = row(table(section(path), "Checks on the reviews"), "Same preference again")[1]
    assert again.text == "66.7%" and again.estimate is not None and again.estimate.n == 3


def test_people_who_prefer_the_baseline_are_said_first_and_two_rubrics_are_not_put_together(path: Path) -> None:
    """The warnings of two rubrics had been one sentence twice."""
    said_first = ": People prefer the baseline's answers: the tuned model's in 0% (0% to 11.4%) of pairs."
    review(path, SUITE, "a", {case: both("baseline") for case in IDS}, rubric="a" * 64)
    assert f"{SUITE}{said_first}" in cautions(gather(load_run(path)))
    review(path, SUITE, "b", {case: both("baseline") for case in IDS}, rubric="b" * 64)
    names = [f"{SUITE}, rubric A rubric ({letter * 12})" for letter in "ab"]
    found = [caption for caption in captions(section(path)) if caption.startswith("Which answer")]
    assert found == [f"Which answer people prefer: {name}" for name in names]
    assert {f"{name}{said_first}" for name in names} <= set(cautions(gather(load_run(path))))


def label(path: Path, kind: str, rubric: JudgeRubric, labels: dict[str, str], author: str) -> None:
    """Labels of the tuned answers, as `tunegate judge` and `tunegate label` write them."""
    events = [
        ScoreEvent(
            suite=SUITE,
            case_id=case,
            variant="tuned",
            repeat=1,
            kind=kind,  # type: ignore[arg-type]
            score=Score(name=f"{kind}_{rubric.name}", value=0.5, extracted={"label": [said]}),
            author=author,
            rubric=rubric.hash,
        )
        for case, said in labels.items()
    ]
    about = {"name": rubric.name, "question": rubric.question, "labels": list(rubric.labels)}
    person = {"kind": "human", "rubric": rubric.name, "reviewer": author}
    append(path, kind, events, person if kind == "human" else {"kind": "judge", "rubric": about})


def test_a_judge_and_a_person_who_gave_no_verdict_scored_nothing(path: Path) -> None:
    review(path, SUITE, "r1", {case: skipped(both("tuned"), "cannot tell") for case in IDS})
    unread = Score(name="grounded", value=None, reason="no label")
    events = [
        ScoreEvent(suite=SUITE, case_id=case, variant="tuned", repeat=1, kind="judge", score=unread) for case in IDS
    ]
    append(path, "judge", events, {"kind": "judge", "rubric": {"name": "grounded", "question": "?", "labels": ["no"]}})
    assert "No judge model and no person scored these answers." in said(limits_of(path))


def test_a_judge_that_compares_stands_beside_peoples_preferences(path: Path) -> None:
    choices = ["tuned", "baseline", "tie", "both_bad", "tuned"] * 6
    review(path, SUITE, "r1", {case: both(choice) for case, choice in zip(IDS, choices, strict=True)})
    assert "Judge model against people" not in captions(section(path))
    labels = {"tuned": "first", "baseline": "second", "tie": "tie", "both_bad": "tie"}
    judged = {case: labels[choice] for case, choice in zip(IDS, choices, strict=True)}
    rubric = JudgeRubric(name="better", question="Which?", labels=("first", "second", "tie"), compare=True)
    label(path, "judge", rubric, judged, "digest")
    (cells,) = table(section(path), "Judge model against people").rows
    assert [cell.text for cell in cells] == ["better", "r1", "100%", "1.00"]
    assert "scored these answers" not in said(limits_of(path))


def test_labels_without_a_review_are_named_and_held_against_the_judge(path: Path) -> None:
    rubric = JudgeRubric(name="grounded", question="Is it?", labels=("no", "yes"))
    labels = {case: "yes" if number % 2 else "no" for number, case in enumerate(IDS)}
    label(path, "judge", rubric, labels, "digest")
    label(path, "human", rubric, labels, "p7")
    found = section(path)
    assert "Nobody has reviewed these answers side by side" in said(found)
    assert "p7 labelled 30 answers by the rubric grounded: tuned 15 × no, 15 × yes." in said(found)
    (cells,) = table(found, "Judge model against people").rows
    assert [cell.text for cell in cells] == ["grounded", "p7", "100%", "1.00"]


def test_a_review_of_another_run_is_refused(path: Path) -> None:
    review(path, SUITE, "r1", {"lease-999": both("tuned")})
    with pytest.raises(UserError, match=r"a review is about 'lease-999' .* which the run has no answer to"):
        section(path)


def test_a_batch_that_says_nothing_of_itself_is_refused(path: Path) -> None:
    file = review(path, SUITE, "r1", {case: both("tuned") for case in IDS})
    file.with_suffix(".json").write_text('{"kind": "review"}')
    with pytest.raises(UserError, match="missing required field"):
        section(path)


def test_pseudonyms_and_reasons_are_shown_as_text(path: Path) -> None:
    pairs = {case: both("tuned") for case in IDS}
    pairs[IDS[0]] = skipped(pairs[IDS[0]], "skipped: <img src=x onerror=alert(1)> | # FORGED")
    review(path, SUITE, "<b>r1</b>", pairs)
    shown = [section(path)]
    model = ReportModel(title="t", run_id="r", seal="s", outcome="pass", sections=shown)
    for page in (markdown.render(model), html.render(model)):
        assert "<img src=x" not in page and "<b>r1" not in page


@pytest.mark.parametrize(
    ("found", "written"), [(1.0, "1.00"), (0.997, ">0.99"), (0.316, "0.32"), (-0.131, "−0.13"), (0.0, "0.00")]
)
def test_only_whole_agreement_is_written_as_one(found: float, written: str) -> None:
    assert number_format.coefficient(found) == written


@pytest.mark.parametrize(
    ("low", "high", "reading"),
    [
        (0.51, 0.9, "tuned preferred"),
        (0.1, 0.49, "baseline preferred"),
        (0.5, 0.9, "no clear preference"),
        (None, None, "no clear preference"),
    ],
)
def test_a_preference_is_read_only_where_the_interval_leaves_out_a_half(
    low: float | None, high: float | None, reading: str
) -> None:
    assert sentences.preferred(Estimate(value=0.6, low=low, high=high, n=10))[0] == reading


def test_the_numbers_of_the_section_do_not_depend_on_the_order_of_batches(path: Path, write_run: Writer) -> None:
    rng = np.random.default_rng(1)
    picks = {who: {case: both(str(rng.choice(["tuned", "baseline"]))) for case in IDS} for who in ("r1", "r2")}
    other = write_run(records=[make_record(n, v, TEXT) for n in range(30) for v in ("baseline", "tuned")])
    for who in ("r1", "r2"):
        review(path, SUITE, who, picks[who])
    for who in ("r2", "r1"):
        review(other, SUITE, who, picks[who])
    shown = [row(table(section(p), "Which answer people prefer"), "Everybody") for p in (path, other)]
    agreed = [row(table(section(p), "Agreement of reviewers"), "Preference") for p in (path, other)]
    assert shown[0] == shown[1] and agreed[0] == agreed[1]


def test_an_answer_that_is_labelled_again_counts_once(path: Path) -> None:
    rubric = JudgeRubric(name="grounded", question="Is it?", labels=("no", "yes"))
    label(path, "human", rubric, dict.fromkeys(IDS[:10], "yes"), "r1")
    label(path, "human", rubric, dict.fromkeys(IDS[1:11], "no"), "r1")
    assert "r1 labelled 11 answers by the rubric grounded: tuned 10 × no, 1 × yes." in said(section(path))


def test_labels_by_another_version_of_a_rubric_are_not_compared_with_the_judge(path: Path) -> None:
    asked = JudgeRubric(name="preference", question="Which is better?", labels=SIDES, compare=True)
    now = JudgeRubric(name="preference", question="Which is clearer?", labels=SIDES, compare=True)
    label(path, "human", asked, dict.fromkeys(IDS, "first"), "r1")
    label(path, "judge", now, dict.fromkeys(IDS, "first"), "digest")
    assert "r1 labelled 30 answers by the rubric preference: tuned 30 × first." in said(section(path))
    assert captions(section(path)) == []
