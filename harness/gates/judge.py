"""Judges the gates of gates.toml on a suite's records, each by its rule in `gates.rules`.

A verdict is pass, fail or inconclusive; only pass merges. First come checks, in the order in which they are reported:
not comparable, nothing evaluated, a partial population, no baseline, a margin within the noise, too many errors, a
share that is over 1, too many answers without a score, too few clusters, too few cases. Numeric libraries load when
they are needed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from harness.formatting import beside, count, plural, unsigned
from harness.gates.config import GateId, gate_ids
from harness.gates.rules import COMPARATIVE, GATE_RULES, HIGHER_IS_BETTER, is_tested, threshold_in_words
from harness.gates.rules.base import FEWEST_CLUSTERS, Evidence, Finding, declare_unbounded
from harness.gates.sentences import sentence
from harness.schema import BASELINE, CANDIDATE, Case, Gate, GateFile, Metric, Noise, Verdict

if TYPE_CHECKING:
    from harness.stats.intervals import Array
    from harness.stats.observations import Answers

FEWEST_EQUAL = 5
"""No gate judges on clusters of unequal size that are worth fewer of one size: the largest then decide by themselves.

`cluster_variance.effective` counts them. Above it the bounds hold as they say, down to one cluster with two fifths of
all cases; below it simulated lower bounds hold as little as 89.8% of the time.
"""
FEWEST_OF_A_LABEL = 5
"""No gate judges a mean over labels where fewer clusters expect one of them: its own number is then by chance."""
FAILS_AT_BEST = "; the gate fails even if all of them are as good as can be"
NO_BASELINE = "no baseline was given (tunegate compare, or --baseline of pytest, import or regate)"


def judge(
    suite: str,
    gate_file: GateFile,
    metrics: Iterable[Metric],
    records_by_variant: Mapping[str, Answers],
    *,
    expected_cases: int,
    slices: Mapping[str, Sequence[str]],
    comparable: str | None = None,
    no_baseline: str = NO_BASELINE,
    noise: Noise | None = None,
    cluster: str = "cluster",
    left_out: Sequence[Case] = (),
) -> list[Verdict]:
    """One verdict for every gate and slice value, in file order, named as `gate_ids` names them.

    `slices` gives each slice tag's values over the whole suite; `expected_cases` is the suite's number of cases
    without `left_out`, those longer than the model's context;
    `comparable` says what differs where suite, data or scorers changed since the baseline was accepted, and then
    nothing is compared; `no_baseline` is said where there is none; no margin may be tighter than `noise`;
    `cluster` is the suite's word for a cluster.
    """
    from harness.stats.observations import reading

    known = {m.name: m for m in metrics}
    ids = gate_ids(gate_file, slices, suite)
    read = {variant: reading(records) for variant, records in records_by_variant.items()}

    def collect(asked: GateId) -> Finding | Evidence:
        too_fine = within_noise(asked, noise, known[asked.gate.metric])
        stopped = screen(asked.gate, read, expected_cases, comparable, no_baseline, too_fine)
        return stopped or gather(asked, known[asked.gate.metric], read, cluster, left_out)

    claims = claims_of(collect(asked) if is_tested(asked.gate) else None for asked in ids)
    items = (with_claim(collect(asked), place, claims) for place, asked in enumerate(ids))
    return [
        _verdict(suite, asked, item if isinstance(item, Finding) else _apply(item), known.get(asked.gate.metric))
        for asked, item in zip(ids, items, strict=True)
    ]


def unjudged(
    suite: str, gates: GateFile, slices: Mapping[str, Sequence[str]], reason: str, metrics: Iterable[Metric] = ()
) -> list[Verdict]:
    """An error for every gate of a suite whose numbers may not be looked at; `metrics` say how a threshold is shown."""
    known = {metric.name: metric for metric in metrics}
    return [
        _verdict(suite, asked, Finding("error", reason), known.get(asked.gate.metric))
        for asked in gate_ids(gates, slices, suite)
    ]


def _apply(evidence: Evidence) -> Finding:
    """The rule's finding, unless there is too little to judge; what one case decides stays decided."""
    rule = GATE_RULES[evidence.gate.rule]
    finding = rule.judge(evidence)
    lacking = too_few(evidence) or (too_long(evidence) if finding.outcome == "pass" else None)
    if lacking and not (rule.one_decides and finding.outcome == "fail"):
        value = finding.seen.partition(" (")[0]
        reason = " ".join(filter(None, (_required(evidence, value), lacking[0])))
        return replace(finding, outcome="inconclusive", reason=reason, needed=lacking[1], seen=value)
    left_out = evidence.pairs or evidence.level
    unscored = count(left_out.unscored, "answer")
    parts = [
        _required(evidence, finding.seen),
        finding.reason,
        f"{count(left_out.errors, 'answer')} failed, in the engine or the scorer, and count against the claim."
        if left_out.errors
        else "",
        f"Left out without a score: {unscored}{FAILS_AT_BEST if evidence.fails_at_best else ''}."
        if left_out.unscored
        else "",
    ]
    seen = f"{finding.seen}; {unscored} without a score" if left_out.unscored else finding.seen
    return replace(finding, reason=" ".join(filter(None, parts)), seen=seen)


def _required(evidence: Evidence, seen: str) -> str:
    """The sentence of what was seen and required; empty where nothing was measured."""
    return sentence(seen, threshold_in_words(evidence.gate, evidence.metric)) if seen else ""


def _verdict(suite: str, asked: GateId, finding: Finding, metric: Metric | None = None) -> Verdict:
    gate = asked.gate
    return Verdict(
        suite=suite,
        gate=asked.id,
        metric=gate.metric,
        rule=gate.rule,
        slice=gate.slice,
        slice_value=asked.slice_value,
        outcome=finding.outcome,
        observed=finding.observed,
        seen=finding.seen,
        bar=threshold_in_words(gate, metric),
        margin=finding.margin,
        reason=finding.reason,
        needed=finding.needed,
    )


def screen(
    gate: Gate,
    records: Mapping[str, Answers],
    expected_cases: int,
    comparable: str | None,
    no_baseline: str = NO_BASELINE,
    too_fine: str | None = None,
) -> Finding | None:
    """What rules out a judgement whatever the numbers are, in the order in which it is said.

    `comparable` says what moved since the baseline was accepted, which stops the rules that need one; `no_baseline`
    says what to do where there is none; `too_fine` that the margin lies within the noise.
    """
    from harness.stats.observations import reading

    tuned, baseline = (reading(records.get(variant, ())).case_count for variant in (CANDIDATE, BASELINE))
    if comparable and gate.rule in COMPARATIVE:
        return Finding("error", f"Not comparable with the accepted baseline: {comparable}.")
    if not tuned:
        return Finding("fail", "Nothing was evaluated: there are no answers of the tuned model.")
    if tuned < expected_cases:
        return Finding("skipped", f"Only {tuned} of {expected_cases} cases were answered; a gate judges all.")
    if gate.rule not in COMPARATIVE:
        return None
    if not baseline:
        return Finding("skipped", no_baseline)
    if baseline < expected_cases:
        return Finding("skipped", f"The baseline answered only {baseline} of {expected_cases} cases.")
    return Finding("error", f"Not judged: {too_fine}.") if too_fine else None


def within_noise(asked: GateId, noise: Noise | None, metric: Metric) -> str | None:
    """Why the change that a gate asks for, or allows, cannot be told from the noise that was measured; or None.

    A relative margin, and a cut, are taken of the level that the noise was measured at.
    """
    gate = asked.gate
    if noise is None or gate.rule not in COMPARATIVE:
        return None
    measured_floor = noise.of(gate.metric, gate.slice, asked.slice_value)
    if measured_floor is None or measured_floor.floor is None or measured_floor.level is None:
        return None
    wanted = gate.margin if gate.ratio is None else 1 - gate.ratio
    if gate.ratio is not None or gate.unit == "relative":
        wanted *= abs(measured_floor.level)
    if wanted == 0 or wanted >= measured_floor.floor:
        return None
    is_share = metric.is_percentage([measured_floor.level])
    shown, floor = (unsigned(x, is_share) for x in (wanted, measured_floor.floor))
    floor = beside(floor, measured_floor.floor, wanted, shown)
    what = "margin" if gate.ratio is None else "cut"
    return f"the {what} of {shown} is below the noise of {floor} that {noise.run_id} measured by asking one model twice"


def gather(
    asked: GateId, metric: Metric, records: Mapping[str, Answers], cluster: str, left_out: Sequence[Case] = ()
) -> Finding | Evidence:
    """Observations of the gate's slice, or why they cannot be judged; `cluster` is the suite's word for one."""
    from harness.stats.observations import MAX_ERROR_SHARE, in_slice, observations
    from harness.stats.pairs import pair

    gate = asked.gate
    tuned = in_slice(records[CANDIDATE], gate.slice, asked.slice_value)
    is_turned = HIGHER_IS_BETTER.get(gate.rule, metric.higher_is_better) != metric.higher_is_better
    # A failed answer counts against the gate, also where its rule asks for the metric's worse end.
    level = observations(tuned, metric, "baseline" if is_turned else "candidate")
    pairs = None
    if gate.rule in COMPARATIVE:
        other = observations(in_slice(records[BASELINE], gate.slice, asked.slice_value), metric, "baseline")
        pairs = pair(level, other, metric)
        if pairs.changed_inputs:
            differ = f"{count(pairs.changed_inputs, 'case')} {'differs' if pairs.changed_inputs == 1 else 'differ'}"
            return Finding("error", f"Not comparable: {differ} in input from the baseline.")
        if level.cases and not other.cases:
            return Finding("fail", "Nothing was compared: none of the baseline's answers has a score.")
    if not level.cases:
        why = f"none of {level.records} answers has a score" if level.records else "no case is in this slice"
        return Finding("fail", f"Nothing was evaluated: {why}.")
    not_measured = pairs.too_many_errors if pairs else level.too_many_errors
    if not_measured:
        return Finding("fail", f"Not measured: {not_measured}.")
    lost = sum(gate.slice is None or case.tags.get(gate.slice) == asked.slice_value for case in left_out)
    evidence = Evidence(
        gate=gate,
        metric=metric,
        level=level,
        pairs=pairs,
        cluster=cluster,
        too_long=lost,
        planned=tuned.case_count + lost,
    )
    rule = GATE_RULES[gate.rule]
    if metric.kind == "ratio" and not (metric.unbounded or evidence.is_share or rule.one_decides):
        why = f"'{metric.name}' is a share, but some cases are not in 0 to 1.{declare_unbounded(metric)}"
        return Finding("error", f"Not judged: {why}.")
    has_best = "value" in rule.needs and not (metric.unbounded and gate.rule == "at_least")
    if not has_best or level.unscored <= MAX_ERROR_SHARE * level.records:
        return evidence
    at_best = replace(evidence, level=tuned.filled(metric, "candidate" if is_turned else "baseline"))
    fails = all(rule.judge(each).outcome == "fail" for each in (evidence, at_best))
    return replace(evidence, fails_at_best=fails)


def claims_of(found: Iterable[Finding | Evidence | None]) -> dict[int, float]:
    """By place the p value of every claim that is tested, on enough data to be judged, corrected over all of them.

    Each is released before the next is read, so that memory holds the cases of one gate at a time.
    """
    from harness.stats.paired import holm, superiority

    tested = {
        i: superiority(item.pairs)[0]
        for i, item in enumerate(found)
        if isinstance(item, Evidence) and item.pairs and is_tested(item.gate) and too_few(item) is None
    }
    return dict(zip(tested, holm(list(tested.values())), strict=True))


def with_claim(item: Finding | Evidence, place: int, claims: Mapping[int, float]) -> Finding | Evidence:
    """The item with the p value of its place, where it has one."""
    if isinstance(item, Finding) or place not in claims:
        return item
    return replace(item, p_value=claims[place], claims=len(claims))


def after_holm(found: Sequence[Finding | Evidence]) -> list[Finding | Evidence]:
    """Give every claim its p value; see `claims_of`."""
    claims = claims_of(found)
    return [with_claim(item, place, claims) for place, item in enumerate(found)]


def too_few(evidence: Evidence) -> tuple[str, str] | None:
    """Reason and need where there are too few scores, clusters or cases to judge on, or one cluster is most of them."""
    from harness.stats import cluster_variance

    if lacking := _too_many_unscored(evidence):
        return lacking
    cases, clusters, n_min = evidence.cases, evidence.clusters, evidence.gate.n_min
    noun = plural(evidence.cluster)
    shown = f"{evidence.population} {'is' if cases == 1 else 'are'} shown but not judged"
    if not cases:
        shown = "No answer has anything that this gate counts"
    if clusters < FEWEST_CLUSTERS:
        fewest = f"at least {FEWEST_CLUSTERS} {noun}"
        return f"{shown}: a gate needs {fewest}.", f"{fewest}; has {clusters}"
    name, shares = evidence.largest
    if cluster_variance.is_fewer(cluster_variance.effective(shares), FEWEST_EQUAL):
        return (
            f"{shown}: '{name}' alone holds {shares[0]:.0%} of what is counted, so they tell as much as "
            f"{cluster_variance.effective(shares):.1f} {noun} of equal size; a gate needs {FEWEST_EQUAL}.",
            f"{count(_evened_out(shares), f'more {evidence.cluster}')} like the others, or fewer cases of '{name}'",
        )
    rarest = evidence.level.table.rarest_label if evidence.metric.over_labels else None
    if rarest and rarest[1] < FEWEST_OF_A_LABEL:
        label, holders = rarest
        verb = "holds" if holders == 1 else "hold"
        fewest = f"{FEWEST_OF_A_LABEL} {noun} with '{label}'"
        return (
            f"{shown}: {count(holders, evidence.cluster)} {verb} '{label}', and a mean over labels needs {fewest}.",
            f"{fewest}; has {holders}",
        )
    if cases < n_min:
        fewest = count(n_min, "case")
        return f"Too few: {count(cases, 'case')}, and this gate needs {fewest}.", f"{fewest}; has {cases}"
    return None


def _too_many_unscored(evidence: Evidence) -> tuple[str, str] | None:
    """Reason and need where too many answers have no score, of the tuned model or of the baseline in a comparison.

    They may be what the tuned model is worst at, or the baseline best, so that the rest is no sample of the answers.
    """
    from harness.stats.observations import MAX_ERROR_SHARE

    pairs, level = evidence.pairs, evidence.level
    if pairs is None:
        sides = [(level.unscored, level.records, "", "")]
    else:
        sides = [
            (pairs.lost, level.records, "", ", where the baseline has one"),
            (pairs.lost_baseline, pairs.baseline_records, " of the baseline", ", where the tuned model has one"),
        ]
    for lost, records, whose, where in sides:
        if lost > MAX_ERROR_SHARE * records and not evidence.fails_at_best:
            of = f"{lost:,} of {count(records, 'answer')}{whose}"
            return (
                f"{of} have no score by '{evidence.metric.scorer}'{where}; the cap is {MAX_ERROR_SHARE:.0%}. Score an "
                "answer that cannot be read as wrong; where cases do not apply, judge the others with slice and "
                "values.",
                f"a score for {of}",
            )
    return None


def too_long(evidence: Evidence) -> tuple[str, str] | None:
    """Reason and need where the model can read too few cases: those that it cannot may be the hardest."""
    from harness.stats.observations import MAX_ERROR_SHARE

    if evidence.too_long <= MAX_ERROR_SHARE * evidence.planned:
        return None
    of = f"{evidence.too_long:,} of {count(evidence.planned, 'case')}"
    return (
        f"Left out as longer than the model's context: {of}; the cap is {MAX_ERROR_SHARE:.0%}. Use a model with a "
        "longer context; where it is only for short cases, judge these with slice and values.",
        f"answers to {of}",
    )


def _evened_out(shares: Array) -> int:
    """Contracts of the mean size of all but the largest that make enough of one size together with these."""
    squares, each = float(shares @ shares), float(1 - shares[0]) / (len(shares) - 1)
    more = 0
    while (1 + more * each) ** 2 < FEWEST_EQUAL * (squares + more * each**2):
        more += 1
    return more
