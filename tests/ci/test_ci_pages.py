"""Comment and summary: what they say, that nothing foreign acts in them, and that they are cut between sections."""

from __future__ import annotations

import re

import msgspec
import pytest

from reports.ci import markdown
from reports.ci.collect import NO_RUN, evidence, sections
from reports.ci.collect import export as export_of
from reports.ci.markdown import CELL, CommentPart, JudgedRun, join, text
from tests.ci.sample import COMMIT, SUITE, export, full_of, headings, suite, tables_are_whole, verdict
from tests.reports.conftest import Writer
from tests.support.sample import make_manifest, make_suite, make_verdicts

HEAD = "f" * 40
LINK = "https://github.example/o/r/actions/runs/12"
ABOUT = JudgedRun(commit=HEAD, link=LINK)
PAGES = ["comment", "summary"]


def page(kind: str, found: markdown.Export) -> str:
    return markdown.summary(found) if kind == "summary" else markdown.comment(found, found.suites[0], ABOUT)


def test_a_comment_says_its_verdict_first_then_every_gate_with_its_numbers() -> None:
    part = suite(
        verdict(), verdict(1, "inconclusive"), verdict(2, "pass"), changes={verdict().gate: "+8.8 points"},
        worse=["lease-009"], worse_total=1,
    )  # fmt: skip
    made = markdown.comment(export(part), part, ABOUT)
    assert made.split("\n")[:3] == [markdown.marker(SUITE), "### ✗ FAIL: legal/clauses", ""]
    assert re.fullmatch(r"<!-- tunegate:suite:legal-clauses-[0-9a-f]{8} -->", markdown.marker(SUITE))
    assert headings(made) == ["✗ FAIL: legal/clauses"]
    lines = made.split("\n")
    assert lines.count("| Gate | Observed | Required | Change |") == 1
    assert lines[lines.index("| --- | --- | --- | --- |") + 1] == (
        "| ✗ FAIL Clause recall, excerpt, instrument kind 0 | 88.3% (95% confidence: at most 93.4%) | at least 95.0% "
        "| +8.8 points |"
    )
    assert f"; 1 new fabrication, 1 fixed; 1 of 3 gates met. [Summary and log]({LINK})." in made
    shown, *details = made.split("<details>")
    assert len(details) == 3 and made.count("</details>") == 3
    assert (
        "88.3% (95% confidence: at most 93.4%); at least 95.0% was required." in details[0]
        and "about 620 cases; has" in details[0]
    )
    assert "\nlease-009\n" in details[1] and "lease-009" not in shown
    assert f"Commit {HEAD[:12]}, checked out as {COMMIT[:12]}" in details[2]


@pytest.mark.parametrize("kind", PAGES)
def test_what_moved_stands_before_everything_else(kind: str) -> None:
    made = page(kind, export(suite(verdict(0, "pass")), moved=["clause_recall: value 0.95 -> 0.9"]))
    assert headings(made)[0] == "The gates changed"
    assert made.index("0.95 -&#62; 0.9") < made.index("PASS")


def test_what_keeps_a_failing_run_from_a_merge_is_said_where_a_suite_of_it_passes(write_run: Writer) -> None:
    scripted = msgspec.structs.replace(make_manifest().checkpoints["tuned"], kind="scripted")
    suites = [make_suite(), make_suite(name="legal/other")]
    manifest = make_manifest(checkpoints=make_manifest().checkpoints | {"tuned": scripted}, suites=suites)
    verdicts = [v if v.outcome == "pass" else msgspec.structs.replace(v, suite="legal/other") for v in make_verdicts()]
    found = export_of(evidence(write_run(manifest=manifest, verdicts=verdicts)))
    said = "The run has the answers of a script, not of a model. The run approves no merge."
    for made in (markdown.summary(found), markdown.comment(found, found.suites[0])):
        assert "✓ PASS, no merge: legal/clauses" in made and said in made


@pytest.mark.parametrize("kind", PAGES)
def test_a_very_long_list_of_what_moved_leaves_the_verdict_standing(kind: str) -> None:
    made = page(kind, export(suite(verdict()), moved=["|" * 1000] * 200))
    assert "FAIL" in made and re.search(r"\n- and \d+ more\n", made)
    assert len(made.encode()) < markdown.COMMENT_BYTES


def test_a_run_that_ended_otherwise_than_its_result_is_doubted() -> None:
    good, bad = export(suite(verdict(0, "pass"))), export(suite(verdict()))
    said = "The workflow run itself ended with"
    failed, succeeded = JudgedRun(conclusion="failure"), JudgedRun(conclusion="success")
    assert said in markdown.comment(good, good.suites[0], failed)
    assert said in markdown.comment(bad, bad.suites[0], succeeded)
    assert said not in markdown.comment(good, good.suites[0], succeeded)
    assert said not in markdown.comment(bad, bad.suites[0], failed)
    assert said not in markdown.comment(bad, bad.suites[0])


def test_a_suite_has_one_comment_and_two_suites_have_two() -> None:
    found = export(suite(verdict(0, "skipped", seen="")), suite(name="legal/other"))
    made = markdown.comments(found)
    assert len(made) == 2 and all(body.startswith(f"{mark}\n") for mark, body in made.items())
    first, second = made.values()
    assert "### – NOT JUDGED: legal/other" in second
    assert "| – NOT JUDGED Clause recall, excerpt, instrument kind 0 | – |" in first  # Its metric may be measured.


def test_notes_are_one_line_and_what_does_not_fit_it_is_folded() -> None:
    notes = [f"note {n} says why this run is no evidence, at some length" for n in range(40)]
    made = markdown.comment(export(suite(verdict()), notes=notes), suite(verdict()))
    shown, *details = made.split("<details>")
    (line,) = [line for line in shown.split("\n") if "note 0" in line]
    assert line.startswith("Read this first: note 0 says") and "note 1 says" in line and len(line) < 700
    assert "note 39" not in shown and "- note 39 says" in details[-2]
    assert headings(made) == ["✗ FAIL: legal/clauses"]


def test_the_link_is_named_by_what_the_artifact_holds() -> None:
    part = suite(verdict())
    named = JudgedRun(link=LINK, has_report=True)
    assert f"[Report and log]({LINK}#artifacts)" in markdown.comment(export(part), part, named)


def test_where_there_is_no_run_one_comment_says_so() -> None:
    ((mark, body),) = markdown.comments(NO_RUN, JudgedRun(commit=HEAD)).items()
    assert mark == markdown.RUN_MARKER and body.startswith(mark)
    assert "no verdict" in body and "There is no run" in body and HEAD[:12] in body
    assert "There is no run" in markdown.summary(NO_RUN) and "PASS" not in markdown.summary(NO_RUN)


@pytest.mark.parametrize("kind", PAGES)
def test_mentions_and_references_are_broken_even_after_the_entities_are_read(kind: str) -> None:
    """GitHub looks for them in the text that Markdown leaves; @ and a word must not touch there."""
    made = page(kind, full_of("@everyone #12 :tada:")).replace(LINK, "")
    shown = re.sub(r"&#(\d+);", lambda entity: chr(int(entity[1])), made)
    assert "@\u200beveryone #\u200b12" in shown
    assert not re.search(r"[@#]\w|:\w+:", shown.split("\n", 1)[1] if kind == "comment" else shown)


def test_a_comment_over_the_limit_is_cut_between_sections_and_says_what_it_lacks() -> None:
    part = suite(*(verdict(n, reason="because " * 25) for n in range(400)), worse=["a"] * 50, worse_total=90)
    made = markdown.comment(export(part, notes=["a note"]), part)
    assert markdown.COMMENT_BYTES - markdown.PART_BYTES < len(made.encode()) <= markdown.COMMENT_BYTES
    assert tables_are_whole(made)
    assert headings(made) == ["✗ FAIL: legal/clauses"]
    assert made.split("<details>")[0].count("| Gate | Observed") == 1
    assert made.count("| Gate | Observed") > 1 and made.count("<details>") == made.count("</details>") > 0
    assert re.search(
        r"\n\d+ parts left out to stay within the size limit: Findings of the gates that are not met", made
    )


def test_a_summary_over_one_mebibyte_is_cut_between_sections() -> None:
    parts = [
        suite(*(verdict(n, suite=f"s{i}", reason="because " * 25) for n in range(400)), name=f"s{i}") for i in range(20)
    ]
    made = markdown.summary(export(*parts))
    assert 900_000 < len(made.encode()) <= 1 << 20
    assert tables_are_whole(made) and "left out to stay within the size limit" in made
    assert "## Evaluation: ✗ FAIL" in made


def test_many_met_gates_are_folded_where_others_are_not_met() -> None:
    part = suite(verdict(), *(verdict(n, "pass") for n in range(1, 9)))
    shown, met, *_ = markdown.comment(export(part), part).split("<details>")
    assert "✗ FAIL Clause recall" in shown and "✓ PASS" not in shown
    assert met.startswith("<summary>8 gates met</summary>") and met.count("✓ PASS") == 8


def test_a_page_that_fits_is_whole() -> None:
    part = suite(*(verdict(n) for n in range(40)), verdict(50, "pass"))
    assert "left out" not in markdown.comment(export(part), part)
    assert all(f"kind {n} " in markdown.comment(export(part), part) for n in (*range(40), 50))


def test_the_summary_has_the_numbers_of_the_report_and_no_text_of_a_model(write_run: Writer) -> None:
    found = evidence(write_run())
    made = markdown.summary(export_of(found), sections(found))
    assert {"Results", "By kind of case"} <= set(headings(made)) and tables_are_whole(made)
    assert "Plot:" not in made and "O.C.G.A." not in made and "Rent is" not in made


def test_parts_stand_or_fall_whole_and_the_limit_holds_with_the_note() -> None:
    parts = [CommentPart(title=f"part {n}", lines=["x" * 99]) for n in range(10)]
    assert join(parts, 1000).count("x" * 99) == 10
    for limit in range(250, 1000, 7):
        made = join(parts, limit)
        assert len(made.encode()) <= limit
        left_out = int(re.search(r"(\d+) parts? left out", made)[1])  # type: ignore[index]
        assert made.count("x" * 99) == 10 - left_out


def test_foreign_text_is_cut_before_it_is_escaped() -> None:
    assert text("|" * 1000) == "&#124;" * (CELL - 1) + "…"
    assert text("a\n b\t c") == "a b c"
