"""Contamination: training rows that contain text of a suite's cases, so that the tuned model has seen its test.

A row and a case that share a run of 13 words, boilerplate excluded, are compared in full, by the words of the row that
are in five-word runs of the case. They are contamination if they are at least 40 words and half of the row's prompt
(without boilerplate lines), of its answer or of the case. This detects edited copies, passages of a case's document,
and cases inside longer rows. Fewer than 40 words are often a legal formula that two contracts share, so they must be
two thirds of both, or the whole case. A case of 4 to 12 words is detected if it is half of a prompt, of one of its user
messages, or of the last paragraph of one, such as a row's `input`. Paraphrases, translations and copies with an edit in
every 13 words are not detected.
"""

from __future__ import annotations

import re
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence, Set
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

from msgspec.structs import replace

from harness.errors import UserError
from harness.formatting import count
from harness.sanitize import shown
from training.curation.check import Check, CheckResult, CheckSettings, RowFinding, Sample, short
from training.curation.checks import suite_index
from training.curation.checks.suite_index import PIECE, RUN, CasePart, Piece, SuiteIndex, pieces_of
from training.curation.text import hashed_words, places, runs, without_markup, words
from training.data.rows import TrainingRow

SHARE = 0.5
MIN_WORDS = 40
SHARE_OF_BOTH = 2 / 3
WHOLE = 0.95
"""Share of a case from which the row contains the whole of it."""
COMPARED = 3
"""A row is compared in full with this many cases, those that share most runs with it, of equals the shortest."""


class Leak(NamedTuple):
    """The overlap of a row with the case that it contains most of."""

    row: int
    part: CasePart
    words: int
    """Words of the case that are in runs of the row."""
    of_row: float
    """Share of such words of the row's prompt or answer, whichever is larger."""
    of_case: float
    """Share of such words of the case's own words."""
    span: str
    """The longest passage of them, quoted from the row."""

    @property
    def share(self) -> float:
        return max(self.of_row, self.of_case)

    @property
    def counts(self) -> bool:
        """Whether the overlap is contamination."""
        both = min(self.of_row, self.of_case)
        whole = self.of_case >= WHOLE and self.words >= RUN
        return whole or both >= SHARE_OF_BOTH or (self.share >= SHARE and self.words >= MIN_WORDS)

    @property
    def size(self) -> str:
        """Size of the overlap, for messages."""
        return f"{self.words:,} words, {self.of_row:.0%} of the row and {self.of_case:.0%} of the case"

    @property
    def case(self) -> str:
        """Suite, case and document, for messages."""
        answer = " (its expected answer)" if self.part.answer else ""
        return f"suite {self.part.suite}, case {self.part.case_id} of {self.part.document}{answer}"


class Overlap(NamedTuple):
    """The text that rows and suites share."""

    leaks: list[Leak]
    """Contaminated rows, each with the case that it contains most of."""
    slight: list[Leak]
    """Rows that share a run with a case, but too little to be contaminated."""
    boilerplate: dict[int, str]
    """Rows that share boilerplate with a suite, each with an example."""


def overlap(sample: Sample, index: SuiteIndex) -> Overlap:
    """Compare every row with every case, without regard to tags, escapes and underscores.

    The `base_context` of a row is compared like a row: its text is learnt through the base's probabilities.
    """
    owners = [*range(len(sample.rows)), *(number for number, row in enumerate(sample.rows) if row.base_context)]
    contexts = [replace(row, messages=row.base_context) for row in sample.rows if row.base_context]
    sample = Sample([_plain(row) for row in [*sample.rows, *contexts]])
    leaks: list[Leak] = []
    slight: list[Leak] = []
    texts, boilerplate = _shared(sample, index)
    for row, counts in sorted(texts.items()):
        runs_by_part: dict[int, int] = defaultdict(int)
        for text, times in counts.items():
            for number in index.holders[text]:
                runs_by_part[number] += times
        nearest = sorted(runs_by_part, key=lambda number: (-runs_by_part[number], _length(index, number), number))
        compared = [_compare(sample, row, index, number) for number in nearest[:COMPARED]]
        closest = max(compared, key=lambda leak: (leak.counts, leak.share))
        (leaks if closest.counts else slight).append(closest)
    by_row: dict[int, Leak] = {}
    for leak in [*leaks, *_brief(sample, index)]:
        by_row.setdefault(owners[leak.row], leak._replace(row=owners[leak.row]))
    return Overlap(
        [by_row[row] for row in sorted(by_row)],
        [leak._replace(row=owners[leak.row]) for leak in slight],
        {owners[row]: example for row, example in boilerplate.items()},
    )


def _plain(row: TrainingRow) -> TrainingRow:
    messages = [replace(turn, content=without_markup(turn.content)) for turn in row.messages]
    return row if messages == row.messages else replace(row, messages=messages)


def _length(index: SuiteIndex, number: int) -> int:
    """Return the characters of a case."""
    return sum(len(index.texts[text]) for text in index.parts[number].texts)


def _shared(sample: Sample, index: SuiteIndex) -> tuple[dict[int, dict[int, int]], dict[int, str]]:
    """Count the runs that each row shares with each text of the suites; also quote boilerplate that rows share."""
    import numpy as np

    count = len(sample.rows)
    hashed = hashed_words([*sample.prompts, *sample.answers])
    row_runs = runs(hashed, RUN)
    begins = np.zeros(1 << 24, bool)  # By the first 24 bits of a hash; most runs need no slower look-up than this one.
    begins[index.hashes >> np.uint64(40)] = True
    known = np.flatnonzero(begins[row_runs.hashes >> np.uint64(40)])
    first = np.searchsorted(index.hashes, row_runs.hashes[known])
    last = np.searchsorted(index.hashes, row_runs.hashes[known], side="right")
    hits = np.flatnonzero(last > first)
    known, first, last = known[hits], first[hits], last[hits]
    entries = np.repeat(last - np.cumsum(last - first), last - first) + np.arange(int((last - first).sum()))
    hit = np.repeat(known, last - first)
    rows = row_runs.owners[hit] % max(1, count)
    own = ~index.boilerplate[entries]
    texts: dict[int, dict[int, int]] = defaultdict(dict)
    pairs, counts = np.unique(np.stack((rows[own], index.owners[entries[own]])), axis=1, return_counts=True)
    for row, text, number in zip(*pairs.tolist(), counts.tolist(), strict=True):
        texts[row][text] = number
    stock, at = np.unique(rows[~own], return_index=True)
    boilerplate = {}
    for row, number in zip(stock.tolist(), hit[~own][at].tolist(), strict=True):
        owner = int(row_runs.owners[number])
        word = int(row_runs.at[number] - hashed.starts[owner])
        text = sample.prompts[row] if owner < count else sample.answers[row]
        boilerplate[row] = _between(text, word, word + RUN)
    return texts, boilerplate


def _compare(sample: Sample, row: int, index: SuiteIndex, number: int) -> Leak:
    """Compare a row with a part of a case, word by word."""
    size, own, boilerplate = index.pieces(number)
    share_of_row, longest = 0.0, 0
    row_pieces: set[Piece] = set()
    span = ""
    for text, content in ((sample.prompts[row], sample.contents[row]), (sample.answers[row], sample.answers[row])):
        row_words = words(text)
        inside, in_boilerplate = _covered(row_words, own), _covered(row_words, boilerplate)
        covered = sum(inside)
        left = len(words(content)) - sum(s and not i for s, i in zip(in_boilerplate, inside, strict=True))
        row_pieces.update(pieces_of(row_words))
        share_of_row = max(share_of_row, min(1.0, covered / max(1, left)))
        start, end = _longest(inside)
        if end - start > longest:
            longest, span = end - start, _between(text, start, end)
    found = own & row_pieces
    shared = sum(sum(_covered(words(index.texts[text]), found)) for text in index.parts[number].texts)
    return Leak(row, index.parts[number], shared, share_of_row, min(1.0, shared / max(1, size)), span)


def _covered(row_words: Sequence[str], pieces: Set[Piece]) -> bytearray:
    """Return 1 for each word that is in one of the pieces, else 0."""
    inside = bytearray(len(row_words))
    for at, piece in enumerate(pieces_of(row_words)):
        if piece in pieces:
            inside[at : at + PIECE] = b"\1" * PIECE
    return inside


def _longest(inside: bytearray) -> tuple[int, int]:
    """Return start and end of the longest stretch of ones."""
    stretches = (match.span() for match in re.finditer(b"\1+", inside))
    return max(stretches, key=lambda span: span[1] - span[0], default=(0, 0))


def _between(text: str, first: int, end: int) -> str:
    """Return the text from word `first` to before word `end`."""
    spans = places(text)
    return text[spans[first][0] : spans[end - 1][1]] if end > first else ""


def _brief(sample: Sample, index: SuiteIndex) -> Iterable[Leak]:
    """Yield rows whose prompt, or a user message or its last paragraph, is at least half a case too short for a run."""
    sizes = {len(row_words) for row_words in index.brief}
    max_words = int(max(sizes, default=0) / SHARE)
    asked = [(row, turn.content) for row, one in enumerate(sample.rows) for turn in one.messages if turn.role == "user"]
    last = ((row, text.rpartition("\n\n")[2]) for row, text in asked)
    for row, text in dict.fromkeys(chain(enumerate(sample.contents), asked, last)):
        if len(text) > max_words * suite_index.LONGEST_WORD:
            continue
        row_words = words(text)
        for size in sizes:
            if SHARE * len(row_words) <= size <= len(row_words):
                for at in range(len(row_words) - size + 1):
                    number = index.brief.get(tuple(row_words[at : at + size]))
                    if number is not None:
                        yield Leak(
                            row, index.parts[number], size, size / len(row_words), 1.0, _between(text, at, at + size)
                        )


def find(sample: Sample, settings: CheckSettings) -> CheckResult:
    """Report each row that contains half of a case, or half of whose text is a case's."""
    index = suite_index.load_any(settings.suites)
    if index is None:
        return CheckResult(skipped="no folder evalsuites is here or above. Set suites with --suite")
    shared = overlap(sample, index)
    findings = [
        RowFinding(
            row=leak.row,
            reason=f"{leak.size}: {leak.case}",
            quote=short(leak.span),
            other=f"{leak.part.suite}: {leak.part.case_id}",
        )
        for leak in shared.leaks
    ]
    compared = f"Compared with {_size(index)}."
    notes = [compared, *index.missing, *_uncompared(index), *_notes(sample, shared)]
    return CheckResult(findings=findings, notes=notes, counts=index.suites)


def _size(index: SuiteIndex) -> str:
    """Say how many cases of how many suites rows are compared with: `44 cases of 1 suite`."""
    return f"{count(sum(index.suites.values()), 'case')} of {count(len(index.suites), 'suite')}"


def _uncompared(index: SuiteIndex) -> list[str]:
    """Return a sentence about the cases that no row can be compared with, if there are any."""
    if not index.uncompared:
        return []
    listed = ", ".join(f"{count:,} of {name}" for name, count in index.uncompared.items())
    return [
        f"Cases that cannot be compared, because they have fewer than {suite_index.MIN_WORDS} words or share all their "
        f"text with other documents: {listed}."
    ]


def _notes(sample: Sample, shared: Overlap) -> list[str]:
    notes = []
    if shared.slight:
        most = max(shared.slight, key=lambda leak: leak.share)
        notes.append(
            f"Rows that share a run of {RUN} words with a case, but too little else, are not counted: "
            f"{len(shared.slight):,}. The largest overlap is {sample.where(most.row)}, {most.size}: {most.case}: "
            f"“{short(most.span)}”."
        )
    if shared.boilerplate:
        example = next(iter(shared.boilerplate.values()))
        notes.append(
            "Boilerplate, which is in many documents of a suite, is not counted; rows that share some: "
            f"{len(shared.boilerplate):,}. An example: “{short(example)}”."
        )
    return notes


CHECK = Check(
    name="contamination",
    description=f"Rows that share a run of {RUN} words and half of their text with a case of a suite.",
    action="drop",
    find=find,
)


WITHOUT_SUITES = "--no-contamination-check"
"""The option of `tunegate train` that allows training where no suite is found."""
LISTED = 20
RECORDED = 100


def refuse_contaminated(
    rows: Sequence[TrainingRow],
    suites: Sequence[str],
    allowed: str | None,
    say: Callable[[str], None],
    without_suites: bool = False,
    more: Sequence[str] = (),
) -> dict[str, Any]:
    """Compare rows with every case of `suites`, by default the project's, and of `more`; return a record for the run.

    Raises UserError for contaminated rows, with row, suite, case and passage, unless `allowed` gives a reason to keep
    them; and where no suite but `more` is found, unless the user chose to train `without_suites`.
    """
    started = time.perf_counter()
    folders = suite_index.project_suites(suites)
    if without_suites and not suite_index.has_suite(folders):
        folders = []
    index = suite_index.load([*folders, *more]) if folders or more else None
    for text in [*index.missing, *_uncompared(index)] if index else ():
        say(f"training: {text}")
    found = index.suites if index else {}
    is_compared = suite_index.any_available(folders)
    if not is_compared and not without_suites:
        raise UserError(_not_found(index.missing if index and folders else []))
    if index is None or not found:
        return {"cases": 0, "unchecked": WITHOUT_SUITES}
    leaks = overlap(Sample(rows), index).leaks
    cases = sum(index.suites.values())
    record: dict[str, Any] = {"cases": cases, "suites": index.suites, "rows": len(leaks)}
    if not is_compared:
        record["unchecked"] = WITHOUT_SUITES
    if index.missing:
        record["missing"] = index.missing
    if index.uncompared:
        record["uncompared"] = index.uncompared
    if not leaks:
        seconds = time.perf_counter() - started
        if cases:
            say(f"training: no row contains text of the {_size(index)} ({seconds:.1f} s)")
        return record
    if allowed is None:
        raise UserError(_refusal(rows, leaks))
    return {**record, "allowed": allowed, "leaks": [_facts(rows, leak) for leak in leaks[:RECORDED]]}


def _not_found(missing: Sequence[str]) -> str:
    where = f"no folder evalsuites is in {Path.cwd()}, in the folder of the configuration or above them"
    return (
        f"no suite was found, so no training row can be compared with its cases: {'; '.join(missing) or where}. Name "
        f"the folders in 'data.suites', or train without the comparison: {WITHOUT_SUITES}"
    )


def _refusal(rows: Sequence[TrainingRow], leaks: Sequence[Leak]) -> str:
    listed = "\n".join(
        f"  {rows[leak.row].where}: {leak.size}: {shown(leak.case)}: “{shown(short(leak.span))}”"
        for leak in leaks[:LISTED]
    )
    more = f"\n  and {len(leaks) - LISTED:,} more" if len(leaks) > LISTED else ""
    return (
        f"rows that contain text of a suite's cases, so that its scores would mean nothing: {len(leaks):,}. Remove "
        "them with `tunegate data clean`, or give the reason why they may stay in 'data.allow_contaminated'\n"
        f"{listed}{more}"
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
