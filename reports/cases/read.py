"""Reads a run's answers once and keeps of each what a report counts and sorts by, not its text."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Protocol

import msgspec
from msgspec import Struct, field

from harness.runs.folder import RecordLine, RunData, stream
from harness.schema import BASELINE, CANDIDATE, Metric, Record, ScoreEvent, Scores, SuiteInfo
from harness.scoring.grounding.claims import FABRICATED
from harness.stats.estimates import case_value
from reports import wording


class RecordSource(Protocol):
    """Answers in the order of the run, each with its number and suite; `read` finds one that came by its number."""

    def __iter__(self) -> Iterator[tuple[int, str, Record]]: ...

    def read(self, number: int) -> Record: ...


class InMemoryRecords:
    """The answers of a run that is in memory."""

    def __init__(self, run: RunData) -> None:
        self.run = run

    def __iter__(self) -> Iterator[tuple[int, str, Record]]:
        for number, (suite, record) in enumerate(zip(self.run.suite_of, self.run.records, strict=True)):
            yield number, suite, record

    def read(self, number: int) -> Record:
        return self.run.records[number]


class OnDisk:
    """The answers of a run folder, of which memory holds where each begins: 16 bytes an answer."""

    def __init__(self, path: Path) -> None:
        self.path, self.records, self.scores = path, path / "records.jsonl", path / "scores.jsonl"
        self._record_ends, self._scores_end = array("Q", [0]), array("Q", [0])

    def __iter__(self) -> Iterator[tuple[int, str, Record]]:
        self._record_ends, self._scores_end = array("Q", [0]), array("Q", [0])
        lines, scores = _ends(self.records), _ends(self.scores)
        for number, (suite, record) in enumerate(stream(self.path)):
            self._record_ends.append(next(lines))
            self._scores_end.append(([self._scores_end[-1], *islice(scores, len(record.scores))])[-1])
            yield number, suite, record

    def read(self, number: int) -> Record:
        (line,) = _lines(self.records, self._record_ends, number)
        scores = Scores()
        for found in map(SCORE.decode, _lines(self.scores, self._scores_end, number)):
            scores[found.score.name] = found.score
        return msgspec.structs.replace(RECORD.decode(line).record, scores=scores)


RECORD = msgspec.json.Decoder(RecordLine)
SCORE = msgspec.json.Decoder(ScoreEvent)


def source_of(run: RunData) -> RecordSource:
    """Memory where the run's answers are there, otherwise its folder."""
    return InMemoryRecords(run) if run.records else OnDisk(run.path)


def _ends(file: Path) -> Iterator[int]:
    """Where each line that holds something ends."""
    if not file.exists():
        return
    with file.open("rb") as lines:
        at = 0
        for line in lines:
            at += len(line)
            if line.strip():
                yield at


def _lines(file: Path, ends: array[int], number: int) -> list[bytes]:
    """The lines that belong to one answer."""
    if ends[number] == ends[number + 1]:
        return []
    with file.open("rb") as opened:
        opened.seek(ends[number])
        return [line for line in opened.read(ends[number + 1] - ends[number]).split(b"\n") if line.strip()]


EXCERPT = 1200
"""Code points of an input that are shown."""
MOST_TROUBLES = 50
"""Most troubles of one variant that are kept by name; all are counted."""


class Fabrication(Struct, frozen=True, kw_only=True):
    """A claim that a scorer could not ground."""

    scorer: str
    """Scorer that says so."""
    quote: str
    """The claim's words."""
    kind: str
    """What is claimed, such as `citation`."""
    verdict: str
    """The scorer's word for it."""
    reason: str
    """Why it is not grounded."""
    times: int = 1
    """How often the answer makes it."""

    @property
    def noun(self) -> str:
        """What it is called: a fabrication only where it is a fact that can be checked."""
        return wording.FALSE_POSITIVES.get(self.kind, wording.FABRICATION)

    @property
    def key(self) -> tuple[str, str]:
        """What makes two claims the same claim."""
        return self.scorer, " ".join(self.quote.casefold().split())


class CaseName(Struct, frozen=True, kw_only=True):
    id: str
    """Name in its suite."""
    cluster: str
    """The contract it comes from."""
    slices: tuple[str, ...] = ()
    """Slices it lies in, such as `instrument: lease`."""
    size: int = 0
    """Bytes that showing it takes, without its answers."""


class AnswerSummary(Struct, frozen=True, kw_only=True):
    """One answer without its text."""

    case: CaseName
    """The case."""
    number: int
    """In the run, where the whole answer is found by it."""
    repeat: int = 1
    """Which answer to its case it is."""
    values: tuple[float | None, ...] = ()
    """Its share or value of each of the suite's metrics."""
    claims: tuple[Fabrication, ...] = ()
    """What it fabricates."""
    input_key: int = 0
    """Equal for equal inputs of this run; so are the other keys."""
    prompt_key: int = 0
    expected_key: int = 0
    text_key: int | None = None
    """None where there is no text."""
    failed: bool = False
    """The engine gave no answer, or a scorer failed on it."""
    text_kept: bool = True
    """False where only scores were kept."""
    size: int = 0
    """Bytes of its text."""


class AnswerError(Struct, frozen=True, kw_only=True):
    case_id: str
    """The case."""
    scorer: str = ""
    """Scorer that gave no value; empty where the engine gave no answer."""
    failed: bool = True
    """It failed, and did not just leave the answer unscored."""
    reason: str = ""
    """Why."""


class Tally(Struct, kw_only=True):
    """What became of the answers of one variant of one suite."""

    answers: int = 0
    """All, repeats included."""
    firsts: int = 0
    """Without repeats."""
    usable: int = 0
    """Ended by the model, and not empty."""
    errors: int = 0
    """The engine gave none."""
    cut: int = 0
    """Reached the most tokens."""
    empty: int = 0
    """No text."""
    reasoned: int = 0
    """Led by reasoning, which is not part of the answer."""
    unanswered: int = 0
    """Reasoned, and empty."""
    unscored: int = 0
    """Some scorer gave no value."""
    text_kept: bool = True
    """Of every answer."""
    troubled: int = 0
    """Errors and missing values."""
    troubles: list[AnswerError] = field(default_factory=list)
    """The first of them."""

    def add(self, record: Record) -> None:
        """Count one answer."""
        completion = record.completion
        says = bool(completion.answer.strip())
        self.answers += 1
        self.firsts += record.repeat == 1
        self.usable += completion.finish_reason == "stop" and says
        self.errors += record.error is not None
        self.cut += completion.finish_reason == "length"
        self.empty += record.error is None and not says
        self.reasoned += bool(completion.reasoning)
        self.unanswered += bool(completion.reasoning) and not says
        self.unscored += any(score.value is None for score in record.scores.values())
        self.text_kept &= record.text_kept
        for trouble in troubles(record):
            self.troubled += 1
            if len(self.troubles) < MOST_TROUBLES:
                self.troubles.append(trouble)


def read(
    source: Iterable[tuple[int, str, Record]], suites: Iterable[SuiteInfo], tallies: dict[str, dict[str, Tally]]
) -> Iterator[tuple[str, str, AnswerSummary]]:
    """Answers of baseline and tuned with suite and variant, one at a time; those of all variants go to `tallies`."""
    infos = {suite.name: suite for suite in suites}
    for number, suite, record in source:
        tallies[suite].setdefault(record.variant, Tally()).add(record)
        if record.variant in (BASELINE, CANDIDATE):
            info = infos[suite]
            yield suite, record.variant, brief(record, info.metrics, info.slices, number)


def brief(record: Record, metrics: Sequence[Metric], slices: Iterable[str] = (), number: int = 0) -> AnswerSummary:
    """One answer without its text."""
    case = record.case
    return AnswerSummary(
        case=CaseName(
            id=case.id,
            cluster=case.cluster,
            slices=tuple(f"{tag}: {case.tags[tag]}" for tag in slices if tag in case.tags),
            size=_bytes(shown_input(case.input)[:EXCERPT]) + sum(map(_bytes, case.expected)),
        ),
        number=number,
        repeat=record.repeat,
        values=tuple(_value(record, metric) for metric in metrics),
        claims=tuple(fabrications(record)),
        input_key=hash(record.input_hash),
        prompt_key=hash(record.prompt_hash),
        expected_key=hash(record.expected_hash),
        text_key=hash(record.completion.answer.strip()) if record.text_kept and record.error is None else None,
        failed=record.error is not None or any(score.failed for score in record.scores.values()),
        text_kept=record.text_kept,
        size=_bytes(record.completion.answer),
    )


def has_failed(record: Record, metric: Metric) -> bool:
    """Tell whether the engine gave no answer, or the metric's scorer failed on it."""
    score = record.scores.get(metric.scorer)
    return record.error is not None or (score is not None and score.failed)


def _value(record: Record, metric: Metric) -> float | None:
    """Its share or value of a metric; none of a failed baseline answer, which would make a tuned one look better."""
    return None if record.variant == BASELINE and has_failed(record, metric) else case_value(record, metric)


def fabrications(record: Record) -> list[Fabrication]:
    """Each claim of an answer that a scorer marks as not grounded, once; those of one key are one claim."""
    marked = [
        Fabrication(scorer=name, quote=span.quote, kind=span.kind, verdict=span.verdict, reason=span.reason)
        for name, score in record.scores.items()
        for span in score.spans
        if span.verdict in FABRICATED
    ]
    times = Counter(claim.key for claim in marked)
    first = {claim.key: claim for claim in reversed(marked)}
    return [msgspec.structs.replace(first[key], times=times[key]) for key in times]


def troubles(record: Record) -> list[AnswerError]:
    """Why an answer is not usable or not scored: its error, or each scorer that gave no value."""
    if record.error is not None:
        return [AnswerError(case_id=record.case.id, reason=record.error)]
    return [
        AnswerError(case_id=record.case.id, scorer=name, failed=score.failed, reason=score.reason or "")
        for name, score in record.scores.items()
        if score.value is None
    ]


def shown_input(given: Mapping[str, str]) -> str:
    """Return all that a case's prompt was filled with, the document last."""
    document = given.get("document")
    texts = [f"{name}: {text}" for name, text in given.items() if name != "document"]
    return "\n\n".join([*texts, document] if document else texts)


def _bytes(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-8", errors="replace"))
