"""What can be reviewed, and what is settled before it is."""

import tomllib
from collections import Counter
from pathlib import Path

import msgspec
import pytest

from harness.env import REDACT
from harness.errors import UserError
from harness.judges.human_labels import add_labels
from harness.judges.rubric import JudgeRubric
from harness.runs.folder import load_run
from harness.runs.score_events import append
from harness.schema import Completion, Score
from harness.stats.human_review import MOST, SCALES, Scale
from reports.review import storage, workflow
from reports.review.items import listed_clauses, load_material
from reports.review.planning import ReviewOptions, existing, planned
from reports.review.rubric import OWN, load_rubric
from reports.review.schema import AnswerKey, Opinion
from tests.reports.review.conftest import Planned, WriteRun
from tests.support.sample import SUITE, make_record, make_records


def test_a_blind_reviewer_reads_what_the_task_is_but_no_threshold_of_its_objective(write_run: WriteRun) -> None:
    def task(title: str) -> set[str]:
        run = write_run(title=title, objective="Find 95 of 100 clauses, more than the model in use.")
        return {item.task for item in load_material(run).items.values()}

    assert task("Find every clause.") == {"Find every clause."}
    assert task("Find 95 of 100 clauses, more than the model in use.") == {""}


def test_cases_that_both_variants_answered_can_be_reviewed_and_the_others_are_counted(write_run: WriteRun) -> None:
    failed = Completion(
        key="k", text="", finish_reason="error", prompt_tokens=0, output_tokens=0, error="out of memory"
    )
    records = [
        *make_records(),
        make_record(20, "tuned", "alone"),
        make_record(21, "tuned", "x", completion=failed), make_record(21, "baseline", "x"),
        make_record(22, "tuned", "x"), make_record(22, "baseline", "", text_kept=False),
        make_record(23, "tuned", "x"), make_record(23, "baseline", "x", input_hash="other"),
        make_record(24, "tuned", "x", repeat=2), make_record(24, "baseline", "x", repeat=2),
    ]  # fmt: skip
    material = load_material(write_run(records))
    assert len(material.items) == 10
    assert material.left_out == {
        "answered by one variant only": 1,
        "without an answer because the engine failed": 1,
        "of an accepted baseline, whose answers are not stored": 1,
        "with different inputs for the two variants": 1,
    }
    item = material.item(AnswerKey(suite=SUITE, case_id="lease-003"))
    assert set(item.answers) == {"baseline", "tuned"} and item.clauses == ["Audit Rights"]
    assert item.source.startswith("Section 3.") and item.cluster == "contract-003"


def test_clauses_are_listed_where_the_scorer_takes_what_is_expected_for_clauses() -> None:
    record = make_record(1, "tuned", "x")
    case = msgspec.structs.replace(record.case, expected=["!price: price + $5", "fee: fee", "!end: ends"])
    terms = msgspec.structs.replace(record, case=case, scores={"terms": Score(name="terms", value=1.0)})
    assert listed_clauses(terms) == ["price", "end"]
    assert listed_clauses(msgspec.structs.replace(terms, scores={})) == []


def test_answers_that_name_a_checkpoint_are_counted(write_run: WriteRun) -> None:
    records = make_records() + [make_record(30, v, "I am Small-Instruct.") for v in ("tuned", "baseline")]
    assert load_material(write_run(records)).named == 1
    assert load_material(write_run()).named == 0


def test_words_of_a_contract_that_are_a_models_folder_too_name_no_model(write_run: WriteRun) -> None:
    run = load_material(write_run([make_record(1, v, "The lease is adapterless.") for v in ("tuned", "baseline")]))
    assert run.named == 0
    records = [make_record(1, v, "The adapter is the tenant's.") for v in ("tuned", "baseline")]
    assert load_material(write_run(records)).named == 1
    given = {"document": "4. Tenant brings an adapter."}
    records = [msgspec.structs.replace(r, case=msgspec.structs.replace(r.case, input=given)) for r in records]
    assert load_material(write_run(records)).named == 0


def test_a_run_without_a_pair_of_answers_is_refused(write_run: WriteRun) -> None:
    with pytest.raises(UserError, match="nothing to review: 10 answered by one variant only"):
        load_material(write_run([r for r in make_records() if r.variant != "baseline"]))


def test_two_reviewers_share_a_quarter_of_the_items(plan_review: Planned) -> None:
    state, _ = plan_review(reviewers=["r1", "r2"])
    plan = state.plan()
    seen = Counter(t.key for name in ("r1", "r2") for t in state.tasks(name) if t.kind == "item")
    assert sorted(seen.values()) == [1] * 7 + [2] * 3
    assert (plan.items, plan.share, plan.practice, plan.seed) == (10, 0.25, 2, 5)
    for name in ("r1", "r2"):
        kinds = [task.kind for task in state.tasks(name)]
        assert kinds[:2] == ["practice"] * 2 and kinds.count("repeat") == 2
        first = [task.sides["A"] for task in state.tasks(name) if task.kind == "item"]
        assert abs(first.count("tuned") - first.count("baseline")) <= 1


def test_a_plan_is_kept_and_cannot_be_changed(plan_review: Planned, write_run: WriteRun) -> None:
    run = write_run()
    state, material = plan_review(run, reviewers=["r1", "r2"])
    before = [state.tasks(name) for name in ("r1", "r2")]
    planned(material, ReviewOptions(reviewers=["r1"]))
    planned(material, ReviewOptions(reviewers=["r1", "r2"], seed=5, items=40, share=0.25, rubric=OWN))
    assert [state.tasks(name) for name in ("r1", "r2")] == before
    with pytest.raises(UserError, match="already planned for r1, r2; --reviewer r3, --items can no longer be changed"):
        planned(material, ReviewOptions(reviewers=["r3"], items=4))
    other = msgspec.structs.replace(material, seal="other")
    with pytest.raises(UserError, match="this plan is for other answers"):
        planned(other, ReviewOptions(reviewers=[]))


@pytest.mark.parametrize(("wanted", "says"), [
    ({"reviewers": []}, "no reviewer is named"),
    ({"reviewers": ["a", "A"]}, "the same name"),
    ({"reviewers": ["<b>"]}, "expected a pseudonym"),
    ({"reviewers": ["r1", "r1 "]}, "'r1 '; expected a pseudonym"),
    ({"reviewers": ["a", "b"], "share": 0.05}, "expected 0.1 to 1"),
    ({"reviewers": ["a", "b", "c"], "items": 1}, "too few for 3 reviewers"),
    ({"reviewers": ["a"], "rubric": Path("nowhere.toml")}, "cannot be read"),
])  # fmt: skip
def test_a_review_that_cannot_be_planned_is_refused_and_leaves_no_file(
    write_run: WriteRun, wanted: dict[str, object], says: str
) -> None:
    run = write_run()
    with pytest.raises(UserError, match=says):
        planned(load_material(run), ReviewOptions(**wanted))  # type: ignore[arg-type]
    with pytest.raises(UserError, match=r"there is no compare review. Start one with: tunegate review"):
        existing(run, "compare")


def test_a_name_that_would_be_masked_is_refused_since_two_of_one_length_would_be_one_person(
    plan_review: Planned, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state, material = plan_review(reviewers=["r1", "r2"])
    (tmp_path / "redact.toml").write_text('words = ["Jane Roe", "John Roe"]')
    monkeypatch.setenv(REDACT, str(tmp_path / "redact.toml"))
    with pytest.raises(UserError, match=r"name 2 of --reviewer: holds what must be redacted \(word\).*use a pseudonym"):
        plan_review(reviewers=["r1", "Jane Roe"])
    monkeypatch.setattr(workflow, "undecided", lambda state: pytest.fail("the name is refused first"))
    with pytest.raises(UserError, match="name 1 of --by: holds what must be redacted"):
        workflow.appoint(state, "John Roe")
    rubric = JudgeRubric(name="grounded", question="Is it?", labels=("no", "yes"))
    with pytest.raises(UserError, match="name 1 of --reviewer: holds what must be redacted"):
        add_labels(load_run(material.path), rubric, tmp_path / "labels.jsonl", "Jane Roe")


def test_a_changed_word_is_another_rubric(tmp_path: Path) -> None:
    own = tmp_path / "own.toml"
    own.write_text(OWN.read_text("utf-8").replace("Everything it says is right.", "All right."), "utf-8")
    assert load_rubric(own).hash != load_rubric().hash
    own.write_text("name = 'x'", "utf-8")
    with pytest.raises(UserError, match=r"own.toml: Object missing required field"):
        load_rubric(own)


@pytest.mark.parametrize("scale", SCALES, ids=lambda scale: scale.name)
def test_a_scale_is_a_field_of_what_is_said_and_the_rubric_says_what_each_of_its_points_means(
    scale: Scale, tmp_path: Path
) -> None:
    words = tomllib.loads(OWN.read_text("utf-8"))
    assert msgspec.convert({scale.name: MOST}, Opinion).points[scale.name] == MOST
    assert len(words[scale.name]) == MOST
    own = tmp_path / "own.toml"
    own.write_text(OWN.read_text("utf-8").replace(f'    "{words[scale.name][0]}",\n', "", 1), "utf-8")
    with pytest.raises(UserError, match=rf"own.toml: '{scale.name}' has 4 entries, expected 5: the meaning of 1 to 5"):
        load_rubric(own)


def test_a_disk_that_fills_up_while_a_review_is_planned_is_one_line(
    plan_review: Planned, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storage, "SCHEMA", "PRAGMA max_page_count = 2; CREATE TABLE plan (a); CREATE TABLE tasks (a);")
    with pytest.raises(UserError, match=r"compare\.sqlite: cannot be written \(database or disk is full\)"):
        plan_review()


def test_a_damaged_file_is_one_line(plan_review: Planned) -> None:
    state, _ = plan_review()
    state.path.write_bytes(b"not a database, but long enough to be read as one")
    with pytest.raises(UserError, match="cannot be used"):
        state.reviewers()


def test_a_recorded_review_is_not_planned_again_beside_its_batches(plan_review: Planned, write_run: WriteRun) -> None:
    run = write_run()
    append(run, "human", [], {"kind": "review", "mode": "compare"})
    with pytest.raises(UserError, match="of an earlier review, would count with the new one"):
        plan_review(run)
    plan_review(run, mode="fix")
