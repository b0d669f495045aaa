"""List and filter the runs below a folder, with the metric levels of their judged models."""

from __future__ import annotations

import os
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from pathlib import Path
from typing import get_args, get_type_hints

from msgspec import Struct, field

from harness.errors import UserError
from harness.files import digest
from harness.gates.rules import directed, level_threshold
from harness.runs.folder import SEAL, SEALED, load_manifest, load_metrics, recorded_verdicts, standing_of
from harness.runs.project import runs_newest_first
from harness.runs.status import claimed, no_merge
from harness.schema import (
    CANDIDATE,
    FLOOR,
    Estimate,
    Manifest,
    Metric,
    MetricRow,
    Outcome,
    SuiteInfo,
    Verdict,
    combine_outcomes,
)

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
    """Results of one suite of a run."""

    name: str
    """Domain and folder, such as `legal/clauses`."""
    shape: str
    """Task shape of its metrics."""
    cluster: str
    """What a cluster is called."""
    cases: int
    """Cases in the suite."""
    asked: int
    """Cases run in this run."""
    questions: str
    """Digest of its cases, prompt and scorers (`questions_of`)."""
    counts: dict[Outcome, int]
    """Number of gates per outcome."""
    gated: list[str]
    """Metrics judged by a gate, in the order of the gates."""
    thresholds: dict[str, list[float]] = field(default_factory=dict)
    """Thresholds of the gates on a metric's level in the whole suite, by metric."""
    accepted_run: str = ""
    """The run behind its accepted baseline; empty without one."""

    @property
    def whole(self) -> bool:
        """Whether every case was run."""
        return self.asked == self.cases


class PastRun(Struct, frozen=True, kw_only=True):
    """One run folder, without its answers."""

    name: str
    """Name of the folder."""
    kind: str = ""
    """Kind of run; empty where the manifest cannot be read."""
    status: str = BROKEN
    """A word of `Standing`; `broken` where the folder cannot be read."""
    sealed: bool = False
    """Whether the folder was sealed."""
    started: str = ""
    """UTC time, ISO 8601."""
    ended: str | None = None
    """UTC time, ISO 8601."""
    models: dict[str, PastModel] = field(default_factory=dict)
    """By variant, without the keyword floor."""
    suites: list[PastSuite] = field(default_factory=list)
    """Suites that were run."""
    problem: str = ""
    """Why the folder cannot be read; empty where it can."""
    no_merge: str = ""
    """What keeps it from approving a merge by any policy, as `tunegate merge` says it; empty where nothing does."""

    @property
    def counts(self) -> dict[Outcome, int]:
        """Number of gates of all suites per outcome."""
        counts = Counter[Outcome]()
        for suite in self.suites:
            counts.update(suite.counts)
        return dict(counts)

    @property
    def outcome(self) -> Outcome:
        """Outcome of all gates together."""
        return combine_outcomes(self.counts)

    @property
    def remark(self) -> str:
        """That it approves no merge, and why; empty where it may."""
        return f"no merge: {self.no_merge}" if self.no_merge else ""


class MetricLevel(Struct, frozen=True, kw_only=True):
    """One metric of the judged model over a whole suite, in one run."""

    run: str
    suite: str
    estimate: Estimate
    is_share: bool
    """Whether it is in [0, 1], as far as the run shows."""
    definition: Metric
    """What it counts, and which direction is better."""
    outcome: Outcome
    """Outcome of its gates together, those of slices included."""


def read(folder: Path, name: str) -> tuple[PastRun, list[MetricLevel]]:
    """Read a run folder, called `name`, and the levels of its judged model; a broken one has its `problem`."""
    try:
        manifest = load_manifest(folder)
        run_standing = standing_of(folder, manifest, _worth_hashing(folder))
        verdicts = claimed(run_standing, recorded_verdicts(folder))
        rows = load_metrics(folder).metrics
    except (OSError, UserError) as error:
        time = RUN_NAME.fullmatch(name)
        started = "{}-{}-{}T{}:{}:{}Z".format(*time.groups()) if time else ""
        return PastRun(name=name, started=started, problem=_problem(folder, error)), []
    run = PastRun(
        name=name,
        kind=manifest.kind,
        status=run_standing.word,
        sealed=(folder / SEAL).exists(),
        started=manifest.started,
        ended=manifest.ended,
        models={v: PastModel(name=c.name, digest=c.digest) for v, c in manifest.checkpoints.items() if v != FLOOR},
        suites=[_suite(info, [v for v in verdicts if v.suite == info.name]) for info in manifest.suites],
        no_merge=no_merge(manifest, folder.name) if manifest.kind == "eval" else "",
    )
    return run, list(_levels(manifest, name, rows, verdicts))


def _problem(folder: Path, error: Exception) -> str:
    try:
        return str(error) if (folder / "run.json").exists() else NOT_WRITTEN
    except OSError as refused:  # Another user's folder may be closed.
        return f"the folder cannot be read ({refused.strerror})"


def _worth_hashing(folder: Path) -> list[str]:
    """Return the files to check against the seal: those of a listing, and others only if gone or written after it.

    Records may be gigabytes. A change with its time set back is found by every command that shows one run.
    """
    sealed_at = _written_at(folder / SEAL)
    return [name for name in SEALED if name in SHOWN or not 0 < _written_at(folder / name) <= sealed_at]


def _written_at(file: Path) -> int:
    try:
        return file.stat().st_mtime_ns
    except OSError:
        return 0


def questions_of(info: SuiteInfo) -> str:
    """Return the digest of cases, prompt and scorers: two runs with an equal one have comparable levels."""
    return digest([info.cases_hash, info.prompt_hash, info.scorers_hash])


def _suite(info: SuiteInfo, verdicts: Sequence[Verdict]) -> PastSuite:
    thresholds: dict[str, list[float]] = {}
    for verdict in verdicts:
        if (threshold := level_threshold(verdict)) is not None:
            thresholds.setdefault(verdict.metric, []).append(threshold)
    return PastSuite(
        name=info.name,
        shape=info.shape,
        cluster=info.cluster,
        cases=info.cases,
        asked=info.asked,
        questions=questions_of(info),
        counts=dict(Counter(verdict.outcome for verdict in verdicts)),
        gated=list(dict.fromkeys(verdict.metric for verdict in verdicts)),
        thresholds=thresholds,
        accepted_run=info.accepted.run_id if info.accepted else "",
    )


def _levels(
    manifest: Manifest, name: str, rows: Sequence[MetricRow], verdicts: Sequence[Verdict]
) -> Iterator[MetricLevel]:
    known = {
        (suite.name, metric.name): metric
        for suite in manifest.suites
        for metric in directed(suite.metrics, [(v.metric, v.rule) for v in verdicts if v.suite == suite.name])
    }
    judged = defaultdict[tuple[str, str], Counter[Outcome]](Counter)
    for verdict in verdicts:
        judged[verdict.suite, verdict.metric][verdict.outcome] += 1
    values: dict[tuple[str, str], list[float | None]] = {}
    for row in rows:
        values.setdefault((row.suite, row.metric), []).append(row.estimate.value)
    for row in rows:
        metric = known.get((row.suite, row.metric))
        if metric is None or row.estimate.value is None or row.variant != CANDIDATE or row.slice is not None:
            continue
        yield MetricLevel(
            run=name,
            suite=row.suite,
            estimate=row.estimate,
            is_share=metric.is_percentage(values[row.suite, row.metric]),
            definition=metric,
            outcome=combine_outcomes(judged[row.suite, row.metric]),
        )


def past_runs(root: Path) -> list[PastRun]:
    """List every run folder below `root`, oldest first."""
    runs = [read(folder, name)[0] for name, folder in _folders(root)]
    return sorted(runs, key=lambda run: (run.started, run.name))


def judged_suites(root: Path) -> Iterator[tuple[Path, Manifest, SuiteInfo]]:
    """Yield every suite whose cases a finished run asked all, with the run and its manifest, newest run first.

    Folders that cannot be read are left out.
    """
    for name in runs_newest_first(root):
        folder = root / name
        with suppress(OSError, UserError):
            manifest = load_manifest(folder)
            if manifest.kind == "eval" and manifest.status == "finished" and CANDIDATE in manifest.checkpoints:
                for info in manifest.suites:
                    if info.asked == info.cases:
                        yield folder, manifest, info


def levels(root: Path, suites: Collection[str]) -> list[MetricLevel]:
    """List the levels of these suites in every run below `root`, by suite, metric and name of the run."""
    matching = [level for name, folder in _folders(root) for level in read(folder, name)[1] if level.suite in suites]
    return sorted(matching, key=lambda level: (level.suite, level.definition.name, level.run))


def _folders(root: Path) -> Iterator[tuple[str, Path]]:
    """Yield the name and path of every folder that is a run or has a run's name. Other bytes are escaped."""
    if not root.is_dir():
        return
    for folder in root.iterdir():
        is_run = RUN_NAME.fullmatch(folder.name) or os.access(folder / "run.json", os.F_OK)
        if folder.is_dir() and is_run:
            yield os.fsencode(folder.name).decode(errors="backslashreplace"), folder


KINDS: tuple[str, ...] = get_args(get_type_hints(Manifest)["kind"])
OUTCOMES = ("pass", "fail", "inconclusive", "skipped")
"""Outcomes that all gates of a run together can have."""
AGO = re.compile(r"(\d+)\s*([hdw])")
HOURS = {"h": 1, "d": 24, "w": 7 * 24}


def wanted(
    suites: Iterable[str] = (), kind: str = "", checkpoint: str = "", since: str = "", outcome: str = ""
) -> Callable[[PastRun], bool]:
    """Make a filter of runs; an empty option matches every run. A run that cannot be read matches by its time alone.

    suites: names or folders of suites, with `*` as a wildcard; one match is enough
    checkpoint: part of the name of a model, or the start of its content digest
    since: earliest start, as a day, a time in UTC, or a time ago such as `7d`
    outcome: outcome of all gates together

    Raises UserError for an unknown kind or outcome, or an invalid time.
    """
    for option, value, known in (("--kind", kind, KINDS), ("--outcome", outcome, OUTCOMES)):
        if value and value not in known:
            raise UserError(f"{option} {value}: expected one of {', '.join(known)}")
    names = [_wanted_suite(name) for name in suites]
    earliest = _since(since, datetime.now(UTC)) if since else ""

    def is_wanted(run: PastRun) -> bool:
        return (
            (not names or any(fnmatchcase(suite.name, name) for suite in run.suites for name in names))
            and kind in ("", run.kind)
            and run.started >= earliest
            and (not outcome or (run.kind == "eval" and run.outcome == outcome))
            and (
                not checkpoint
                or any(checkpoint in m.name or m.digest.startswith(checkpoint) for m in run.models.values())
            )
        )

    return is_wanted


def _wanted_suite(name: str) -> str:
    """Return the name of a suite, from its name or its folder."""
    return "/".join(part for part in name.split("/") if part not in ("", ".", "evalsuites"))


def _since(text: str, now: datetime) -> str:
    """Return a day, a time or a time ago such as `7d` as UTC, ISO 8601. Raises UserError."""
    ago = AGO.fullmatch(text.strip())
    try:
        if ago:
            moment = now - timedelta(hours=int(ago[1]) * HOURS[ago[2]])
        else:
            moment = datetime.fromisoformat(text)
            moment = moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise UserError(
            f"--since {text}: not a time. Expected a day or a time in UTC, such as 2026-11-01 or 2026-11-01T08:30, or "
            "how long ago: 12h, 7d, 4w"
        ) from None
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
