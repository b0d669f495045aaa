"""Score a finished run again with the current scorers and gates, without running the model.

The sealed run is not changed: new scores are appended as events that supersede the old ones, and the resulting
estimates and verdicts are in the same batch.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from harness.baseline.compare import without_stale
from harness.baseline.drift import parts_changed
from harness.errors import NothingJudged, UserError
from harness.evaluation.noise_file import read_floors, with_floors
from harness.evaluation.run import GATES, estimate_and_judge
from harness.formatting import count
from harness.gates.config import load_suite_gates
from harness.progress.progress import Progress
from harness.runs.folder import RunData, load_sealed, now
from harness.runs.score_events import alone, append, with_later
from harness.schema import GateFile, Manifest, Metrics, Record, ScoreEvent, SuiteInfo, Verdict
from harness.suites.suite import Suite


class Rescored(Struct, frozen=True, kw_only=True):
    """Result of scoring a run again."""

    path: Path
    """The batch of events."""
    records: int
    """Records scored again."""
    changed: int
    """Scores that changed."""
    metrics: Metrics
    """New estimates."""
    verdicts: list[Verdict]
    """New verdicts."""
    notes: list[str]
    """Notes for readers: suites left out, cases that changed since the run."""


def rescore(run_path: Path, suites: Sequence[Suite], bars: Path | None, progress: Progress) -> Rescored:
    """Score every record of the given suites, append what differs, estimate and judge again. Raises UserError.

    A suite whose cases or prompt changed since the run is scored and not judged.
    """
    run = load_sealed(run_path, "rescored")
    infos, chosen = suites_in(run, suites)
    with alone(run_path, progress.say):
        return _rescored(with_later(run), infos, chosen, bars, progress)


def _rescored(
    run: RunData, infos: dict[str, SuiteInfo], chosen: Sequence[Suite], bars: Path | None, progress: Progress
) -> Rescored:
    events: list[ScoreEvent] = []
    records: list[Record] = []
    scored = 0
    by_name = {suite.name: suite for suite in chosen}
    with progress.stage("scores", len(run.records)) as stage:
        for name, record in run.answers():
            if name in by_name and record.text_kept:
                scores = by_name[name].score(record.case, record.completion)
                events += _differing(name, record, scores, by_name[name])
                record = msgspec.structs.replace(record, scores=record.scores | scores)
                scored += 1
            records.append(record)
            stage.advance()
    scorers = {suite.name: suite.scorers_hash for suite in chosen}
    rescored_run = without_stale(msgspec.structs.replace(run, records=records), scorers)
    gates = {suite.name: load_suite_gates(suite, bars) for suite in chosen}
    manifest = with_floors(rescored_run.manifest, read_floors(chosen, bars), scorers)
    with progress.stage(GATES):
        metrics, verdicts = estimate_and_judge(chosen, gates, manifest, rescored_run.answers())
    changed = {suite.name: why for suite in chosen if (why := stale(infos[suite.name], suite, suite.scorers_hash))}
    verdicts = [verdict for verdict in verdicts if verdict.suite not in changed] + stale_verdicts(
        chosen, gates, changed
    )
    about: dict[str, Any] = {
        "kind": "code",
        "scorers": scorers,
        "metrics": msgspec.to_builtins(metrics),
        "verdicts": msgspec.to_builtins(verdicts),
    }
    return Rescored(
        path=append(run.path, "code", events, about),
        records=scored,
        changed=len(events),
        metrics=metrics,
        verdicts=verdicts,
        notes=[
            *_notes(infos, by_name),
            *_masked(run.manifest),
            *(note for note in manifest.notes if note not in run.manifest.notes),
        ],
    )


def suites_in(run: RunData, suites: Sequence[Suite]) -> tuple[dict[str, SuiteInfo], list[Suite]]:
    """Return what a run recorded of its suites, by name, and which of the given ones are in it.

    Raises UserError for none, and NothingJudged for a run of `tunegate repeatability`, which compares a model with
    itself.
    """
    if "passes" in run.manifest.engine:
        raise NothingJudged(
            f"{run.path}: has the answers of one model twice (`tunegate repeatability`), so its gates are not judged. "
            "Name a run of `tunegate compare` or `eval`"
        )
    infos = {info.name: info for info in run.manifest.suites}
    chosen = [suite for suite in suites if suite.name in infos]
    if not chosen:
        raise UserError(f"{run.path}: has {', '.join(infos) or 'no suite'}; none of the given suites is in it")
    return infos, chosen


def of_suites(run: RunData, names: Collection[str]) -> RunData:
    """Return the run with these of its suites alone."""
    kept = [(suite, record) for suite, record in run.answers() if suite in names]
    infos = [info for info in run.manifest.suites if info.name in names]
    return msgspec.structs.replace(
        run,
        manifest=msgspec.structs.replace(run.manifest, suites=infos),
        records=[record for _, record in kept],
        suite_of=[suite for suite, _ in kept],
    )


def stale(info: SuiteInfo, suite: Suite, scorers_hash: str) -> str | None:
    """Say why a run's numbers do not apply to the current suite; `scorers_hash` is of those that scored it last."""
    changed = parts_changed(info, suite, scorers_hash)
    if not changed:
        return None
    way = "score it again with `tunegate rescore`" if changed == ["scorers"] else "run the suite again"
    return f"Not judged: {' and '.join(changed)} changed since the run; {way}."


def stale_verdicts(suites: Sequence[Suite], gates: Mapping[str, GateFile], reasons: Mapping[str, str]) -> list[Verdict]:
    """Return an error for every gate of the suites with a reason; gates and reasons are by suite."""
    if not reasons:
        return []
    from harness.gates.judge import unjudged

    stopped = [suite for suite in suites if suite.name in reasons]
    return [v for s in stopped for v in unjudged(s.name, gates[s.name], s.slice_values(), reasons[s.name])]


def _differing(suite_name: str, record: Record, scores: dict[str, Any], suite: Suite) -> list[ScoreEvent]:
    return [
        ScoreEvent(
            suite=suite_name,
            case_id=record.case.id,
            variant=record.variant,
            repeat=record.repeat,
            score=new,
            author=suite.scorer_versions.get(name, ""),
            at=now(),
            supersedes=name in record.scores,
        )
        for name, new in scores.items()
        if record.scores.get(name) != new
    ]


def _masked(manifest: Manifest) -> list[str]:
    places = sum(manifest.redacted.values())
    return [f"masked before the run was stored, so scored as masked: {count(places, 'place')}"] if places else []


def _notes(infos: dict[str, SuiteInfo], by_name: dict[str, Suite]) -> list[str]:
    notes = [f"{name}: suite not given, so its scores are unchanged" for name in infos if name not in by_name]
    notes += [
        f"{name}: the suite's cases have changed since the run; answers were scored against the cases of the run"
        for name, suite in by_name.items()
        if suite.cases_hash != infos[name].cases_hash
    ]
    return notes
