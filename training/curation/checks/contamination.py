"""Finds rows that hold text of a suite's cases: a model trained on them has seen what it will be asked.

A row and a case that share a run of 13 words, boilerplate aside, are compared in full: by the words of the row that
stand in runs of five words of the case too. It is contamination where they are 40 words or more and half of the row's
prompt (its stock lines aside), of its answer or of the case; so an edited copy, a passage cut out of a case's document
and a case inside a longer row are found. Fewer than 40 words are often a legal formula that two contracts share: they
must be two thirds of both. A case of fewer than 13 words is found where it is half of a prompt. Not found: a
paraphrase, a translation, a copy with an edit in every 13 words.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence, Set
from pathlib import Path
from typing import Any, NamedTuple

from harness.errors import UserError
from training.curation.check import Check, CheckResult, CheckSettings, RowFinding, Sample, short, shown
from training.curation.checks import suite_index
from training.curation.checks.suite_index import PIECE, RUN, CasePart, Piece, SuiteIndex, pieces_of
from training.curation.text import UNKNOWN, places, runs, words
from training.data.rows import TrainingRow

SHARE = 0.5
ENOUGH_WORDS = 40
SHARE_OF_BOTH = 2 / 3
COMPARED = 3
"""Cases that a row is compared with in full: those that share most runs with it."""


class Leak(NamedTuple):
    """What a row has in common with the part of a case that it holds most of."""

    row: int
    part: CasePart
    words: int
    """Words of the row that stand in runs of the case."""
    of_row: float
    """Their share of the row's prompt or answer, whichever is higher."""
    of_case: float
    """Their share of the case's own words."""
    span: str
    """The longest passage of them, as the row has it."""

    @property
    def share(self) -> float:
        return max(self.of_row, self.of_case)

    @property
    def counts(self) -> bool:
        """Whether it is enough to be contamination."""
        both = min(self.of_row, self.of_case)
        return both >= SHARE_OF_BOTH or (self.share >= SHARE and self.words >= ENOUGH_WORDS)

    @property
    def says(self) -> str:
        """How much it is, for messages."""
        return f"{self.words:,} words, {self.of_row:.0%} of the row and {self.of_case:.0%} of the case"

    @property
    def case(self) -> str:
        """Suite, case and document, for messages."""
        answer = " (its expected answer)" if self.part.answer else ""
        return f"suite {self.part.suite}, case {self.part.case_id} of {self.part.document}{answer}"


class Overlap(NamedTuple):
    """What rows and suites have in common."""

    leaks: list[Leak]
    """Rows that are contaminated, each with the case it holds most of."""
    slight: list[Leak]
    """Rows that share a run with a case, and less than half of their text."""
    boilerplate: dict[int, str]
    """Rows that share boilerplate with a suite, with an example."""


def overlap(sample: Sample, index: SuiteIndex) -> Overlap:
    """Compare every row with every case."""
    leaks: list[Leak] = []
    slight: list[Leak] = []
    texts, boilerplate = _shared(sample, index)
    for row, counts in sorted(texts.items()):
        most: dict[int, int] = defaultdict(int)
        for text, count in counts.items():
            for number in index.holders[text]:
                most[number] += count
        nearest = sorted(most, key=lambda number: (-most[number], number))[:COMPARED]
        compared = [_compare(sample, row, index, number) for number in nearest]
        found = max(compared, key=lambda leak: (leak.counts, leak.share))
        (leaks if found.counts else slight).append(found)
    known = {leak.row for leak in leaks}
    leaks += [leak for leak in _brief(sample, index) if leak.row not in known]
    return Overlap(sorted(leaks, key=lambda leak: leak.row), slight, boilerplate)


def _shared(sample: Sample, index: SuiteIndex) -> tuple[dict[int, dict[int, int]], dict[int, str]]:
    """Runs that each row shares with each text of the suites; and rows that share boilerplate, with an example."""
    import numpy as np

    count = len(sample.rows)
    numbered = index.vocabulary.number([*sample.prompts, *sample.answers], learn=False)
    made = runs(numbered, RUN)
    unknown = np.concatenate(([0], np.cumsum(numbered.ids == UNKNOWN)))
    known = np.flatnonzero(unknown[made.at + RUN] == unknown[made.at])
    first = np.searchsorted(index.hashes, made.hashes[known])
    last = np.searchsorted(index.hashes, made.hashes[known], side="right")
    hits = np.flatnonzero(last > first)
    known, first, last = known[hits], first[hits], last[hits]
    entries = np.repeat(last - np.cumsum(last - first), last - first) + np.arange(int((last - first).sum()))
    hit = np.repeat(known, last - first)
    rows = made.owners[hit] % max(1, count)
    own = ~index.boilerplate[entries]
    texts: dict[int, dict[int, int]] = defaultdict(dict)
    pairs, counts = np.unique(np.stack((rows[own], index.owners[entries[own]])), axis=1, return_counts=True)
    for row, text, number in zip(*pairs.tolist(), counts.tolist(), strict=True):
        texts[row][text] = number
    stock, at = np.unique(rows[~own], return_index=True)
    boilerplate = {}
    for row, number in zip(stock.tolist(), hit[~own][at].tolist(), strict=True):
        owner = int(made.owners[number])
        word = int(made.at[number] - numbered.starts[owner])
        text = sample.prompts[row] if owner < count else sample.answers[row]
        boilerplate[row] = _between(text, word, word + RUN)
    return texts, boilerplate


def _compare(sample: Sample, row: int, index: SuiteIndex, number: int) -> Leak:
    """The share that a row and a part of a case have in common."""
    size, own, stock = index.pieces(number)
    mine, shared, longest = 0.0, 0, 0
    span = ""
    for text, content in ((sample.prompts[row], sample.contents[row]), (sample.answers[row], sample.answers[row])):
        said = words(text)
        inside, standing = _covered(said, own), _covered(said, stock)
        covered = sum(inside)
        left = len(words(content)) - sum(s and not i for s, i in zip(standing, inside, strict=True))
        shared += covered
        mine = max(mine, min(1.0, covered / max(1, left)))
        start, end = _longest(inside)
        if end - start > longest:
            longest, span = end - start, _between(text, start, end)
    return Leak(row, index.parts[number], shared, mine, min(1.0, shared / max(1, size)), span)


def _covered(said: Sequence[str], pieces: Set[Piece]) -> bytearray:
    """1 for each word that stands in one of the pieces."""
    inside = bytearray(len(said))
    for at, piece in enumerate(pieces_of(said)):
        if piece in pieces:
            inside[at : at + PIECE] = b"\1" * PIECE
    return inside


def _longest(inside: bytearray) -> tuple[int, int]:
    """The longest stretch of ones."""
    best = (0, 0)
    start = 0
    for at, one in enumerate([*inside, 0]):
        if not one:
            best = max(best, (start, at), key=lambda span: span[1] - span[0])
            start = at + 1
    return best


def _between(text: str, first: int, end: int) -> str:
    """The text from word `first` up to word `end`."""
    spans = places(text)
    return text[spans[first][0] : spans[end - 1][1]] if end > first else ""


def _brief(sample: Sample, index: SuiteIndex) -> Iterable[Leak]:
    """Rows whose prompt is, for half or more, a case too short for a run."""
    sizes = {len(said) for said in index.brief}
    most = int(max(sizes, default=0) / SHARE)
    for row, text in enumerate(sample.contents):
        if len(text) > most * suite_index.LONGEST_WORD:
            continue
        said = words(text)
        for size in sizes:
            if SHARE * len(said) <= size <= len(said):
                for at in range(len(said) - size + 1):
                    number = index.brief.get(tuple(said[at : at + size]))
                    if number is not None:
                        yield Leak(row, index.parts[number], size, size / len(said), 1.0, _between(text, at, at + size))


def find(sample: Sample, settings: CheckSettings) -> CheckResult:
    """Each row that holds half of a case, or of whose text half is a case's."""
    folders = suite_index.project_suites(settings.suites)
    if not folders:
        return CheckResult(skipped="there is no folder evalsuites here. Name suites with --suite")
    index = suite_index.load(folders)
    shared = overlap(sample, index)
    findings: dict[int, RowFinding] = {}
    for leak in shared.leaks:
        findings.setdefault(
            leak.row,
            RowFinding(
                row=leak.row,
                reason=f"{leak.says}: {leak.case}",
                quote=short(leak.span),
                other=f"{leak.part.suite}: {leak.part.case_id}",
            ),
        )
    compared = f"Compared with {sum(index.suites.values()):,} cases of {len(index.suites)} suites."
    notes = [compared, *index.missing, *_notes(sample, shared)]
    return CheckResult(findings=list(findings.values()), notes=notes, counts=index.suites)


def _notes(sample: Sample, shared: Overlap) -> list[str]:
    notes = []
    if shared.slight:
        most = max(shared.slight, key=lambda leak: leak.share)
        notes.append(
            f"Rows that share a run of {RUN} words with a case, and too little else, are not counted: "
            f"{len(shared.slight):,}. The most is {sample.where(most.row)}, {most.says}: {most.case}: "
            f"“{short(most.span)}”."
        )
    if shared.boilerplate:
        example = next(iter(shared.boilerplate.values()))
        notes.append(
            "Boilerplate, which stands in many documents of a suite, is not counted; rows that share some: "
            f"{len(shared.boilerplate):,}. An example: “{short(example)}”."
        )
    return notes


CHECK = Check(
    name="contamination",
    says=f"Rows that share a run of {RUN} words and half of their text with a case of a suite.",
    action="drop",
    find=find,
)


WITHOUT_SUITES = "--no-contamination-check"
"""The option of `tunegate train` that allows a training where no suite is found."""
LISTED = 20
RECORDED = 100


def refuse_contaminated(
    rows: Sequence[TrainingRow],
    suites: Sequence[str],
    allowed: str | None,
    say: Callable[[str], None],
    without_suites: bool = False,
) -> dict[str, Any]:
    """Compare rows with every case of the suites (none named: the project's) and return what a run records of it.

    Contaminated rows are one UserError that lists row, suite, case and passage, unless `allowed` gives a reason. So is
    a project without a suite, unless the user asked to train `without_suites`.
    """
    started = time.perf_counter()
    folders = suite_index.project_suites(suites, shipped=False)
    index = suite_index.load(folders) if folders else None
    for text in index.missing if index else ():
        say(f"training: {text}")
    if index is None or not index.suites:
        if not without_suites:
            raise UserError(_not_found(index.missing if index else []))
        say(f"training: no row was compared with a suite ({WITHOUT_SUITES})")
        return {"cases": 0, "unchecked": WITHOUT_SUITES}
    leaks = overlap(Sample(rows), index).leaks
    cases = sum(index.suites.values())
    record: dict[str, Any] = {"cases": cases, "suites": index.suites, "rows": len(leaks)}
    if not leaks:
        seconds = time.perf_counter() - started
        say(f"training: no row holds text of the {cases:,} cases of {len(index.suites)} suites ({seconds:.1f} s)")
        return record
    if allowed is None:
        raise UserError(_refusal(rows, leaks))
    say(f"training: rows that hold text of a suite's cases: {len(leaks):,}; allowed: {shown(allowed)}")
    return {**record, "allowed": allowed, "leaks": [_facts(rows, leak) for leak in leaks[:RECORDED]]}


def _not_found(missing: Sequence[str]) -> str:
    where = f"no folder evalsuites is in {Path.cwd()}, or in the folder of the configuration or above it"
    return (
        f"no suite was found, so no training row can be compared with its cases: {'; '.join(missing) or where}. Name "
        f"the folders in 'data.suites', or train without the comparison: {WITHOUT_SUITES}"
    )


def _refusal(rows: Sequence[TrainingRow], leaks: Sequence[Leak]) -> str:
    listed = "\n".join(
        f"  {rows[leak.row].where}: {leak.says}: {shown(leak.case)}: “{shown(short(leak.span))}”"
        for leak in leaks[:LISTED]
    )
    more = f"\n  and {len(leaks) - LISTED:,} more" if len(leaks) > LISTED else ""
    return (
        f"rows that hold text of a suite's cases, so that its scores would mean nothing: {len(leaks):,}. Take them out "
        f"with `tunegate data clean`, or give the reason why they may stay in 'data.allow_contaminated'\n{listed}{more}"
    )


def _facts(rows: Sequence[TrainingRow], leak: Leak) -> dict[str, Any]:
    return {
        "row": rows[leak.row].where,
        "suite": leak.part.suite,
        "case": leak.part.case_id,
        "words": leak.words,
        "of_row": round(leak.of_row, 3),
        "of_case": round(leak.of_case, 3),
    }
