"""Reviews in Label Studio and Argilla: what leaves is blind, what comes back is what the review app would have said."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from harness.errors import UserError
from harness.files import MEMORY_BYTES
from harness.runs.folder import load_run
from harness.runs.score_events import Batch, batches
from harness.schema import Record
from reports.assemble import gather
from reports.review import ReviewOptions, finish, import_answers, packet, plan
from reports.review.annotation_tools import fields, guidelines
from reports.review.items import Material, load_material
from reports.review.planning import existing
from reports.review.results import record
from reports.review.rubric import OWN
from reports.review.schema import Draft, ReviewItem, Task
from reports.review.storage import ReviewDatabase
from reports.sections import human_review
from tests.reports.review.annotating import TOOLS, exported, fill_in, label_studio, save
from tests.reports.review.conftest import WriteRun, write_sealed
from tests.reports.review.drafts import answer_all, draft_of, mark, opinion, plain
from tests.reports.review.test_packet import NAMES, quiet
from tests.support.command import run_tunegate
from tests.support.sample import make_records

TOOL = pytest.mark.parametrize("tool", sorted(TOOLS))


def with_odd_text() -> list[Record]:
    """The sample's records; tuned answers begin with an emoji, a hidden character and a Windows line end."""
    return [
        replace(one, completion=replace(one.completion, text=f"😀\u202e\r\n{one.completion.text}"))
        if one.variant == "tuned"
        else one
        for one in make_records()
    ]


def says(task: Task, item: ReviewItem) -> Draft:
    """A judgement that differs by variant, case and reviewer."""
    if task.kind == "practice":
        return plain(task, item.clauses)
    lead, number = task.reviewer == "r2", int(item.key.case_id[-3:])
    marks = {variant: (mark(text, text[-9:], "critical"),) for variant, text in item.answers.items() if number % 2}
    by_variant = {
        variant: opinion(
            5 - number % 3 if variant == "tuned" else 2 + lead,
            4 - lead,
            marks.get(variant, ()) if variant == "tuned" else (),
            dict.fromkeys(item.clauses, variant == "baseline"),
        )
        for variant in item.answers
    }
    return draft_of(task, by_variant, "both_bad" if number == 3 else "tuned", note="checked" if number == 4 else "")


def start(run: Path, tool: str, out: Path, **options: Any) -> dict[str, list[dict[str, Any]]]:
    """Plan a review of two reviewers and write the files of both; return their tasks."""
    (out / "out").mkdir()
    plan(run, ReviewOptions(**{"reviewers": ["r1", "r2"], "items": 10, "share": 1.0, "seed": 2, **options}), quiet)
    rows = {}
    for name in ("r1", "r2"):
        packet(run, "compare", name, out / "out" / name, quiet, tool)
        rows[name] = exported(out / "out" / name, tool)
    return rows


def opened(run: Path) -> tuple[ReviewDatabase, Material]:
    return existing(run, "compare"), load_material(run)


def said(batch: Batch) -> list[tuple[Any, ...]]:
    events = [event for event in batch.events if event.score.name != "human_seconds"]
    return sorted((e.suite, e.case_id, e.variant, e.author, e.rubric, str(e.score)) for e in events)


@TOOL
def test_a_file_says_nothing_of_whose_an_answer_is(tmp_path: Path, write_run: WriteRun, tool: str) -> None:
    run = write_run(prompt="Read this.\n{{ document }}\nWhich clauses does it have?")
    rows = start(run, tool, tmp_path)
    files = [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
    text = "".join(path.read_text("utf-8").lower() for path in files)
    assert [name for name in (*NAMES, "legal/clauses", *(f"lease-00{n}" for n in range(10))) if name in text] == []
    assert "read this.\\n[source]\\nwhich clauses does it have?" in text
    state, material = opened(run)
    for name, mine in rows.items():
        tasks = [task for task in state.tasks(name) if task.kind != "practice"]
        shown = [row.get("fields") or row["data"] for row in mine]
        assert [(one["answer_a"], one["answer_b"]) for one in shown] == [
            (item.answers[task.sides["A"]], item.answers[task.sides["B"]])
            for task in tasks
            for item in [material.item(task.key)]
        ]
        assert {task.sides["A"] for task in tasks} == {"baseline", "tuned"}
        assert state.reviewer(name).token_hash == ""
    keys = {"task", "clauses"} if tool == "label-studio" else set()
    assert {*shown[0]} - keys == {"item", "prompt", "source", "answer_a", "answer_b"}
    item = replace(material.item(tasks[0].key), prompt=[], inputs=[])
    assert fields(tasks[0], item, 1, 1)["prompt"] == "(not known)"


def test_the_guidelines_claim_no_times_that_a_tool_does_not_record() -> None:
    rubric = tomllib.loads(OWN.read_text("utf-8"))
    shown = guidelines(rubric)
    assert rubric["introduction"][0] in shown and not set(rubric["consent"]) & set(shown)


@TOOL
def test_annotations_give_the_same_result_as_the_review_app(tmp_path: Path, tool: str) -> None:
    records = with_odd_text()
    app, run = write_sealed(tmp_path / "app", records), write_sealed(tmp_path / "run", records)
    plan(app, ReviewOptions(reviewers=["r1", "r2"], items=10, share=1.0, seed=2), quiet)
    for name in ("r1", "r2"):
        answer_all(*opened(app), name, says)
        record(*opened(app), name)
    rows, lines = start(run, tool, tmp_path), list[str]()
    state, material = opened(run)
    first, second = (fill_in(rows[name], tool, state, material, says, by=f"person {name}") for name in rows)
    import_answers(run, "compare", save(tmp_path / "all.json", first + second), lines.append)
    assert [line.split(":")[:2] for line in lines] == [
        ["r1", " 12 answers imported and recorded"],
        ["r2", " 12 answers imported and recorded"],
    ]
    ours, theirs = batches(run), batches(app)
    assert [said(batch) for batch in ours] == [said(batch) for batch in theirs] and len(said(ours[0])) == 90
    for mine, other in zip(ours, theirs, strict=True):
        same = ("seed", "items", "shown", "repeats", "not_reached", "notes", "rubric", "share", "blind")
        assert {key: mine.about[key] for key in same} == {key: other.about[key] for key in same}
        assert (mine.about["source"], mine.about["practice"], other.about["practice"]) == (tool, 0, 2)
    mine, other = (human_review.section(gather(load_run(path), None)).blocks for path in (run, app))
    assert str(mine[3:]) == str(other[3:]) and "Agreement of reviewers" in str(mine[3:])


@TOOL
def test_the_rest_may_come_later_and_counts_once(tmp_path: Path, write_run: WriteRun, tool: str) -> None:
    run = write_run()
    rows, lines = start(run, tool, tmp_path), list[str]()
    filled = fill_in(rows["r1"], tool, *opened(run), says)
    open_rows = rows["r1"][5:] if tool == "argilla" else [row | {"annotations": []} for row in rows["r1"][5:]]
    import_answers(run, "compare", save(tmp_path / "some.json", filled[:5] + open_rows), lines.append)
    assert lines[0].startswith("r1: 5 answers imported, 7 left. Import the rest when it is done") and not batches(run)
    with pytest.raises(UserError, match="r1 has already begun"):
        packet(run, "compare", "r1", tmp_path / "again", quiet, tool)
    import_answers(run, "compare", save(tmp_path / "all.json", filled), lines.append)
    with pytest.raises(UserError, match=r"r1: answers were imported on .* and cannot be replaced"):
        import_answers(run, "compare", tmp_path / "all.json", quiet)
    both = filled + fill_in(rows["r2"], tool, *opened(run), says, by="somebody else")[:3]
    import_answers(run, "compare", save(tmp_path / "both.json", both), lines.append)
    finish(run, "compare", ["r2"], lines.append)
    assert [len(batch.about["shown"]) for batch in batches(run)] == [10, 3] and "cannot be replaced" in lines[2]


def test_a_skipped_task_is_counted_with_its_reason(tmp_path: Path, write_run: WriteRun) -> None:
    run = write_run()
    rows = start(run, "label-studio", tmp_path, items=4)
    filled = fill_in(rows["r1"], "label-studio", *opened(run), says)
    for row in filled:
        row["annotations"][0] |= {"was_cancelled": True, "result": []}
    import_answers(run, "compare", save(tmp_path / "r1.json", filled), quiet)
    (batch,) = batches(run)
    assert {(e.score.value, e.score.reason) for e in batch.events} == {(None, "skipped: skipped in label-studio")}


def answer(row: dict[str, Any], name: str, value: Any) -> dict[str, Any]:
    """Replace one answer of a filled-in task; None removes it."""
    if "fields" in row:
        given = {} if value is None else {name: [{**row["responses"]["preference"][0], "value": value}]}
        return row | {"responses": {k: v for k, v in row["responses"].items() if k != name} | given}
    annotation = row["annotations"][0]
    others = [result for result in annotation["result"] if result["from_name"] != name]
    if value is not None:
        chosen = {"choices": value if isinstance(value, list) else [str(value)]}
        others.append({"from_name": name, "type": "choices", "value": chosen})
    return row | {"annotations": [annotation | {"result": others}]}


def other_text(row: dict[str, Any]) -> dict[str, Any]:
    key = "fields" if "fields" in row else "data"
    return row | {key: row[key] | {"answer_a": "Another."}}


def twice(row: dict[str, Any], by: str) -> dict[str, Any]:
    """The same task, answered once more."""
    if "fields" in row:
        return row | {
            "responses": {
                name: [*said, *({**one, "user_id": by} for one in said)] for name, said in row["responses"].items()
            }
        }
    return row | {"annotations": [*row["annotations"], row["annotations"][0] | {"completed_by": by}]}


def moved(row: dict[str, Any]) -> dict[str, Any]:
    if "fields" in row:
        return answer(row, "marks_a", [{"start": 5, "end": 9999, "label": "minor"}])
    result = {"from_name": "marks_a", "type": "labels", "value": {"start": 5, "end": 9999, "labels": ["minor"]}}
    annotation = row["annotations"][0]
    return row | {"annotations": [annotation | {"result": [*annotation["result"], result]}]}


MISTAKES: list[tuple[Any, str]] = [
    (lambda rows: [], "has no submitted annotation"),
    (lambda rows: [unknown(row) for row in rows], "is from another review. Check the run"),
    (lambda rows: [unknown(rows[0]), *rows[1:]], "task 'elsewhere' is not in this review"),
    (lambda rows: [rows[0], *rows], "has 2 annotations, expected one"),
    (lambda rows: [twice(rows[0], "second"), *rows[1:]], "has 2 annotations, expected one"),
    (lambda rows: [other_text(rows[0]), *rows[1:]], "has another text than in this review: answer a"),
    (lambda rows: [answer(rows[0], "accuracy_b", None), *rows[1:]], "Still to do: answer B: accuracy."),
    (lambda rows: [answer(rows[0], "preference", None), *rows[1:]], "Still to do: preference."),
    (lambda rows: [answer(answer(rows[0], "fabrications_a", None), "marks_a", None)], "answer A: fabrications."),
    (lambda rows: [answer(rows[0], "missed_a", None), *rows[1:]], "Still to do: answer A: "),
    (lambda rows: [answer(rows[0], "missed_a", ["Moon"]), *rows[1:]], "clauses that the case does not list"),
    (lambda rows: [answer(rows[0], "accuracy_a", 9), *rows[1:]], "accuracy of answer A is 9, expected 1 to 5"),
    (lambda rows: [answer(rows[0], "preference", "C"), *rows[1:]], "Invalid enum value 'C'"),
    (lambda rows: [moved(answer(rows[0], "fabrications_a", "marked in the text"))], "is outside of the answer"),
    (lambda rows: [{"accuracy_a": "4"}], "Expected Label Studio's JSON (not JSON-MIN), or Argilla's records.json"),
    (lambda rows: [1], "Expected Label Studio's JSON"),
]  # fmt: skip


def unknown(row: dict[str, Any]) -> dict[str, Any]:
    return row | ({"id": "elsewhere"} if "fields" in row else {"data": row["data"] | {"task": "elsewhere"}})


@TOOL
@pytest.mark.parametrize(("edit", "message"), MISTAKES)
def test_what_does_not_fit_is_refused_whole(
    tmp_path: Path, write_run: WriteRun, tool: str, edit: Any, message: str
) -> None:
    run = write_run()
    rows = start(run, tool, tmp_path, items=4)
    filled = fill_in(rows["r1"], tool, *opened(run), says)
    file = save(tmp_path / "r1.json", edit(filled))
    with pytest.raises(UserError) as refused:
        import_answers(run, "compare", file, quiet)
    text = str(refused.value)
    assert message in text and str(file) in text
    assert batches(run) == [] and not any(task.submitted_at for task in existing(run, "compare").tasks("r1"))


def test_one_person_is_one_reviewer(tmp_path: Path, write_run: WriteRun) -> None:
    run = write_run()
    rows = start(run, "label-studio", tmp_path, items=4)
    state, material = opened(run)
    filled = {name: fill_in(rows[name], "label-studio", state, material, says) for name in rows}
    with pytest.raises(UserError, match="person 1 answered tasks of r1 and r2, expected one person for each"):
        import_answers(run, "compare", save(tmp_path / "a.json", filled["r1"] + filled["r2"]), quiet)
    filled["r1"][0]["annotations"][0]["completed_by"] = {"id": 4, "email": "two@example.org"}
    with pytest.raises(UserError, match=r"2 people \(1, two@example.org\) answered tasks of r1, expected one"):
        import_answers(run, "compare", save(tmp_path / "b.json", filled["r1"]), quiet)


def test_one_person_is_one_reviewer_across_files(tmp_path: Path, write_run: WriteRun) -> None:
    run = write_run()
    rows = start(run, "label-studio", tmp_path, items=4)
    state, material = opened(run)

    def send(name: str, by: Any, count: int | None = None) -> list[str]:
        filled = fill_in(rows[name][:count], "label-studio", state, material, says, by)
        said: list[str] = []
        import_answers(run, "compare", save(tmp_path / "a.json", filled), said.append)
        return said

    one, number = {"id": 4, "email": "one@example.org"}, 4
    send("r1", one, 2)
    with pytest.raises(UserError, match=r"person 4 answered tasks of r1, and one@example\.org did before"):
        send("r1", number)
    with pytest.raises(UserError, match=r"person one@example\.org answered tasks of r2, and those of r1 before"):
        send("r2", one)
    send("r1", one)
    assert [line.partition(".")[0] for line in send("r2", number)[1:]] == []
    other = write_run()
    (tmp_path / "other").mkdir()
    rows = start(other, "label-studio", tmp_path / "other", items=4)
    run, (state, material) = other, opened(other)
    send("r1", number)
    assert send("r2", number)[1].startswith("warning: person 4 of label-studio also answered as r1. Two people may")


@pytest.mark.parametrize(("data", "message"), [
    (b"[{\"data\": ", "Input data was truncated"),
    (b"[" * 100_000, "Expected Label Studio's JSON"),
    (b"[\xff]", "Expected Label Studio's JSON"),
    (b"hello", "not the answers.json of a packet"),
    (b"", "not the answers.json of a packet"),
])  # fmt: skip
def test_a_malformed_file_is_one_line(tmp_path: Path, write_run: WriteRun, data: bytes, message: str) -> None:
    run = write_run()
    start(run, "label-studio", tmp_path, items=4)
    (tmp_path / "file.json").write_bytes(data)
    done = run_tunegate("review", "import", str(run), str(tmp_path / "file.json"), cwd=tmp_path)
    assert done.returncode == 4 and message in done.stderr and len(done.stderr.strip().splitlines()) == 1


def test_the_command_says_how_the_findings_come_into_the_report(tmp_path: Path, write_run: WriteRun) -> None:
    run = write_run()
    rows = start(run, "label-studio", tmp_path, items=4)
    file = save(tmp_path / "r1.json", fill_in(rows["r1"], "label-studio", *opened(run), says))
    done = run_tunegate("review", "import", str(run), str(file), cwd=tmp_path)
    assert "answers imported and recorded" in done.stdout and f"next: tunegate report {run} " in done.stdout


def test_a_huge_file_is_refused_unread(tmp_path: Path, write_run: WriteRun) -> None:
    run = write_run()
    start(run, "label-studio", tmp_path, items=4)
    with (tmp_path / "huge.json").open("wb") as file:
        file.truncate(MEMORY_BYTES + (9 << 20))
    with pytest.raises(UserError, match=r"has 73 MB, expected at most 64\."):
        import_answers(run, "compare", tmp_path / "huge.json", quiet)


def test_only_compared_answers_and_whole_reviews_leave(tmp_path: Path, write_run: WriteRun) -> None:
    run = write_run()
    with pytest.raises(UserError, match="drafts are edited in the review app"):
        packet(run, "fix", "r1", tmp_path / "x", quiet, "argilla")
    plan(run, ReviewOptions(reviewers=["r1", "r2"], items=4, share=1.0, seed=2), quiet)
    packet(run, "compare", "r1", tmp_path / "r1.json", quiet, "label-studio")
    state, material = opened(run)
    items = [task for task in state.tasks("r2") if task.kind == "item"]
    rows = [label_studio({"data": {"task": task.id}}, {"preference": "A"}) for task in items]
    with pytest.raises(UserError, match="r2 has no packet of this review"):
        import_answers(run, "compare", save(tmp_path / "r2.json", rows), quiet)
    assert json.loads((tmp_path / "r1.json").read_text())[0]["data"].keys() >= {"task"} and material.items
    blocked = tmp_path / "r1.json" / "folder"
    with pytest.raises(UserError, match="cannot be written"):
        packet(run, "compare", "r1", blocked, quiet, "argilla")
