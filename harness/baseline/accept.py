"""Accept a finished run as the baseline of its suites, or refuse it with the reason.

Only a complete, sealed run of the current suite is accepted. A run whose gates did not all pass, or whose answers no
known weights gave, needs a reason, which is recorded. Only the command calls this, so that a run never changes its own
baseline.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from msgspec import Struct, structs

from harness.baseline.drift import gates_changed, parts_changed
from harness.baseline.format import (
    BASELINE_FILE,
    LABEL_LISTS,
    Accepted,
    AcceptedAnswer,
    AcceptedCase,
    AcceptedMetric,
    AcceptedModel,
    encode,
    load_accepted,
    sealed,
    short,
)
from harness.errors import GateFailed, NothingJudged, UserError, refuse_all
from harness.files import digest, write_atomic
from harness.formatting import exact_margin, number, phrase
from harness.gates.config import gate_ids, load_gates
from harness.gates.rules import COMPARATIVE
from harness.runs.folder import RunData, load_sealed
from harness.schema import CANDIDATE, Checkpoint, Metric, Record, SuiteInfo
from harness.suites.cases import case_hash
from harness.suites.suite import Suite


class Acceptance(Struct, frozen=True, kw_only=True):
    """Who accepts, when and why."""

    reason: str
    """Why later models are compared with this one."""
    accepted_at: str
    """UTC time, ISO 8601."""
    approved_by: str = ""
    """Who approved it; may be empty."""
    although: str = ""
    """Why it is accepted with an objection; empty where there is none."""


def accept(run_path: Path, suites: Sequence[Suite], acceptance: Acceptance) -> list[Path]:
    """Write baseline.json into the folder of every given suite that the run has, and return the files.

    Raises UserError with every objection, or GateFailed or NothingJudged for one that a reason overrides. Nothing is
    written then.
    """
    run = load_sealed(run_path, "accepted")
    infos = {info.name: info for info in run.manifest.suites}
    chosen = [suite for suite in suites if suite.name in infos]
    if not chosen:
        raise UserError(f"{run_path}: has {', '.join(infos) or 'no suite'}; none of the given suites is in it")
    if not acceptance.reason.strip():
        raise UserError("--reason is empty. It is recorded in baseline.json, for reviewers of the change")
    problems = [p for suite in chosen for p in _not_whole(run, infos[suite.name]) or _not_now(infos[suite.name], suite)]
    refuse_all([f"{problem}. Run the suite again and accept that run" for problem in problems], f"{run_path}: refused")
    objection = _objection(run, chosen)
    if objection and not acceptance.although.strip():
        raise objection
    files = {suite.folder / BASELINE_FILE: encode(baseline_of(run, suite, acceptance)) for suite in chosen}
    for path, data in files.items():
        write_atomic(path, data, "Accept needs to write into the suite's folder")
    return list(files)


def _not_whole(run: RunData, info: SuiteInfo) -> list[str]:
    """Say why the run's answers to a suite are incomplete; [] where they are complete."""
    tuned = run.by_variant(info.name).get(CANDIDATE, [])
    answered, expected = len({r.case.id for r in tuned}), info.cases - len(info.left_out)
    if info.asked < info.cases or answered < expected or not answered:
        return [f"{info.name}: {answered} of {info.cases} cases were answered; a partial run cannot be a baseline"]
    return []


def _not_now(info: SuiteInfo, suite: Suite) -> list[str]:
    """Say what changed in a suite since the run."""
    gates = [suite.gates_path.name] if gates_changed(info, suite) else []
    return [f"{info.name}: {part} changed since the run" for part in [*parts_changed(info, suite), *gates]]


def _objection(run: RunData, suites: Sequence[Suite]) -> UserError | None:
    """Return the error of a run that is accepted only with a reason; None for any other."""
    unmet = [v for v in run.verdicts if v.outcome != "pass"]
    replaced = [suite.name for suite in suites if _replaced(run, suite)]
    lost = [text for suite in suites for text in _lost(run, suite).values()]
    error_type: type[UserError] = GateFailed
    if all(v.outcome == "skipped" for v in run.verdicts):
        error_type, problem = NothingJudged, "no gate was judged"
    elif unmet:
        problem = f"{len(unmet)} of {len(run.verdicts)} gates did not pass"
    elif replaced:
        problem = f"{', '.join(replaced)} has another accepted baseline, which the run was not compared with"
    elif unknown := run.manifest.no_merge:
        problem = unknown
    elif lost:
        problem = lost.pop(0)
    else:
        return None
    problem = "; ".join([problem, *lost])
    first = f", the first: {unmet[0].suite} {unmet[0].gate}: {unmet[0].outcome}, {unmet[0].reason}" if unmet else ""
    return error_type(
        f"{run.path}: {problem}{first.rstrip('.')}. Accept it with --override-reason REASON where that is right, "
        "as for the first baseline; the reason is recorded in baseline.json"
    )


def _replaced(run: RunData, suite: Suite) -> bool:
    """Whether gates of the run compare with anything but the suite's accepted baseline; an unreadable one is none.

    A run of the accepted model's own weights is a comparison with it.
    """
    compared = next(info.accepted for info in run.manifest.suites if info.name == suite.name)
    if any(v.suite == suite.name and v.rule in COMPARATIVE for v in run.verdicts):
        with suppress(UserError):
            now = load_accepted(suite.folder / BASELINE_FILE, suite.name)
            known = {compared and compared.digest, *(seen.digest for seen in run.manifest.checkpoints.values())}
            return bool(now and now.run_id != run.manifest.run_id and known.isdisjoint((now.digest, now.model.digest)))
    return False


Place = tuple[str, str]
"""A metric and the part of the suite that it is over: `instrument=lease`, or an empty text for the whole suite."""


def _best(suite: Suite, info: SuiteInfo) -> dict[Place, float]:
    """Return the best level of each metric that the suite's baselines had on the same cases, prompt and scorers."""
    best: dict[Place, float] = {}
    with suppress(UserError):
        now = load_accepted(suite.folder / BASELINE_FILE, suite.name)
        hashes = (info.cases_hash, info.prompt_hash, info.scorers_hash)
        if now and hashes == (now.cases_hash, now.prompt_hash, now.scorers_hash):
            for name, metric in now.metrics.items():
                level = metric.value if metric.best is None else metric.best
                best |= {
                    (name, part): level for part, level in [("", level), *metric.slices.items()] if level is not None
                }
    return best


def _levels(run: RunData, suite: Suite) -> dict[Place, float]:
    """Return the levels of the tuned model that a gate may compare."""
    rows = [row for row in run.metrics.metrics if (row.suite, row.variant) == (suite.name, CANDIDATE)]
    return {
        (row.metric, _part(row.slice, row.slice_value)): row.estimate.value
        for row in rows
        if row.estimate.value is not None
    }


def _part(name: str | None, value: str | None) -> str:
    return f"{name}={value}" if name else ""


def _guarded(suite: Suite) -> dict[Place, float]:
    """Return the smallest margin of the `no_worse` gates, by what they are over."""
    margins: dict[Place, float] = {}
    for asked in gate_ids(load_gates(suite.gates_path), suite.slice_values(), suite.name):
        place, margin = (asked.gate.metric, _part(asked.gate.slice, asked.slice_value)), asked.gate.margin
        if asked.gate.rule == "no_worse":
            margins[place] = min(margin, margins.get(place, margin))
    return margins


def _lost(run: RunData, suite: Suite) -> dict[Place, str]:
    """Say of each metric by how much it fell below its best baseline, where that is more than its `no_worse` allows.

    Each baseline may be a little worse than the one before it, so that many small losses pass one by one.
    """
    info = next(i for i in run.manifest.suites if i.name == suite.name)
    best, levels = _best(suite, info), _levels(run, suite)
    metrics = {metric.name: metric for metric in suite.metrics}
    lost: dict[Place, str] = {}
    for place, margin in _guarded(suite).items():
        if place not in levels or place not in best:
            continue
        (name, part), value, before = place, levels[place], best[place]
        metric = metrics[name]
        fell = before - value if metric.higher_is_better else value - before
        if fell > margin:
            is_share = metric.is_percentage([before, value])
            lost[place] = (
                f"{suite.name}: {phrase(name)}{f' of {part}' if part else ''} is {number(value, is_share)}, and a "
                f"baseline had {number(before, is_share)}. The loss is over the margin of "
                f"{exact_margin(margin, is_share)}, in one step or in several"
            )
    return lost


def baseline_of(run: RunData, suite: Suite, acceptance: Acceptance) -> Accepted:
    """Build the content of baseline.json from the tuned model of a run."""
    info = next(i for i in run.manifest.suites if i.name == suite.name)
    tuned: dict[str, list[Record]] = {}
    for record in run.by_variant(suite.name)[CANDIDATE]:
        tuned.setdefault(record.case.id, []).append(record)
    all_records = [record for records in tuned.values() for record in records]
    counts, labels = _counts(suite.metrics), _labels(suite.metrics, all_records)
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
            accepted_at=acceptance.accepted_at,
            reason=acceptance.reason.strip(),
            approved_by=acceptance.approved_by.strip(),
            although=acceptance.although.strip() if _objection(run, [suite]) else "",
            samples=info.samples,
            metrics=_with_best(run, suite, info),
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


def _model(checkpoint: Checkpoint) -> AcceptedModel:
    """Return the checkpoint without folders of this machine."""
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


def _with_best(run: RunData, suite: Suite, info: SuiteInfo) -> dict[str, AcceptedMetric]:
    """Return the levels of a run, and the better ones of earlier baselines but where their loss is accepted now.

    Of slices, only those with a `no_worse` gate, now or in an earlier baseline.
    """
    metrics, best, levels, lost = _metrics(run, suite.name), _best(suite, info), _levels(run, suite), _lost(run, suite)
    sign = {metric.name: 1 if metric.higher_is_better else -1 for metric in suite.metrics}
    for place in levels.keys() & best.keys() - lost.keys():
        levels[place] = sign[place[0]] * max(sign[place[0]] * level for level in (best[place], levels[place]))
    kept = (_guarded(suite).keys() | best.keys()) & levels.keys()
    for name, metric in metrics.items():
        level = levels.get((name, ""))
        slices = {part: levels[name, part] for owner, part in sorted(kept) if owner == name and part}
        metrics[name] = structs.replace(metric, best=None if level == metric.value else level, slices=slices)
    return metrics


def _counts(metrics: Iterable[Metric]) -> dict[str, list[str]]:
    """Return the counts that metrics read, by scorer."""
    needed: dict[str, set[str]] = {}
    for metric in metrics:
        names = needed.setdefault(metric.scorer, set())
        if metric.kind == "ratio":
            names |= {name for name in (metric.numerator, metric.denominator) if name}
    return {scorer: sorted(names) for scorer, names in needed.items()}


def _labels(metrics: Iterable[Metric], records: Sequence[Record]) -> dict[str, set[str]]:
    """Return the labels that are right in some case, by scorer with means over labels; statistics need no others."""
    labels: dict[str, set[str]] = {}
    for scorer in {m.scorer for m in metrics if m.over_labels}:
        labels[scorer] = {label for record in records for label in record.case.expected}
        for record in records:
            lists = record.scores[scorer].extracted if scorer in record.scores else {}
            labels[scorer] |= {*lists.get("found", []), *lists.get("missing", [])}
    return labels


def _answer(record: Record, counts: Mapping[str, Sequence[str]], labels: Mapping[str, set[str]]) -> AcceptedAnswer:
    """Return an answer's scores. A label that is never right may be the model's own words, so its text is dropped."""
    from harness.stats.score_table import UNEXPECTED

    scores = {name: record.scores[name] for name in sorted(counts) if name in record.scores}
    lists = {
        name: [
            [label if label in labels[name] else UNEXPECTED for label in scores[name].extracted.get(column, [])]
            for column in LABEL_LISTS
        ]
        for name in scores
        if name in labels
    }
    return AcceptedAnswer(
        scores={name: [s.value, *(s.counts.get(count) for count in counts[name])] for name, s in scores.items()},
        labels={name: (found, invented, missing) for name, (found, invented, missing) in lists.items()},
        failed=[name for name, score in scores.items() if score.failed],
        error=record.error is not None,
    )
