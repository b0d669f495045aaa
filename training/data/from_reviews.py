"""Turns drafts that people corrected in review into training rows. Knows no tokens and no page.

A row is what a drafting suite asked and what the person made of the draft; its `source` names run, case, person and
day. What an evaluation asks about is never among them: docs/decisions/0012-corrections-of-evaluations-train-nothing.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

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
from training.data.rows import TrainingRow, Turn

FIX = "human_fix"
DRAFTS = "drafts"
"""Folder of the suites whose answers are drafts to be corrected; every other suite is an evaluation."""


class RejectedCorrection(Struct, frozen=True, kw_only=True):
    """A correction that is no training row."""

    name: str
    """Suite and case."""
    reason: str
    """What holds it back."""


class Summary(Struct, frozen=True, kw_only=True):
    """What an export came to."""

    out: Path
    """Where the rows lie; not written where there is none."""
    rows: int
    """Rows written."""
    unchanged: int
    """Of these, drafts that the person took as they were."""
    refused: list[RejectedCorrection]
    """Corrections of what evaluations ask about."""
    not_judged: int
    """Drafts that were shown and not corrected."""
    notes: list[str]
    """What the corrections could not be compared with."""

    @property
    def lines(self) -> list[str]:
        """The same in words, a line each."""
        written = f"written: {self.out}, rows: {self.rows}, drafts taken as they were among them: {self.unchanged}"
        said = [written if self.rows else f"no row is left, and {self.out} was not written"]
        if self.refused:
            said.append(f"refused, since an evaluation asks about it: {len(self.refused)}")
        said += [f"  {one.name}: {one.reason}" for one in self.refused]
        if self.not_judged:
            said.append(f"shown and not corrected: {self.not_judged}")
        return said + self.notes


def export(run: Path, out: Path, suites: Sequence[str] = (), drafts: Sequence[str] = (DRAFTS,)) -> Summary:
    """Write the corrections of a sealed run as rows of the form `messages`.

    `suites` are the folders of the evaluations, by default those that `tunegate data` compares with; `drafts` those of
    the drafting suites, whose prompts make the rows. A run without corrections is a UserError.
    """
    manifest = load_sealed(run, "exported").manifest
    found = read(run)
    fixed = [said for said in found.said if said.event.score.name == FIX and said.event.score.value is not None]
    if not fixed:
        raise UserError(
            f"{run}: nobody corrected a draft of it. Let people do so: tunegate review {run} --mode fix --reviewer r1"
        )
    folders = suite_index.project_suites(suites)
    index = suite_index.load(folders) if folders else None
    held = {number: reason for number, said in enumerate(fixed) if (reason := _held_back(said, index))}
    free = [number for number in range(len(fixed)) if number not in held]
    rows = _rows([fixed[number] for number in free], manifest, drafts)
    for leak in overlap(Sample(rows), index).leaks if index else ():
        held.setdefault(free[leak.row], f"{leak.size}: {leak.case}")
    kept = [(fixed[number], row) for number, row in zip(free, rows, strict=True) if number not in held]
    if kept:
        _write(out, [_line(said, row, manifest) for said, row in kept])
    return Summary(
        out=out,
        rows=len(kept),
        unchanged=sum(said.event.score.counts["edit_distance"] == 0 for said, _ in kept),
        refused=[RejectedCorrection(name=_name(fixed[number]), reason=held[number]) for number in sorted(held)],
        not_judged=sum(one.session.mode == "fix" for one in not_judged(found)),
        notes=index.missing if index else ["there is no suite here, so no correction was compared with one"],
    )


def _name(said: ReviewAnswer) -> str:
    return f"{said.event.suite} {said.event.case_id}"


def _held_back(said: ReviewAnswer, index: SuiteIndex | None) -> str:
    """Why a correction must not be trained on, as far as names and inputs tell; empty where they do not."""
    if said.event.suite.split("/")[0] != DRAFTS:
        return f"it answers an evaluation; drafts to be corrected come from suites in a folder '{DRAFTS}'"
    if index is None:
        return ""
    cluster, asked = said.record.case.cluster, sorted(said.record.case.input.values())
    for part in index.parts:
        if part.document == cluster:
            return f"{cluster} is a contract of suite {part.suite}, case {part.case_id}"
        if not part.answer and sorted(index.texts[text] for text in part.texts) == asked:
            return f"its input is that of suite {part.suite}, case {part.case_id}"
    return ""


def _rows(found: Sequence[ReviewAnswer], manifest: Manifest, drafts: Sequence[str]) -> list[TrainingRow]:
    """The conversations, with the prompts that the drafts answered. A prompt that is not here is a UserError."""
    suites = _suites({said.event.suite for said in found}, manifest, drafts)
    return [
        TrainingRow(
            messages=[
                *(
                    msgspec.convert(turn, Turn)
                    for turn in messages(suites[said.event.suite].template, said.record.case)
                ),
                Turn(role="assistant", content=said.event.score.extracted["text"][0]),
            ],
            where=_name(said),
            document=said.record.case.cluster,
        )
        for said in found
    ]


def _suites(names: set[str], manifest: Manifest, drafts: Sequence[str]) -> dict[str, Suite]:
    """Drafting suites by name, with the prompts of the run."""
    from harness.suites.discovery import find_suites

    here = {suite.name: suite for suite in find_suites(drafts)} if names else {}
    asked = {info.name: info.prompt_hash for info in manifest.suites}
    refuse_all(
        [
            f"{name}: "
            + (
                "its prompt is not the one that the run asked. Restore it, or make the drafts again"
                if name in here
                else f"no such suite in {', '.join(drafts)}, and its prompt is needed. Export where the suite is"
            )
            for name in sorted(names)
            if name not in here or here[name].prompt_hash != asked[name]
        ],
        "corrections whose prompts are not here",
    )
    return here


def _line(said: ReviewAnswer, row: TrainingRow, manifest: Manifest) -> bytes:
    event = said.event
    source = (
        f"run {manifest.run_id}, {_name(said)}, draft of {event.variant}, corrected by {event.author}, {event.at[:10]}"
    )
    turns = msgspec.to_builtins(row.messages)
    return msgspec.json.encode({"messages": turns, "cluster": row.document, "source": source})


def _write(out: Path, lines: Sequence[bytes]) -> None:
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        write_lines(out, lines)
    except OSError as error:
        raise UserError(f"{out}: cannot be written ({error.strerror}). Name another file with --out") from None
