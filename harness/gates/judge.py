"""Judges the gates of gates.toml on a suite's records, each by its rule in `gates.rules`.

A verdict is pass, fail or inconclusive, after the checks of `evidence`; only pass merges. Numeric libraries load when
`judge` is called.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from harness.formatting import count
from harness.gates.config import GateId, gate_ids
from harness.gates.evidence import NO_BASELINE, claims_of, gather, screen, too_few, with_claim, within_noise
from harness.gates.rules import GATE_RULES, is_tested, threshold_in_words
from harness.gates.rules.base import Evidence, Finding
from harness.gates.sentences import sentence
from harness.schema import GateFile, Metric, Noise, Verdict

if TYPE_CHECKING:
    from harness.stats.observations import Answers


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
) -> list[Verdict]:
    """One verdict for every gate and slice value, in file order, named as `gate_ids` names them.

    `slices` gives each slice tag's values over the whole suite; `expected_cases` is the whole suite's number of cases;
    `comparable` says what differs where suite, data or scorers changed since the baseline was accepted, and then
    nothing is compared; `no_baseline` is said where there is none; no margin may be tighter than `noise`;
    `cluster` is the suite's word for a cluster.
    """
    from harness.stats.observations import reading

    known = {m.name: m for m in metrics}
    ids = gate_ids(gate_file, slices, suite)
    read = {variant: reading(records) for variant, records in records_by_variant.items()}

    def collect(asked: GateId) -> Finding | Evidence:
        too_fine = within_noise(asked, noise)
        stopped = screen(asked.gate, read, expected_cases, comparable, no_baseline, too_fine)
        return stopped or gather(asked, known[asked.gate.metric], read, cluster)

    claims = claims_of(collect(asked) if is_tested(asked.gate) else None for asked in ids)
    items = (with_claim(collect(asked), place, claims) for place, asked in enumerate(ids))
    return [
        _verdict(suite, asked, item if isinstance(item, Finding) else _apply(item), known.get(asked.gate.metric))
        for asked, item in zip(ids, items, strict=True)
    ]


def unjudged(suite: str, gates: GateFile, slices: Mapping[str, Sequence[str]], reason: str) -> list[Verdict]:
    """An error for every gate of a suite whose numbers may not be looked at."""
    return [_verdict(suite, asked, Finding("error", reason)) for asked in gate_ids(gates, slices, suite)]


def _apply(evidence: Evidence) -> Finding:
    """The rule's finding, unless there is too little to judge; what one case decides stays decided."""
    rule = GATE_RULES[evidence.gate.rule]
    finding, lacking = rule.judge(evidence), too_few(evidence)
    if lacking and not (rule.one_decides and finding.outcome == "fail"):
        value = finding.seen.partition(";")[0]
        reason = " ".join(filter(None, (_required(evidence, value), lacking[0])))
        return replace(finding, outcome="inconclusive", reason=reason, needed=lacking[1], seen=value)
    left_out = evidence.pairs or evidence.level
    parts = [
        _required(evidence, finding.seen),
        finding.reason,
        f"{count(left_out.errors, 'answer')} failed, in the engine or the scorer, and count against the claim."
        if left_out.errors
        else "",
        f"Left out without a score: {count(left_out.unscored, 'answer')}." if left_out.unscored else "",
    ]
    return replace(finding, reason=" ".join(filter(None, parts)))


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
