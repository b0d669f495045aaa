"""Makes a finished run the accepted baseline of its suites, or says why it may not be. Knows no engine.

Only a whole, sealed run of the suite as it is now is accepted, and one whose gates did not all pass only with a reason
that is kept. Nothing but the command calls this: a run that is judged never moves what it is judged against.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from msgspec import Struct

from harness.baseline.format import (
    BASELINE_FILE,
    LABEL_LISTS,
    Accepted,
    AcceptedAnswer,
    AcceptedCase,
    AcceptedMetric,
    AcceptedModel,
    encode,
    sealed,
    short,
)
from harness.errors import GateFailed, NothingJudged, UserError, refuse_all
from harness.files import digest, write_atomic
from harness.gates.config import load_gates
from harness.runs.folder import RunData, load_sealed
from harness.schema import CANDIDATE, Checkpoint, Metric, Record, SuiteInfo, Verdict
from harness.suites.cases import case_hash
from harness.suites.suite import Suite


class Acceptance(Struct, frozen=True, kw_only=True):
    """Who accepts, when and why."""

    reason: str
    """Why this model is the one to compare with from now on."""
    accepted_at: str
    """UTC time, ISO 8601."""
    approved_by: str = ""
    """Who, where that is said."""
    although: str = ""
    """Why a run is accepted whose gates did not all pass."""


def accept(run_path: Path, suites: Sequence[Suite], said: Acceptance) -> list[Path]:
    """Write baseline.json into the folder of every suite of the run that is at hand; returns the files.

    Everything that stands against it is named in one UserError, or in one GateFailed where only gates do, and then
    nothing is written.
    """
    run = load_sealed(run_path, "accepted")
    known = {info.name: info for info in run.manifest.suites}
    at_hand = [suite for suite in suites if suite.name in known]
    if not at_hand:
        raise UserError(f"{run_path}: holds {', '.join(known) or 'no suite'}; none of them is among the suites given")
    if not said.reason.strip():
        raise UserError("--reason is empty. It is kept in baseline.json, for whoever reviews the change")
    problems = [
        p for suite in at_hand for p in _not_whole(run, known[suite.name]) or _not_now(known[suite.name], suite)
    ]
    refuse_all([f"{problem}. Run the suite again and accept that run" for problem in problems], f"{run_path}: refused")
    _check_gates(run, said)
    files = {suite.folder / BASELINE_FILE: encode(baseline_of(run, suite, said)) for suite in at_hand}
    for path, data in files.items():
        write_atomic(path, data, "Accept needs to write into the suite's folder")
    return list(files)


def _not_whole(run: RunData, info: SuiteInfo) -> list[str]:
    """Why the run's answers to a suite are not all of them."""
    tuned = run.by_variant(info.name).get(CANDIDATE, [])
    answered, wanted = len({r.case.id for r in tuned}), info.cases - len(info.left_out)
    if info.asked < info.cases or answered < wanted or not answered:
        return [f"{info.name}: {answered} of {info.cases} cases were answered; a partial run is no baseline"]
    return []


def _not_now(info: SuiteInfo, suite: Suite) -> Iterator[str]:
    """What is not as it was in the run."""
    pairs = {
        "cases": (info.cases_hash, suite.cases_hash),
        "prompt": (info.prompt_hash, suite.prompt_hash),
        "scorers": (info.scorers_hash, suite.scorers_hash),
        suite.gates_path.name: (info.gates_hash, digest(suite.gates_path.read_bytes())),
    }
    for what, (then, now) in pairs.items():
        if then != now:
            yield f"{info.name}: {what} of the run and of the suite as it is now are not the same"


def _check_gates(run: RunData, said: Acceptance) -> None:
    unmet = [v for v in run.verdicts if v.outcome != "pass"]
    if said.although.strip() or (run.verdicts and not unmet):
        return
    is_judged = any(v.outcome != "skipped" for v in run.verdicts)
    found = f"{len(unmet)} of {len(run.verdicts)} gates did not pass" if is_judged else "no gate was judged"
    first = f", the first: {unmet[0].suite} {unmet[0].gate}: {unmet[0].outcome}, {unmet[0].reason}" if unmet else ""
    refused = GateFailed if is_judged else NothingJudged
    raise refused(
        f"{run.path}: {found}{first.rstrip('.')}. Accept it with --although REASON where that is right, as for a first "
        "baseline; the reason is kept in baseline.json"
    )


def baseline_of(run: RunData, suite: Suite, said: Acceptance) -> Accepted:
    """What baseline.json says of the tuned model of a run."""
    info = next(i for i in run.manifest.suites if i.name == suite.name)
    tuned: dict[str, list[Record]] = {}
    for record in run.by_variant(suite.name)[CANDIDATE]:
        tuned.setdefault(record.case.id, []).append(record)
    everything = [record for records in tuned.values() for record in records]
    counts, labels = _counts(suite.metrics), _labels(suite.metrics, everything)
    return sealed(
        Accepted(
            suite=suite.name,
            suite_hash=info.hash,
            cases_hash=info.cases_hash,
            prompt_hash=info.prompt_hash,
            scorers_hash=info.scorers_hash,
            gates_hash=info.gates_hash,
            scorers=suite.scorer_versions,
            gates=load_gates(suite.gates_path).gate,
            model=_model(run.manifest.checkpoints[CANDIDATE]),
            run_id=run.manifest.run_id,
            accepted_at=said.accepted_at,
            reason=said.reason.strip(),
            approved_by=said.approved_by.strip(),
            although=_although(run.verdicts, said),
            samples=info.samples,
            metrics=_metrics(run, suite.name),
            counts=counts,
            cases={
                case.id: AcceptedCase(
                    case_hash=short(case_hash(case)),
                    input_hash=short(digest(case.input)),
                    prompt_hash=short(tuned[case.id][0].prompt_hash) if case.id in tuned else "",
                    cluster=case.cluster,
                    answers=[
                        _answer(record, counts, labels)
                        for record in sorted(tuned.get(case.id, []), key=lambda r: r.repeat)
                    ],
                )
                for case in suite.cases
            },
        )
    )


def _although(verdicts: Sequence[Verdict], said: Acceptance) -> str:
    """Kept only where it was needed."""
    return said.although.strip() if not verdicts or any(v.outcome != "pass" for v in verdicts) else ""


def _model(checkpoint: Checkpoint) -> AcceptedModel:
    """The checkpoint without folders of this machine."""
    name = Path(checkpoint.name)
    return AcceptedModel(
        name=name.name if name.is_absolute() else checkpoint.name,
        digest=checkpoint.digest,
        base_digest=checkpoint.base_digest,
        adapter_digest=checkpoint.adapter_digest,
        tokenizer_digest=checkpoint.tokenizer_digest,
    )


def _metrics(run: RunData, suite: str) -> dict[str, AcceptedMetric]:
    rows = [r for r in run.metrics.metrics if (r.suite, r.variant, r.slice) == (suite, CANDIDATE, None)]
    return {
        row.metric: AcceptedMetric(
            value=row.estimate.value, low=row.estimate.low, high=row.estimate.high, n=row.estimate.n
        )
        for row in rows
    }


def _counts(metrics: Iterable[Metric]) -> dict[str, list[str]]:
    """By scorer, the counts that its metrics read."""
    needed: dict[str, set[str]] = {}
    for metric in metrics:
        read = needed.setdefault(metric.scorer, set())
        if metric.kind == "ratio":
            read |= {name for name in (metric.numerator, metric.denominator) if name}
    return {scorer: sorted(read) for scorer, read in needed.items()}


def _labels(metrics: Iterable[Metric], records: Sequence[Record]) -> dict[str, set[str]]:
    """By scorer with means over labels, those that are right somewhere: the statistics tell no others apart."""
    found: dict[str, set[str]] = {}
    for scorer in {m.scorer for m in metrics if m.over_labels}:
        found[scorer] = {label for record in records for label in record.case.expected}
        for record in records:
            lists = record.scores[scorer].extracted if scorer in record.scores else {}
            found[scorer] |= {*lists.get("found", []), *lists.get("missing", [])}
    return found


def _answer(record: Record, counts: Mapping[str, Sequence[str]], labels: Mapping[str, set[str]]) -> AcceptedAnswer:
    """An answer's scores. A label that is right nowhere may be the model's own words, and is kept without them."""
    from harness.stats.score_table import UNEXPECTED

    scores = {name: record.scores[name] for name in sorted(counts) if name in record.scores}
    kept = {
        name: [
            [label if label in labels[name] else UNEXPECTED for label in scores[name].extracted.get(column, [])]
            for column in LABEL_LISTS
        ]
        for name in scores
        if name in labels
    }
    return AcceptedAnswer(
        scores={name: [s.value, *(s.counts.get(count) for count in counts[name])] for name, s in scores.items()},
        labels={name: (found, invented, missing) for name, (found, invented, missing) in kept.items()},
        failed=[name for name, score in scores.items() if score.failed],
        error=record.error is not None,
    )
