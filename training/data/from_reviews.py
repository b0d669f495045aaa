"""Training rows from drafts that people corrected in review.

A row is the prompt of a drafting suite and the corrected draft; its `source` names run, case, person and day. Cases of
evaluations are never exported: docs/decisions/0012-corrections-of-evaluations-train-nothing.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from shlex import quote

import msgspec
from msgspec import Struct

from harness.errors import UserError, refuse_all
from harness.judges.human_review import ReviewAnswer, not_judged, read
from harness.runs.folder import load_sealed
from harness.schema import Manifest
from harness.suites.prompts import messages
from harness.suites.suite import Suite
from training.curation.check import Sample
from training.curation.checks import suite_index
from training.curation.checks.contamination import overlap
from training.curation.checks.suite_index import SuiteIndex
from training.curation.clean import write_lines
from training.curation.text import without_markup
from training.data.rows import TrainingRow, Turn

FIX = "human_fix"
DRAFTS = "drafts"
"""Folder of the suites whose answers are drafts to be corrected; every other suite is an evaluation."""


class RejectedCorrection(Struct, frozen=True, kw_only=True):
    """A correction that must not become a training row."""

    name: str
    """Suite and case."""
    reason: str
    """Why."""


class Summary(Struct, frozen=True, kw_only=True):
    """Result of an export."""

    out: Path
    """File of the rows; not written where there are none."""
    rows: int
    """Rows written."""
    unchanged: int
    """Of these, drafts that the reviewer accepted without a change."""
    refused: list[RejectedCorrection]
    """Corrections that overlap with an evaluation."""
    not_judged: int
    """Drafts that were shown and not corrected."""
    notes: list[str]
    """Why corrections could not be compared with a suite."""

    @property
    def lines(self) -> list[str]:
        """The summary in words, one line each."""
        written = f"written: {self.out}, rows: {self.rows}, of which unchanged drafts: {self.unchanged}"
        text = [written if self.rows else f"no row is left; {self.out} was not written"]
        if self.refused:
            text.append(f"refused, because an evaluation uses their case: {len(self.refused)}")
        text += [f"  {correction.name}: {correction.reason}" for correction in self.refused]
        if self.not_judged:
            text.append(f"shown and not corrected: {self.not_judged}")
        return text + self.notes


def export(run: Path, out: Path, suites: Sequence[str] = (), drafts: Sequence[str] = (DRAFTS,)) -> Summary:
    """Write the corrections of a sealed run as rows of the form `messages`.

    `suites` are the folders of the evaluations, by default those that `tunegate data` compares with. `drafts` are the
    folders of the drafting suites, whose prompts become the prompts of the rows.

    Raises UserError for a run without corrections, and where the prompt of a drafting suite is missing or has changed.
    """
    manifest = load_sealed(run, "exported").manifest
    review = read(run)
    fixed = [
        answer for answer in review.said if answer.event.score.name == FIX and answer.event.score.value is not None
    ]
    if not fixed:
        raise UserError(
            f"{run}: nobody has corrected a draft. Correct some with: tunegate review {quote(str(run))} --mode fix "
            "--reviewer r1"
        )
    index = suite_index.load_any(suites)
    rejected = {number: reason for number, answer in enumerate(fixed) if (reason := _rejection(answer, index))}
    candidates = [number for number in range(len(fixed)) if number not in rejected]
    rows = _rows([fixed[number] for number in candidates], manifest, drafts)
    for leak in overlap(Sample(rows), index).leaks if index else ():
        rejected.setdefault(candidates[leak.row], f"{leak.size}: {leak.case}")
    exported = [(fixed[number], row) for number, row in zip(candidates, rows, strict=True) if number not in rejected]
    if exported:
        lines = [_line(answer, row, manifest) for answer, row in exported]
        write_lines(out, lines, "Name another file with --out")
    return Summary(
        out=out,
        rows=len(exported),
        unchanged=sum(answer.event.score.counts["edit_distance"] == 0 for answer, _ in exported),
        refused=[RejectedCorrection(name=_name(fixed[number]), reason=rejected[number]) for number in sorted(rejected)],
        not_judged=sum(answer.session.mode == "fix" for answer in not_judged(review)),
        notes=index.missing if index else ["no suite was found here, so the corrections were not compared with any"],
    )


def _name(answer: ReviewAnswer) -> str:
    return f"{answer.event.suite} {answer.event.case_id}"


def _rejection(answer: ReviewAnswer, index: SuiteIndex | None) -> str:
    """Return why a correction must not be trained on, by the names and inputs of its case; empty if it may."""
    if answer.event.suite.split("/")[0] != DRAFTS:
        return f"it belongs to an evaluation; only drafts of suites in a folder '{DRAFTS}' can be exported"
    if index is None:
        return ""
    case = answer.record.case
    cluster, texts = case.cluster, sorted(map(without_markup, case.input.values()))
    for part in index.parts:
        if part.document == cluster:
            return f"{cluster} is a cluster of suite {part.suite}, case {part.case_id}"
        if not part.answer and sorted(index.texts[text] for text in part.texts) == texts:
            return f"its input is that of suite {part.suite}, case {part.case_id}"
    return ""


def _rows(answers: Sequence[ReviewAnswer], manifest: Manifest, drafts: Sequence[str]) -> list[TrainingRow]:
    """Return the conversations with the prompts of the drafts. Raises UserError where a prompt is missing."""
    suites = _suites({answer.event.suite for answer in answers}, manifest, drafts)
    return [
        TrainingRow(
            messages=[
                *(
                    msgspec.convert(turn, Turn)
                    for turn in messages(suites[answer.event.suite].template, answer.record.case)
                ),
                Turn(role="assistant", content=answer.event.score.extracted["text"][0]),
            ],
            where=_name(answer),
            document=answer.record.case.cluster,
        )
        for answer in answers
    ]


def _suites(names: set[str], manifest: Manifest, drafts: Sequence[str]) -> dict[str, Suite]:
    """Return the drafting suites by name. Raises UserError unless they have the prompts of the run."""
    from harness.suites.discovery import find_suites

    by_name = {suite.name: suite for suite in find_suites(drafts)} if names else {}
    run_prompts = {info.name: info.prompt_hash for info in manifest.suites}
    refuse_all(
        [
            f"{name}: "
            + (
                "its prompt is not the one of the run. Restore it, or generate the drafts again"
                if name in by_name
                else f"no such suite in {', '.join(drafts)}, whose prompt is needed. Run the export where the suite is"
            )
            for name in sorted(names)
            if name not in by_name or by_name[name].prompt_hash != run_prompts[name]
        ],
        "corrections without the prompts of the run",
    )
    return by_name


def _line(answer: ReviewAnswer, row: TrainingRow, manifest: Manifest) -> bytes:
    event = answer.event
    source = f"run {manifest.run_id}, {_name(answer)}, draft of {event.variant}, "
    source += f"corrected by {event.author}, {event.at[:10]}"
    turns = msgspec.to_builtins(row.messages)
    return msgspec.json.encode({"messages": turns, "cluster": row.document, "source": source})
