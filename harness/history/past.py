"""What a run folder was: its run without answers, and the levels of its judged model. Knows no index and no page."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from msgspec import Struct, field

from harness.digest import digest
from harness.errors import UserError
from harness.outcomes import together
from harness.schema import CANDIDATE, FLOOR, Manifest, Outcome, SuiteInfo, Verdict
from harness.standing import claimed
from harness.store import SEAL, SEALED, decode, load_manifest, recorded_verdicts, standing_of

RUN_NAME = re.compile(r"(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z-.+-[0-9a-f]{8}")
SHOWN = ("run.json", "metrics.json", "verdicts.json")
BROKEN = "broken"
NOT_WRITTEN = "no run.json: the run was stopped before it wrote one, or the file was removed"


class PastModel(Struct, frozen=True, kw_only=True):
    name: str
    """What the user called it."""
    digest: str
    """Its content digest."""


class PastSuite(Struct, frozen=True, kw_only=True):
    """What one suite of a run came to."""

    name: str
    """Domain and folder, such as `legal/clauses`."""
    shape: str
    """Task shape of its metrics."""
    cluster: str
    """What a cluster is called."""
    cases: int
    """Cases in the suite."""
    asked: int
    """Cases asked in this run."""
    questions: str
    """What `questions_of` says of it."""
    counts: dict[Outcome, int]
    """How many gates came to each outcome."""
    gated: list[str]
    """Metrics that a gate judged, in the order of the gates."""
    accepted_run: str = ""
    """The run behind the accepted baseline that it was compared with."""

    @property
    def whole(self) -> bool:
        """Every case was asked."""
        return self.asked == self.cases


class PastRun(Struct, frozen=True, kw_only=True):
    """One run folder, without its answers."""

    name: str
    """Name of the folder."""
    kind: str = ""
    """What was done; empty where the manifest cannot be read."""
    status: str = BROKEN
    """How it ended, and whether it is as it was sealed, in a word of `Standing`; `broken` where it cannot be read."""
    sealed: bool = False
    """The folder was sealed."""
    started: str = ""
    """UTC time, ISO 8601."""
    ended: str | None = None
    """UTC time, ISO 8601."""
    models: dict[str, PastModel] = field(default_factory=dict)
    """By variant, without the keyword floor."""
    suites: list[PastSuite] = field(default_factory=list)
    """Suites asked."""
    problem: str = ""
    """Why the folder cannot be read; empty where it can."""

    @property
    def counts(self) -> dict[Outcome, int]:
        """How many gates of all suites came to each outcome."""
        found: dict[Outcome, int] = {}
        for suite in self.suites:
            for outcome, count in suite.counts.items():
                found[outcome] = found.get(outcome, 0) + count
        return found

    @property
    def outcome(self) -> Outcome:
        """All gates together."""
        return together(self.counts)


class Level(Struct, frozen=True, kw_only=True):
    """One metric of the judged model over a whole suite, in one run."""

    run: str
    """Name of the run folder."""
    suite: str
    """Suite name."""
    metric: str
    """Metric name."""
    value: float
    """The number."""
    low: float | None
    """Lower end of its interval."""
    high: float | None
    """Upper end of it."""
    n: int
    """Cases, or claims, behind it."""
    clusters: int
    """Independent sources behind it."""
    is_share: bool
    """It lies in [0, 1] as far as the run can tell."""
    higher_is_better: bool
    """Direction of improvement."""


class _Estimate(Struct):
    value: float | None
    low: float | None = None
    high: float | None = None
    n: int = 0
    clusters: int = 0


class _Row(Struct):
    suite: str
    variant: str
    metric: str
    estimate: _Estimate
    slice: str | None = None


class _Metrics(Struct):
    """What the index needs of metrics.json."""

    metrics: list[_Row] = []


def read(folder: Path, name: str) -> tuple[PastRun, list[Level]]:
    """What a run folder was, called `name`, and the levels of its judged model; one that cannot be read says why."""
    try:
        manifest = load_manifest(folder)
        found = standing_of(folder, manifest, _worth_hashing(folder))
        verdicts = claimed(found, recorded_verdicts(folder))
        rows = decode(folder / "metrics.json", _Metrics).metrics if (folder / "metrics.json").exists() else []
    except UserError as error:
        time = RUN_NAME.fullmatch(name)
        started = "{}-{}-{}T{}:{}:{}Z".format(*time.groups()) if time else ""
        problem = str(error) if (folder / "run.json").exists() else NOT_WRITTEN
        return PastRun(name=name, started=started, problem=problem), []
    run = PastRun(
        name=name,
        kind=manifest.kind,
        status=found.word,
        sealed=(folder / SEAL).exists(),
        started=manifest.started,
        ended=manifest.ended,
        models={v: PastModel(name=c.name, digest=c.digest) for v, c in manifest.checkpoints.items() if v != FLOOR},
        suites=[_suite(info, [v for v in verdicts if v.suite == info.name]) for info in manifest.suites],
    )
    return run, list(_levels(manifest, name, rows))


def _worth_hashing(folder: Path) -> list[str]:
    """Files that a listing is made of, and answers only where they were written after the seal.

    Answers may be gigabytes. Whoever sets their times back is found by everything that shows one run.
    """
    sealed_at = _written_at(folder / SEAL)
    return [name for name in SEALED if name in SHOWN or _written_at(folder / name) > sealed_at]


def _written_at(file: Path) -> int:
    try:
        return file.stat().st_mtime_ns
    except OSError:
        return 0


def questions_of(info: SuiteInfo) -> str:
    """Digest of cases, prompt and scorers: levels of two runs are comparable where it is equal."""
    return digest([info.cases_hash, info.prompt_hash, info.scorers_hash])


def _suite(info: SuiteInfo, verdicts: Iterable[Verdict]) -> PastSuite:
    counts: dict[Outcome, int] = {}
    gated: dict[str, None] = {}
    for verdict in verdicts:
        counts[verdict.outcome] = counts.get(verdict.outcome, 0) + 1
        gated[verdict.metric] = None
    return PastSuite(
        name=info.name,
        shape=info.shape,
        cluster=info.cluster,
        cases=info.cases,
        asked=info.asked,
        questions=questions_of(info),
        counts=counts,
        gated=list(gated),
        accepted_run=info.accepted.run_id if info.accepted else "",
    )


def _levels(manifest: Manifest, name: str, rows: Iterable[_Row]) -> Iterator[Level]:
    known = {(suite.name, metric.name): metric for suite in manifest.suites for metric in suite.metrics}
    kept, over_one = {}, set()
    for row in rows:
        key, estimate = (row.suite, row.metric), row.estimate
        if estimate.value is None or key not in known:
            continue
        if estimate.value > 1:
            over_one.add(key)
        if row.variant == CANDIDATE and row.slice is None:
            kept[key] = estimate
    for key, estimate in kept.items():
        assert estimate.value is not None
        yield Level(
            run=name,
            suite=key[0],
            metric=key[1],
            value=estimate.value,
            low=estimate.low,
            high=estimate.high,
            n=estimate.n,
            clusters=estimate.clusters,
            is_share=known[key].over_labels or key not in over_one,
            higher_is_better=known[key].higher_is_better,
        )
