"""The runs below a folder: each without its answers, the levels of its judged model, and what a user filters by."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from pathlib import Path
from typing import get_args, get_type_hints

from msgspec import Struct, field

from harness.errors import UserError
from harness.files import digest
from harness.runs.folder import SEAL, SEALED, decode, load_manifest, recorded_verdicts, standing_of
from harness.runs.status import claimed
from harness.schema import CANDIDATE, FLOOR, Manifest, Outcome, SuiteInfo, Verdict
from harness.schema.constants import combine_outcomes

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
        return combine_outcomes(self.counts)


class MetricLevel(Struct, frozen=True, kw_only=True):
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
    """What a listing needs of metrics.json."""

    metrics: list[_Row] = []


def read(folder: Path, name: str) -> tuple[PastRun, list[MetricLevel]]:
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


def _levels(manifest: Manifest, name: str, rows: Iterable[_Row]) -> Iterator[MetricLevel]:
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
        yield MetricLevel(
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


def past_runs(root: Path) -> list[PastRun]:
    """Every run folder below `root`, oldest first."""
    found = [read(folder, name)[0] for name, folder in _folders(root)]
    return sorted(found, key=lambda run: (run.started, run.name))


def levels(root: Path, suites: Collection[str]) -> list[MetricLevel]:
    """Levels of these suites in every run below `root`, by suite, metric and name of the run."""
    found = [level for name, folder in _folders(root) for level in read(folder, name)[1] if level.suite in suites]
    return sorted(found, key=lambda level: (level.suite, level.metric, level.run))


def _folders(root: Path) -> Iterator[tuple[str, Path]]:
    """Every folder that is a run, or has a run's name. Bytes of a name that are no text are written out."""
    if not root.is_dir():
        return
    for folder in root.iterdir():
        if folder.is_dir() and ((folder / "run.json").exists() or RUN_NAME.fullmatch(folder.name)):
            yield os.fsencode(folder.name).decode(errors="backslashreplace"), folder


KINDS: tuple[str, ...] = get_args(get_type_hints(Manifest)["kind"])
OUTCOMES = ("pass", "fail", "inconclusive", "skipped")
"""What all gates of a run together can come to."""
AGO = re.compile(r"(\d+)\s*([hdw])")
HOURS = {"h": 1, "d": 24, "w": 7 * 24}


class RunFilter(Struct, frozen=True, kw_only=True):
    """What a run must be; what is empty is not asked."""

    suites: tuple[str, ...] = ()
    """Names of suites, `*` standing for anything; one of them is enough."""
    kind: str = ""
    """What was done."""
    checkpoint: str = ""
    """Part of the name of a model, or the beginning of its content digest."""
    since: str = ""
    """Earliest start, UTC time, ISO 8601."""
    outcome: str = ""
    """What all gates together came to."""

    def is_met(self, run: PastRun) -> bool:
        """The run is wanted. One that cannot be read is nothing that was asked for, but its time."""
        return (
            (not self.suites or any(fnmatchcase(s.name, name) for s in run.suites for name in self.suites))
            and self.kind in ("", run.kind)
            and run.started >= self.since
            and (not self.outcome or (run.kind == "eval" and run.outcome == self.outcome))
            and (not self.checkpoint or any(self._names(m.name, m.digest) for m in run.models.values()))
        )

    def _names(self, name: str, digest: str) -> bool:
        return self.checkpoint in name or digest.startswith(self.checkpoint)


def wanted(
    suites: Iterable[str] = (), kind: str = "", checkpoint: str = "", since: str = "", outcome: str = ""
) -> RunFilter:
    """What a user asks for. A kind, an outcome or a time that does not exist is a UserError."""
    for option, said, known in (("--kind", kind, KINDS), ("--outcome", outcome, OUTCOMES)):
        if said and said not in known:
            raise UserError(f"{option} {said}: expected one of {', '.join(known)}")
    return RunFilter(
        suites=tuple(_wanted_suite(name) for name in suites),
        kind=kind,
        checkpoint=checkpoint,
        since=_since(since, datetime.now(UTC)) if since else "",
        outcome=outcome,
    )


def _wanted_suite(name: str) -> str:
    """The name of a suite, where its folder may be given too."""
    return "/".join(part for part in name.split("/") if part not in ("", ".", "evalsuites"))


def _since(said: str, now: datetime) -> str:
    """A day, a time or so long ago, as UTC."""
    ago = AGO.fullmatch(said.strip())
    try:
        if ago:
            found = now - timedelta(hours=int(ago[1]) * HOURS[ago[2]])
        else:
            found = datetime.fromisoformat(said)
            found = found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise UserError(
            f"--since {said}: not a time. Expected a day or a time in UTC, such as 2026-11-01 or 2026-11-01T08:30, or "
            "how long ago: 12h, 7d, 4w"
        ) from None
    return found.strftime("%Y-%m-%dT%H:%M:%SZ")
