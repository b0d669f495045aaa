"""A report of a run that was compared with an accepted baseline: what it shows, and one sentence on what it cannot."""

import msgspec
import pytest

import reports
from harness.runs.folder import RunData, load_run
from harness.schema import AcceptedInfo, Record, Score, Scores
from reports.model import Exchange, Headline, Text
from reports.render import markdown, terminal
from reports.render.html import render
from reports.write import to_json
from tests.reports.conftest import Writer, all_text, part, table
from tests.support.sample import make_checkpoint, make_manifest, make_records, make_suite

KEPT = "the accepted baseline keeps scores, not answers"
INFO = AcceptedInfo(digest="9" * 64, model="org/small-instruct", accepted_at="2026-01-02T03:04:05Z", run_id="r1")
MOVED = ["legal/clauses, gates.toml: clause_recall at_least: value 0.95 -> 0.9", "c\u202enew.py differs"]


def scores_alone(record: Record) -> Record:
    """What of a baseline's record an accepted baseline keeps."""
    if record.variant != "baseline":
        return record
    kept = {name: Score(name=name, value=s.value, counts=s.counts) for name, s in record.scores.items()}
    completion = msgspec.structs.replace(record.completion, text="", output_tokens=0)
    return msgspec.structs.replace(record, completion=completion, scores=Scores(kept), text_kept=False)


@pytest.fixture
def kept(write_run: Writer) -> RunData:
    """The sample run, its baseline accepted and not asked."""
    manifest = make_manifest()
    accepted = make_checkpoint(INFO.says, "1", kind="accepted", path="")
    manifest = msgspec.structs.replace(
        manifest,
        checkpoints=manifest.checkpoints | {"baseline": accepted},
        suites=[make_suite(accepted=INFO)],
        notes=[f"legal/clauses: compared with the {INFO.says}"],
        moved=MOVED,
    )
    return load_run(write_run(manifest=manifest, records=[scores_alone(r) for r in make_records()]))


def test_every_view_is_made_and_names_the_accepted_baseline(kept: RunData) -> None:
    model = reports.build([kept])
    for text in (render(model), markdown.render(model), to_json(model)):
        assert INFO.says in text
    assert "stored scores of an earlier run" in all_text(model)


def test_what_moved_stands_above_the_bars_and_first_on_the_terminal(kept: RunData) -> None:
    blocks = part(reports.build([kept]), "verdict").blocks
    first, headline = blocks[0], next(block for block in blocks if isinstance(block, Headline))
    assert isinstance(first, Text) and first.tone == "caution" and blocks.index(headline) > 0
    assert first.text == f"The gates changed: {MOVED[0]}."
    lines = terminal.lines(kept, 160)
    assert lines[0] == f"! The gates changed: {MOVED[0]}."
    assert "\u202e" not in lines[1]


def test_the_plain_sentence_counts_what_is_missed_and_compares_no_fabrications(kept: RunData, run: RunData) -> None:
    headline = next(b for b in part(reports.build([kept]), "verdict").blocks if isinstance(b, Headline))
    assert headline.sentence == f"Misses 42 fewer of 240 clauses in 40 contracts (28, baseline 70); {KEPT}."
    assert "1 new fabrication" in all_text(reports.build([run]))


def test_fabrications_of_the_tuned_model_are_listed_and_none_is_called_new(kept: RunData) -> None:
    said, named = part(reports.build([kept]), "fabrications").blocks
    assert said.text == (
        f"legal/clauses: 1 fabrication of the tuned model; {KEPT}, so new ones cannot be distinguished from old ones."
    )
    assert [row[0].text for row in named.rows] == ["lease-009"]
    assert "new fabrication" not in all_text(reports.build([kept]))


def test_gains_are_still_found_and_show_the_tuned_answer_without_marks_of_change(kept: RunData) -> None:
    blocks = part(reports.build([kept]), "changes").blocks
    assert any(isinstance(b, Text) and f"{KEPT}, so only the tuned answer is shown" in b.text for b in blocks)
    gains = [b for b in blocks if isinstance(b, Exchange) and b.kind == "gain"]
    assert {g.case_id for g in gains} == {"lease-000", "lease-001", "lease-002", "lease-005"}
    before, after = gains[0].answers
    assert (before.pieces, before.status) == ([], KEPT)
    assert {piece.change for piece in after.pieces} == {"same"}


def test_answers_that_were_not_kept_are_not_counted_as_empty(kept: RunData) -> None:
    rows = table(part(reports.build([kept]), "errors")).rows
    baseline = next(row for row in rows if row[0].text == "Baseline")
    assert [cell.text for cell in baseline[1:]] == ["10", "–", "0", "–", "–", "0"]
    assert KEPT in baseline[0].note


@pytest.mark.parametrize(
    ("run_id", "said"),
    [
        ("20260102T030405Z-eval-5ac09e9a", "Both models received the same token IDs"),
        ("20260102T030405Z-import-5ac09e9a", "The accepted answers were imported from the log of another tool"),
    ],
)
def test_the_same_questions_are_found_to_be_the_same_and_unknown_prompts_are_not(
    kept: RunData, run_id: str, said: str
) -> None:
    info = msgspec.structs.replace(INFO, run_id=run_id)
    suites = [msgspec.structs.replace(suite, accepted=info) for suite in kept.manifest.suites]
    manifest = msgspec.structs.replace(kept.manifest, suites=suites)
    compared = part(reports.build([msgspec.structs.replace(kept, manifest=manifest)]), "compared")
    assert compared.lead.startswith(said) and "yes: 10 cases, joined by ID and input" in all_text(compared)
    assert info.says.endswith(" (imported answers)") == ("-import-" in run_id)
